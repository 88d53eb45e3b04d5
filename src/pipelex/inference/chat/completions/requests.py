"""Requests for chat completions: messages, and the form of the answer, in OpenAI's protocol."""

import base64
import json
import mimetypes
from collections.abc import Iterator
from typing import Any, cast

from pipelex.inference.chat.messages import Answer, AnswerForm, AttachedFile, Message, Question, ToolReply, ToolUse
from pipelex.inference.chat.structured.strict import as_sent


def message_members(message: Message) -> Iterator[dict[str, Any]]:
    """The entries of `messages` for a message; none for an answer without content, because providers refuse it."""
    if isinstance(message, Answer):
        if message.said is not None:
            yield cast("dict[str, Any]", message.said)
        return
    yield from _question(message)


def _question(question: Question) -> Iterator[dict[str, Any]]:
    if question.system:
        yield {"role": "system", "content": question.system}
    if question.text is not None:
        parts = [{"type": "text", "text": question.text}, *map(_file, question.files)]
        yield {"role": "user", "content": parts if question.files else question.text}
    yield from map(_reply, question.replies)


def _reply(reply: ToolReply) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": reply.use.id, "content": reply.text}


def _file(file: AttachedFile) -> dict[str, Any]:
    """A file as a part of a prompt."""
    if file.is_text:
        return {"type": "text", "text": file.inlined}
    url = f"data:{file.media_type};base64,{base64.b64encode(file.data).decode()}"
    if file.is_image:
        detail = {} if file.detail is None else {"detail": file.detail}
        return {"type": "image_url", "image_url": {"url": url, **detail}}
    extension = mimetypes.guess_extension(file.media_type) or ".bin"
    return {"type": "file", "file": {"file_data": url, "filename": f"filename{extension}"}}


def said(text: str | None, uses: tuple[ToolUse, ...], thought: dict[str, str]) -> dict[str, Any] | None:
    """An answer in the form in which it is sent back; None for one without content.

    Args:
        text: the text of the answer.
        uses: the tools that it calls.
        thought: the thoughts of the answer, under the provider's name for them.
    """
    if text is None and not uses:
        return None
    found: dict[str, Any] = {"role": "assistant", **thought, "content": text}
    if uses:
        found["tool_calls"] = [_tool_call(use) for use in uses]
    return found


def _tool_call(use: ToolUse) -> dict[str, Any]:
    arguments = use.arguments if isinstance(use.arguments, str) else json.dumps(use.arguments, ensure_ascii=False)
    return {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": arguments}}


def form_members(form: AnswerForm) -> dict[str, Any]:
    """The members of a request that say in which form the answer is wanted."""
    match form.method:
        case "tool":
            schema, is_strict = as_sent(form.schema, is_strict=form.is_strict)
            function = {"name": form.name, "description": form.description or "", "parameters": schema}
            strict = {"strict": True} if is_strict else {}
            return {"tools": [{"type": "function", "function": {**function, **strict}}], "tool_choice": "required"}
        case "native":
            schema, is_strict = as_sent(form.schema, is_strict=form.is_strict)
            wanted: dict[str, Any] = {"name": form.name, "schema": schema, "strict": is_strict}
            if form.description:
                wanted["description"] = form.description
            return {"response_format": {"type": "json_schema", "json_schema": wanted}}
        case "json":
            return {"response_format": {"type": "json_object"}}
        case _:
            return {}
