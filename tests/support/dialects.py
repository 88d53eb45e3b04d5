"""What the test server speaks besides chat completions, by the path of a request.

Written from the providers' published references: OpenAI Responses, Anthropic Messages, Gemini generateContent, Amazon
Bedrock Converse, and the ways Mistral's chat completions differ from OpenAI's.
"""

import json
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

if TYPE_CHECKING:
    from tests.support.openai_server import Reply

Json = Any
Table = dict[str, Json]
_PIECES = 8
"""The number of pieces in which a text is streamed."""


def _pieces(text: str) -> list[str]:
    """A text as a model writes it: in several pieces."""
    size = max(1, -(-len(text) // _PIECES))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _as_lines(events: Iterable[Table]) -> bytes:
    """Server-sent events, each of which tells its type itself."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


@dataclass(frozen=True)
class Dialect:
    """One protocol."""

    prompt: Callable[[Json], str]
    """All the text of a request, one part a line."""
    answer: Callable[["Reply", Json], Json]
    """A reply as a success."""
    error: Callable[[int, str], Json]
    """A failure's body."""
    stream: Callable[[Json], Iterable[Table]] | None = None
    """The events of a success, for a protocol whose clients stream long answers."""
    encode: Callable[[Iterable[Table]], bytes] = _as_lines
    """The events as they are sent."""
    stream_type: str = "text/event-stream"
    """The media type of the events."""
    always_streams: bool = False
    """Whether every answer is streamed, without a word of the request."""


def _texts(parts: Json) -> list[str]:
    if isinstance(parts, str):
        return [parts]
    found: list[str] = []
    for part in cast("list[Table]", parts or []):
        inner = part.get("text", part.get("content"))
        found += _texts(inner) if inner is not None else []
    return found


# --- OpenAI Responses -------------------------------------------------------------------------------------------------


def _responses_prompt(body: Json) -> str:
    lines = [body["instructions"]] if body.get("instructions") else []
    items: Json = body.get("input", [])
    if isinstance(items, str):
        return "\n".join([*lines, items])
    for item in cast("list[Table]", items):
        lines += _texts(item.get("output", item.get("content")))
    return "\n".join(lines)


def _responses_answer(reply: "Reply", body: Json) -> Json:
    tools = cast("list[Table]", body.get("tools") or [])
    item: Table
    if reply.object is not None and tools:
        item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
        item |= {"name": tools[0]["name"], "arguments": json.dumps(reply.object)}
    else:
        text = json.dumps(reply.object) if reply.object is not None else reply.text or ""
        content: Table = {"type": "output_text", "text": text, "annotations": []}
        if reply.refusal is not None:
            content = {"type": "refusal", "refusal": reply.refusal}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    reason = reasons.get(reply.finish_reason or "")
    return {
        "id": "resp_stub",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "model": body.get("model", "stub"),
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": tools,
        "usage": {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }


def openai_error(status: int, message: str) -> Json:
    """The body of OpenAI's failures."""
    kinds = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": kinds.get(status)}}


# --- Anthropic Messages -----------------------------------------------------------------------------------------------


def _messages_prompt(body: Json) -> str:
    lines = _texts(body.get("system"))
    for message in cast("list[Table]", body.get("messages", [])):
        lines += _texts(message.get("content"))
    return "\n".join(lines)


def _messages_answer(reply: "Reply", body: Json) -> Json:
    tools = cast("list[Table]", body.get("tools") or [])
    stop = "end_turn"
    content: list[Table] = [{"type": "text", "text": reply.text or ""}]
    if reply.object is not None and tools:
        content = [{"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": reply.object}]
        stop = "tool_use"
    elif reply.object is not None:
        content = [{"type": "text", "text": json.dumps(reply.object)}]
    if not content[0].get("text", "-"):
        content = []
    stops = {"length": "max_tokens", "content_filter": "refusal"}
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "stub"),
        "content": content,
        "stop_reason": "refusal" if reply.refusal is not None else stops.get(reply.finish_reason or "", stop),
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.input_tokens - reply.cached_tokens,
            "cache_read_input_tokens": reply.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": reply.output_tokens,
        },
    }


