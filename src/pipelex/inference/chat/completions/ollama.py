"""An Ollama server, asked by OpenAI's protocol if it speaks that, otherwise by its own.

Old servers, and some that imitate one, have only Ollama's own API. Only there can the length of the context be set,
beyond which a prompt is cut without a warning: with `num_ctx` in the backend's table, its own API is used from the
start.
"""

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from pipelex.inference.calls.http import HttpRefusal
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import COMMON
from pipelex.inference.chat.completions.answers import read_completion
from pipelex.inference.chat.completions.client import ChatCompletions, posted
from pipelex.inference.chat.completions.requests import message_members
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.deck.catalog import Backend
from pipelex.inference.deck.endpoints import ollama_root
from pipelex.inference.members import table

if TYPE_CHECKING:
    import httpx

_NO_PATH: Final = (404, 405, 501)
_OPTIONS: Final = {"temperature": "temperature", "seed": "seed", "max_tokens": "num_predict"}
"""The settings of a request, and their names in Ollama."""


class Ollama(ChatCompletions):
    """Chat completions of an Ollama server."""

    takes = COMMON
    default_endpoint: ClassVar[str] = "http://localhost:11434/v1"

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._context = self._extra("num_ctx")
        self._has_own_api_alone = False

    async def _ask(
        self,
        call: ModelCall,
        client: "httpx.AsyncClient",
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        try:
            if self._context is not None or self._has_own_api_alone:
                return await self._ask_natively(call, client, messages, settings, form)
            return await super()._ask(call, client, messages, settings, form)
        except HttpRefusal as refusal:
            if refusal.status_code == 404 and _speaks_of_a_model(refusal):
                raise _not_pulled(call) from None
            if refusal.status_code not in _NO_PATH or self._has_own_api_alone or self._context is not None:
                raise
        self._has_own_api_alone = True
        return await self._ask(call, client, messages, settings, form)

    async def _ask_natively(
        self,
        call: ModelCall,
        client: "httpx.AsyncClient",
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        body = native_body(call.entry.model_id, messages, settings, form, self._context)
        address = f"{ollama_root(str(client.base_url))}/api/chat"
        told = await posted(call, client, address, body, settings)
        return read_completion(as_completion(table(told)), call, str(client.base_url))


def _speaks_of_a_model(refusal: HttpRefusal) -> bool:
    return "model" in json.dumps(refusal.body).lower()


def _not_pulled(call: ModelCall) -> Exception:
    model = call.entry.model_id
    detail = f"{call.backend.id!r} does not have the model {model!r}"
    return call.unavailable("unknown_at_provider", detail, f"Pull it with: ollama pull {model}")


# --- its own API ------------------------------------------------------------------------------------------------------


def native_body(
    model: str, messages: list[Message], settings: RequestSettings, form: AnswerForm, context: str | None
) -> dict[str, Any]:
    """A request in the form of `/api/chat`.

    Args:
        model: Ollama's name of the model.
        messages: the conversation.
        settings: the settings of the request, as chat completions have them.
        form: the form in which the answer is wanted.
        context: the length of the context, in tokens; None for the server's own.
    """
    options: dict[str, Any] = {theirs: settings[ours] for ours, theirs in _OPTIONS.items() if ours in settings}
    if context is not None:
        options["num_ctx"] = int(context)
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(member) for message in messages for member in message_members(message)],
        "stream": False,
        "options": options,
    }
    if "reasoning_effort" in settings:
        body["think"] = settings["reasoning_effort"] != "none"
    match form.method:
        case "tool" | "native":  # a tool cannot be required, so its arguments are requested as the answer
            body["format"] = form.schema
        case "json":
            body["format"] = "json"
        case _:
            pass
    return body


def _message(member: dict[str, Any]) -> dict[str, Any]:
    """A chat completion's entry of `messages` in Ollama's form: a text, with the images beside it."""
    content = member.get("content")
    if not isinstance(content, list):
        return {"role": member["role"], "content": content or ""}
    parts = cast("list[dict[str, Any]]", content)
    texts = [part["text"] for part in parts if part["type"] == "text"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    images = {"images": [url.partition(",")[2] for url in urls]} if urls else {}
    return {"role": member["role"], "content": "\n\n".join(texts), **images}


def as_completion(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of `/api/chat` as a chat completion."""
    message = table(answer.get("message"))
    thought = {"reasoning": message["thinking"]} if message.get("thinking") else {}
    members = {"role": "assistant", "content": message.get("content"), **thought}
    counts = {"prompt_tokens": answer.get("prompt_eval_count"), "completion_tokens": answer.get("eval_count")}
    choice = {"index": 0, "finish_reason": answer.get("done_reason"), "message": members}
    return {
        "model": answer.get("model"),
        "choices": [choice] if message else [],
        "usage": {name: count for name, count in counts.items() if count is not None},
        "error": answer.get("error"),
    }
