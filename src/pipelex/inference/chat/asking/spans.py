"""Spans of requests to language models, by OpenTelemetry's conventions for generative AI."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from pipelex.inference.calls.spans import about_model, tokens
from pipelex.inference.chat.asking.usage import call_usage
from pipelex.inference.chat.messages import Answer, Message
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.pipes import spans


def chat(
    entry: ModelEntry,
    backend: Backend,
    settings: CallSettings,
    messages: Sequence[Message],
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


def answered(span: spans.Span, entry: ModelEntry, response: Answer) -> None:
    """Add a language model's answer and its usage to the span."""
    observer = spans.observer()
    if observer is None:
        return
    usage = response.usage
    span.set(
        {
            "gen_ai.response.model": response.model_name,
            "gen_ai.response.id": response.response_id,
            "gen_ai.response.finish_reasons": None if response.finish_reason is None else [response.finish_reason],
            **tokens(call_usage(entry, response)),
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        }
    )
    if observer.captures_content:
        span.set({"gen_ai.output.messages": json.dumps([_message(response)], ensure_ascii=False)})


def _message(message: Message) -> dict[str, Any]:
    """A message in the conventions' form: its texts in full, anything else only by its kind."""
    if isinstance(message, Answer):
        texts = [] if message.text is None else [{"type": "text", "content": message.text}]
        uses = [
            {"type": "tool_call", "id": use.id, "name": use.name, "arguments": use.arguments}
            for use in message.tool_uses
        ]
        return {"role": "assistant", "parts": [*texts, *uses]}
    said = [message.system, message.text, *(reply.text for reply in message.replies)]
    parts = [{"type": "text", "content": text} for text in said if text is not None]
    return {"role": "user", "parts": [*parts, *({"type": "binary"} for _ in message.files)]}


def _server(backend: Backend) -> dict[str, Any]:
    """The host and port of the backend's endpoint; never the whole address, which may hold a password."""
    if not backend.table.endpoint:
        return {}
    parts = urlsplit(backend.table.endpoint)
    try:
        return {"server.address": parts.hostname, "server.port": parts.port}
    except ValueError:
        return {}
