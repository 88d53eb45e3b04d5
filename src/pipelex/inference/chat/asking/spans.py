"""What the spans of requests to language models tell, by OpenTelemetry's conventions for generative AI."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pipelex.inference.calls.spans import about_model, tokens
from pipelex.inference.calls.usage import call_usage
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.pipes import spans

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse


def chat(
    entry: ModelEntry,
    backend: Backend,
    settings: CallSettings,
    messages: "Sequence[ModelMessage]",
    *,
    is_structured: bool,
) -> AbstractContextManager[spans.Span]:
    """The span of one request to a language model."""
    observer = spans.observer()
    if observer is None:
        return spans.span("", {})
    told = {
        **about_model("chat", entry.backend, entry.model_id),
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
            **tokens(call_usage(entry, response)),
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


def _server(backend: Backend) -> dict[str, Any]:
    """The host asked, where the backend's file names it; never the whole address, which may hold a password."""
    if not backend.table.endpoint:
        return {}
    parts = urlsplit(backend.table.endpoint)
    try:
        return {"server.address": parts.hostname, "server.port": parts.port}
    except ValueError:
        return {}