def _messages_events(message: Json) -> Iterable[Table]:
    started: Table = {**message, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": started}
    for index, block in enumerate(cast("list[Table]", message["content"])):
        is_text = block["type"] == "text"
        empty: Table = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for piece in _pieces(block["text"] if is_text else json.dumps(block["input"])):
            delta = {"type": "text_delta", "text": piece} if is_text else {
                "type": "input_json_delta", "partial_json": piece,
            }  # fmt: skip
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _messages_error(status: int, message: str) -> Json:
    kinds = {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
    }  # fmt: skip
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}


# --- Gemini generateContent -------------------------------------------------------------------------------------------


def _gemini_prompt(body: Json) -> str:
    system: Table = body.get("systemInstruction") or {}
    lines = _texts(system.get("parts"))
    for content in cast("list[Table]", body.get("contents", [])):
        for part in cast("list[Table]", content.get("parts", [])):
            response = part.get("functionResponse")
            lines.append(json.dumps(response, ensure_ascii=False) if response else str(part.get("text", "")))
    return "\n".join(lines)


def _gemini_answer(reply: "Reply", body: Json) -> Json:
    tools = cast("list[Table]", body.get("tools") or [])
    text = json.dumps(reply.object) if reply.object is not None else reply.text or ""
    part: Table = {"text": text}
    if reply.object is not None and tools:
        part = {"functionCall": {"name": tools[0]["functionDeclarations"][0]["name"], "args": reply.object}}
    usage = {
        "promptTokenCount": reply.input_tokens,
        "cachedContentTokenCount": reply.cached_tokens,
        "candidatesTokenCount": reply.output_tokens - reply.reasoning_tokens,
        "thoughtsTokenCount": reply.reasoning_tokens,
        "totalTokenCount": reply.input_tokens + reply.output_tokens,
    }
    common = {"usageMetadata": usage, "modelVersion": "stub", "responseId": "gem_stub"}
    if reply.refusal is not None:
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **common}
    finish = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(reply.finish_reason or "", "STOP")
    content: Table = {"role": "model", "parts": [part]} if reply.text != "" else {"role": "model"}
    return {"candidates": [{"content": content, "finishReason": finish, "index": 0}], **common}


def _gemini_error(status: int, message: str) -> Json:
    names = {
        400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
    }  # fmt: skip
    return {"error": {"code": status, "message": message, "status": names.get(status, "UNKNOWN")}}


# --- Amazon Bedrock Converse ------------------------------------------------------------------------------------------


def _converse_prompt(body: Json) -> str:
    lines = _texts(body.get("system"))
    for message in cast("list[Table]", body.get("messages", [])):
        for part in cast("list[Table]", message.get("content", [])):
            lines += _texts(part["toolResult"]["content"]) if "toolResult" in part else _texts([part])
    return "\n".join(lines)


def _converse_answer(reply: "Reply", body: Json) -> Json:
    config: Table = body.get("toolConfig") or {}
    tools = cast("list[Table]", config.get("tools") or [])
    part: Table = {"text": json.dumps(reply.object) if reply.object is not None else reply.text or ""}
    stop = "end_turn"
    if reply.object is not None and tools:
        name = tools[0]["toolSpec"]["name"]
        part, stop = {"toolUse": {"toolUseId": "tool_1", "name": name, "input": reply.object}}, "tool_use"
    stops = {"length": "max_tokens", "content_filter": "content_filtered"}
    return {
        "output": {"message": {"role": "assistant", "content": [part] if part.get("text", "-") else []}},
        "stopReason": "content_filtered" if reply.refusal else stops.get(reply.finish_reason or "", stop),
        "usage": {
            "inputTokens": reply.input_tokens - reply.cached_tokens,
            "cacheReadInputTokens": reply.cached_tokens,
            "outputTokens": reply.output_tokens,
            "totalTokens": reply.input_tokens + reply.output_tokens,
        },
        "metrics": {"latencyMs": 1},
    }


