"""What the spans of calls to providers tell, by OpenTelemetry's conventions for generative AI."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from pipelex.inference.calls.usage import call_usage
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.pipes import spans
from pipelex.pipes.effects.jobs import DocumentJob, ExtractJob, ImageJob, JudgeJob, SearchJob
from pipelex.pipes.effects.requests import FunctionRequest
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse

    from pipelex.inference.chat.settings import CallSettings

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


# --- chat -------------------------------------------------------------------------------------------------------------


def chat(
    entry: ModelEntry,
    backend: Backend,
    settings: "CallSettings",
    messages: "Sequence[ModelMessage]",
    *,
    is_structured: bool,
) -> AbstractContextManager[spans.Span]:
    """The span of one request to a language model."""
    observer = spans.observer()
    if observer is None:
        return spans.span("", {})
    told = {
        **_model("chat", entry.backend, entry.model_id),
        "pipelex.model.handle": entry.handle,
        "gen_ai.output.type": "json" if is_structured else "text",
        "gen_ai.request.temperature": settings.temperature,
        "gen_ai.request.max_tokens": settings.max_tokens,
        **_server(backend),
    }
    if observer.captures_content:
        told["gen_ai.input.messages"] = json.dumps([_message(message) for message in messages], ensure_ascii=False)
    return observer.span(f"chat {entry.model_id}", told, is_call=True)


def answered(span: spans.Span, entry: ModelEntry, response: "ModelResponse") -> None:
    """Tell what a language model answered, and what that took."""
    observer = spans.observer()
    if observer is None:
        return
    usage = response.usage
    span.set(
        {
            "gen_ai.response.model": response.model_name,
            "gen_ai.response.id": response.provider_response_id,
            "gen_ai.response.finish_reasons": None if response.finish_reason is None else [response.finish_reason],
            **_tokens(call_usage(entry, response)),
            "gen_ai.usage.reasoning.output_tokens": usage.details.get("reasoning_tokens"),
        }
    )
    if observer.captures_content:
        span.set({"gen_ai.output.messages": json.dumps([_message(response)], ensure_ascii=False)})


def _message(message: "ModelMessage") -> dict[str, Any]:
    """A message in the conventions' form: its texts whole, everything else by its kind."""
    role = "assistant" if message.kind == "response" else "user"
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if part.part_kind == "system-prompt":
            role = "system" if len(message.parts) == 1 else role
        content: Any = getattr(part, "content", None)
        if part.part_kind == "tool-call":
            parts.append({"type": "tool_call", "id": part.tool_call_id, "name": part.tool_name, "arguments": part.args})
            continue
        for item in cast("Sequence[Any]", content) if isinstance(content, list | tuple) else [content]:
            is_text = isinstance(item, str)
            parts.append({"type": "text", "content": item} if is_text else {"type": getattr(item, "kind", "unknown")})
    return {"role": role, "parts": parts}


# --- every other effect -----------------------------------------------------------------------------------------------


def observed(perform: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Who performs an effect, each attempt in a span of its own; a language model's requests have theirs."""

    async def perform_in_span(job: Any) -> Any:
        observer = spans.observer()
        if observer is None:
            return await perform(job)
        name, told, is_call = _told(job, captures_content=observer.captures_content)
        with observer.span(name, told, is_call=is_call) as span:
            result = await perform(job)
            if result.usage is not None and not isinstance(job, JudgeJob):
                span.set(_tokens(result.usage))
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
    told = {**_model(operation, model.backend, model.handle), "pipelex.model.handle": model.handle, **more}
    is_call = model.backend != _IN_PROCESS and not isinstance(job, JudgeJob)
    return f"{operation} {model.handle}", {**told, **content} if captures_content else told, is_call


def _asked(prompt: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}], ensure_ascii=False)


# --- both -------------------------------------------------------------------------------------------------------------


def _model(operation: str, backend: str, model: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(backend, backend),
        "gen_ai.request.model": model,
    }


def _server(backend: Backend) -> dict[str, Any]:
    """The host asked, where the backend's file names it; never the whole address, which may hold a password."""
    if not backend.table.endpoint:
        return {}
    parts = urlsplit(backend.table.endpoint)
    try:
        return {"server.address": parts.hostname, "server.port": parts.port}
    except ValueError:
        return {}


def _tokens(usage: ModelUsage) -> dict[str, Any]:
    cached = usage.cached_tokens or None
    has_tokens = usage.input_tokens or usage.output_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens if has_tokens else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if has_tokens else None,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "pipelex.usage.cost_usd": usage.cost_usd,
    }
