"""The table of effects, which declares every kind once.

Temporal's activities and their names in configuration files, the performers, the worker scopes, dry runs and the
results that are kept are all derived from it. A new kind needs an entry here, a request and a result (and a job, if it
needs a model), a mock, and a performer (`pipelex.inference.performers`).
"""

import json
from typing import Any, Final

from pipelex.language.references import Reference
from pipelex.pipes.effects import mocks
from pipelex.pipes.effects.jobs import (
    ContentListResult,
    ContentResult,
    DocumentJob,
    ExtractJob,
    ImageJob,
    JudgeJob,
    LLMObjectJob,
    LLMObjectListJob,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextJob,
    LLMTextResult,
    SearchJob,
    TemplateResult,
)
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    FunctionRequest,
    ImageRequest,
    JudgeRequest,
    LLMObjectListRequest,
    LLMObjectRequest,
    LLMTextRequest,
    SearchRequest,
    TemplateRequest,
    ViewsRequest,
)
from pipelex.pipes.templates import render_request


def _asked(prompt: str) -> str:
    """A prompt as a request's messages in the format of OpenTelemetry's conventions."""
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}], ensure_ascii=False)


def _class(request: LLMObjectRequest) -> dict[str, str]:
    return {"class": Reference.parse(request.spec.concept).code}


LLM_TEXT: Final = EffectKind(
    activity="act_llm_gen_text",
    request=LLMTextRequest,
    job=LLMTextJob,
    result=LLMTextResult,
    mock=mocks.text,
    family="llm",
    is_paid=True,
    routing_key="llm",
    group="llm",
    runners=("llm",),
    what=lambda _: "LLM text",
)
"""One completion."""

LLM_OBJECT: Final = EffectKind(
    activity="act_llm_gen_object",
    request=LLMObjectRequest,
    job=LLMObjectJob,
    result=LLMObjectResult,
    mock=mocks.object_,
    family="llm",
    purpose="object",
    is_paid=True,
    routing_key="llm",
    group="llm",
    runners=("llm",),
    what=lambda _: "LLM object",
    details=_class,
)
"""One object that satisfies a schema."""

LLM_OBJECT_LIST: Final = EffectKind(
    activity="act_llm_gen_object_list",
    request=LLMObjectListRequest,
    job=LLMObjectListJob,
    result=LLMObjectListResult,
    mock=mocks.object_list,
    family="llm",
    purpose="object",
    is_paid=True,
    routing_key="llm",
    group="llm",
    runners=("llm",),
    what=lambda _: "LLM object list",
    details=_class,
)
"""Objects that satisfy a schema: exactly as many as are asked for, or as many as the model returns."""

IMAGES: Final = EffectKind(
    activity="act_img_gen_images",
    request=ImageRequest,
    job=ImageJob,
    result=ContentListResult,
    mock=mocks.images,
    family="img_gen",
    is_paid=True,
    routing_key="img_gen",
    runners=("img-gen",),
    what=lambda request: f"Image gen {request.count}×",
    operation="generate_content",
    span_details=lambda request: {"gen_ai.output.type": "image", "gen_ai.request.choice.count": request.count},
    span_content=lambda request: {"gen_ai.input.messages": _asked(request.prompt)},
)
"""Image contents, each with the URL of a stored image."""

PAGES: Final = EffectKind(
    activity="act_extract_gen_extract_pages",
    request=ExtractRequest,
    job=ExtractJob,
    result=ContentListResult,
    mock=mocks.pages,
    family="extract",
    is_paid=True,
    routing_key="extract",
    runners=("extract",),
    what=lambda _: "Extract pages",
    model_word="handle",
    operation="extract",
    span_details=lambda request: {"pipelex.source.kind": request.source_kind},
)
"""Page contents of a document or an image, in order."""

PAGE_VIEWS: Final = EffectKind(
    activity="act_render_page_views",
    request=ViewsRequest,
    job=ViewsRequest,
    result=ContentListResult,
    mock=mocks.views,
    runners=("img-gen", "extract"),
    what=lambda _: "Render page views",
    operation="render_page_views",
)
"""An Image content of each page, in order."""

SEARCH: Final = EffectKind(
    activity="act_search_gen_sourced_answer",
    request=SearchRequest,
    job=SearchJob,
    result=ContentResult,
    mock=mocks.answer,
    family="search",
    is_paid=True,
    routing_key="search",
    runners=("search",),
    what=lambda _: "Search",
    operation="retrieval",
    span_content=lambda request: {"gen_ai.retrieval.query.text": request.query},
)
"""A SearchResult content."""

JUDGE: Final = EffectKind(
    activity="act_judge_gen",
    request=JudgeRequest,
    job=JudgeJob,
    result=ContentListResult,
    mock=mocks.verdicts,
    family="judgment",
    is_paid=True,
    routing_key="judgment",
    runners=("llm",),
    what=lambda _: "Judge",
    operation="judge",
    span_details=lambda request: {"pipelex.questions": len(request.questions)},
    is_composed=True,
)
"""One verdict content for each question, or None if the model refused to answer it."""

DOCUMENT: Final = EffectKind(
    activity="act_doc_gen",
    request=DocumentRequest,
    job=DocumentJob,
    result=ContentResult,
    mock=mocks.document,
    family="doc_gen",
    what=lambda request: f"Document {request.format}",
    operation="generate_document",
    span_details=lambda request: {"pipelex.document.format": request.format},
)
"""A Document content with the URL of a stored file."""

FUNCTION: Final = EffectKind(
    activity="act_func_call",
    request=FunctionRequest,
    job=FunctionRequest,
    result=ContentResult,
    mock=mocks.returned,
    routing_key="function",
    key=lambda request: request.function,
    runners=("func",),
    is_crafting=False,
    what=lambda _: "Function",
    operation="execute_tool",
    span_subject=lambda request: request.function,
    span_details=lambda request: {"gen_ai.tool.name": request.function, "gen_ai.tool.type": "function"},
)
"""A function's result as content; for a list, `{"items": [...]}`."""

TEMPLATE: Final = EffectKind(
    activity="act_jinja2_gen_text",
    request=TemplateRequest,
    job=TemplateRequest,
    result=TemplateResult,
    mock=None,
    compute=render_request,
    runners=("jinja2",),
    what=lambda _: "Templated text",
)
"""A rendered template, with the images and documents that its tokens stand for."""

EFFECTS: Final[tuple[EffectKind[Any, Any], ...]] = (
    LLM_TEXT,
    LLM_OBJECT,
    LLM_OBJECT_LIST,
    IMAGES,
    PAGES,
    PAGE_VIEWS,
    SEARCH,
    JUDGE,
    DOCUMENT,
    FUNCTION,
    TEMPLATE,
)
"""Every kind of effect."""
