"""Results of effects in a dry run, made up from the declared types."""

from itertools import cycle, islice
from typing import Final, cast

from pipelex.content.structure import example
from pipelex.content.stuff import Json
from pipelex.library import Library
from pipelex.pipes.calls import RunOptions
from pipelex.pipes.effects.jobs import (
    ContentListResult,
    ContentResult,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextResult,
)
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    FunctionRequest,
    ImageRequest,
    JudgeQuestionRequest,
    JudgeRequest,
    LLMObjectListRequest,
    LLMObjectRequest,
    LLMTextRequest,
    SearchRequest,
    ViewsRequest,
)
from pipelex.pipes.models import ModelUsage

_MIME_TYPES: Final = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


_FREE: Final = ModelUsage(handle="dry-run", backend="dry-run", calls=0)
"""The usage of a made-up answer, which is not counted."""


def text(request: LLMTextRequest, library: Library, options: RunOptions) -> LLMTextResult:
    del library
    return LLMTextResult(text=f"DRY RUN: {request.prompt.user.strip()[: options.mocks.text_chars]}", usage=_FREE)


def object_(request: LLMObjectRequest, library: Library, options: RunOptions) -> LLMObjectResult:
    return LLMObjectResult(content=_made_up(library, request.spec.concept, options), usage=_FREE)


def object_list(request: LLMObjectListRequest, library: Library, options: RunOptions) -> LLMObjectListResult:
    count = options.mocks.list_items if request.count is None else request.count
    items = tuple(_made_up(library, request.spec.concept, options) for _ in range(count))
    return LLMObjectListResult(items=items, usage=_FREE)


def images(request: ImageRequest, library: Library, options: RunOptions) -> ContentListResult:
    image = {**_made_up(library, "native.Image", options), "source_prompt": request.prompt[: options.mocks.text_chars]}
    urls = islice(cycle(options.mocks.image_urls), request.count)
    return ContentListResult(contents=tuple({**image, "url": url} for url in urls))


def pages(request: ExtractRequest, library: Library, options: RunOptions) -> ContentListResult:
    count = 1 if request.source_kind == "image" else options.mocks.pages
    return ContentListResult(contents=(_made_up(library, "native.Page", options),) * count)


def views(request: ViewsRequest, library: Library, options: RunOptions) -> ContentListResult:
    del request, library, options
    return ContentListResult(contents=())


def answer(request: SearchRequest, library: Library, options: RunOptions) -> ContentResult:
    del request
    return ContentResult(content=_made_up(library, "native.SearchResult", options))


def verdicts(request: JudgeRequest, library: Library, options: RunOptions) -> ContentListResult:
    del library, options
    return ContentListResult(contents=tuple(_verdict(question) for question in request.questions))


def _verdict(question: JudgeQuestionRequest) -> dict[str, Json]:
    if question.options is not None:
        return {"choice": next(iter(question.options))}
    if question.levels is None:
        return {"yes_no": True}
    label = question.levels[0].get("label")
    return {"level": 0} if label is None else {"level": 0, "label": label}


def returned(request: FunctionRequest, library: Library, options: RunOptions) -> ContentResult:
    content = _made_up(library, request.output_concept, options)
    count = options.mocks.list_items
    return ContentResult(content={"items": [content] * count} if request.is_list else content)


def document(request: DocumentRequest, library: Library, options: RunOptions) -> ContentResult:
    del library, options
    name = f"{request.filename}.{request.format}"
    mime_type = _MIME_TYPES[request.format]
    return ContentResult(content={"url": f"https://mock.invalid/{name}", "mime_type": mime_type, "filename": name})


def _made_up(library: Library, concept: str, options: RunOptions) -> dict[str, Json]:
    return cast("dict[str, Json]", example(library.shape(concept), is_sparse=options.mocks.is_sparse))
