"""Spans of effects, by OpenTelemetry's conventions for generative AI."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pipelex.pipes import spans
from pipelex.pipes.effects.jobs import DocumentJob, ExtractJob, ImageJob, JudgeJob, SearchJob
from pipelex.pipes.effects.requests import FunctionRequest
from pipelex.pipes.models import ModelUsage

_PROVIDERS: Final[Mapping[str, str]] = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""Backends that the conventions call something else."""

_IN_PROCESS: Final = "internal"


def observed(perform: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """The performers of effects, each attempt in a span of its own. A language model's requests have theirs."""

    async def perform_in_span(job: Any) -> Any:
        observer = spans.observer()
        if observer is None:
            return await perform(job)
        name, told, is_call = _told(job, captures_content=observer.captures_content)
        with observer.span(name, told, is_call=is_call) as span:
            result = await perform(job)
            if result.usage is not None and not isinstance(job, JudgeJob):
                span.set(tokens(result.usage))
            return result

    return perform_in_span


def _told(job: Any, *, captures_content: bool) -> tuple[str, spans.Attributes, bool]:
    content: dict[str, str] = {}
    more: dict[str, Any]
    match job:
        case ImageJob():
            content["gen_ai.input.messages"] = _asked(job.request.prompt)
            operation, more = "generate_content", {"gen_ai.output.type": "image"}
            more["gen_ai.request.choice.count"] = job.request.count
        case ExtractJob():
            operation, more = "extract", {"pipelex.source.kind": job.request.source_kind}
        case SearchJob():
            content["gen_ai.retrieval.query.text"] = job.request.query
            operation, more = "retrieval", {}
        case JudgeJob():
            operation, more = "judge", {"pipelex.questions": len(job.request.questions)}
        case DocumentJob():
            operation, more = "generate_document", {"pipelex.document.format": job.request.format}
        case FunctionRequest():
            tool = {"gen_ai.tool.name": job.function, "gen_ai.tool.type": "function"}
            return f"execute_tool {job.function}", {"gen_ai.operation.name": "execute_tool", **tool}, False
        case _:
            return "render_page_views", {}, False
    model = job.model
    told = {**about_model(operation, model.backend, model.handle), "pipelex.model.handle": model.handle, **more}
    is_call = model.backend != _IN_PROCESS and not isinstance(job, JudgeJob)
    return f"{operation} {model.handle}", {**told, **content} if captures_content else told, is_call


def _asked(prompt: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}], ensure_ascii=False)


def about_model(operation: str, backend: str, model: str) -> dict[str, Any]:
    """The attributes that name an effect, and the model and the backend that perform it."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(backend, backend),
        "gen_ai.request.model": model,
    }


def tokens(usage: ModelUsage) -> dict[str, Any]:
    """The usage of calls, as attributes."""
    cached = usage.cached_tokens or None
    has_tokens = usage.input_tokens or usage.output_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens if has_tokens else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if has_tokens else None,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "pipelex.usage.cost_usd": usage.cost_usd,
    }