def _converse_events(answer: Json) -> Iterable[Table]:
    yield {"messageStart": {"role": "assistant"}}
    for index, part in enumerate(cast("list[Table]", answer["output"]["message"]["content"])):
        at: Table = {"contentBlockIndex": index}
        if "toolUse" in part:
            use = part["toolUse"]
            yield {"contentBlockStart": {**at, "start": {"toolUse": {**use, "input": None}}}}
            yield {"contentBlockDelta": {**at, "delta": {"toolUse": {"input": json.dumps(use["input"])}}}}
        else:
            yield from ({"contentBlockDelta": {**at, "delta": {"text": piece}}} for piece in _pieces(part["text"]))
        yield {"contentBlockStop": at}
    yield {"messageStop": {"stopReason": answer["stopReason"]}}
    yield {"metadata": {"usage": answer["usage"], "metrics": answer["metrics"]}}


def _as_aws_messages(events: Iterable[Table]) -> bytes:
    """Events in Amazon's binary framing: lengths and headers with their checksum, the content, and the checksum of all."""
    return b"".join(_aws_message(kind, content) for event in events for kind, content in event.items())


def _aws_message(kind: str, content: Json) -> bytes:
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in named.items()
    )
    body = json.dumps(content).encode()
    lengths = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _converse_error(status: int, message: str) -> Json:
    names = {
        400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException",
        404: "ResourceNotFoundException", 429: "ThrottlingException", 503: "ServiceUnavailableException",
    }  # fmt: skip
    return {"__type": names.get(status, "InternalServerException"), "message": message}


# --- which one --------------------------------------------------------------------------------------------------------

RESPONSES = Dialect(_responses_prompt, _responses_answer, openai_error)
MESSAGES = Dialect(_messages_prompt, _messages_answer, _messages_error, _messages_events)
GEMINI = Dialect(_gemini_prompt, _gemini_answer, _gemini_error)
CONVERSE = Dialect(_converse_prompt, _converse_answer, _converse_error)
CONVERSE_STREAM = Dialect(
    _converse_prompt,
    _converse_answer,
    _converse_error,
    _converse_events,
    _as_aws_messages,
    "application/vnd.amazon.eventstream",
    always_streams=True,
)


# --- Ollama -----------------------------------------------------------------------------------------------------------


def _ollama_answer(reply: "Reply", body: Json) -> Json:
    text = json.dumps(reply.object) if reply.object is not None else reply.text or ""
    return {
        "model": body.get("model", "stub"),
        "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": reply.finish_reason or "stop",
        "prompt_eval_count": reply.input_tokens,
        "eval_count": reply.output_tokens,
    }


def _ollama_error(status: int, message: str) -> Json:
    return {"error": message}


OLLAMA = Dialect(_messages_prompt, _ollama_answer, _ollama_error)


def dialect_of(path: str) -> Dialect | None:
    """The protocol of a path; None when it is none of these."""
    plain = path.partition("?")[0].rstrip("/")
    if plain.endswith("/responses"):
        return RESPONSES
    if plain.endswith(("/messages", "/invoke")):  # the latter is Amazon Bedrock's way to call a model in its own terms
        return MESSAGES
    if plain.endswith("/api/chat"):
        return OLLAMA
    if plain.endswith(":generateContent"):
        return GEMINI
    if plain.endswith("/converse-stream"):
        return CONVERSE_STREAM
    return CONVERSE if plain.endswith("/converse") else None


def mistral_error(status: int, message: str) -> Json:
    """The body of Mistral's failures."""
    kind = {401: "unauthorized", 429: "rate_limited", 400: "invalid_request_error"}.get(status, "internal_error")
    return {"object": "error", "message": message, "type": kind, "param": None, "code": str(status)}


def key_of(headers: Mapping[str, str]) -> str:
    """The API key of a request, wherever a protocol puts it."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name in ("x-api-key", "x-goog-api-key", "api-key"):
        if name in lower:
            return lower[name]
    return lower.get("authorization", "").removeprefix("Bearer ")
