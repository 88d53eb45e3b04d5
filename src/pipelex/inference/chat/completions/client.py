"""Chat completions over plain HTTP, from OpenAI or any endpoint that speaks its protocol.

Requests and answers are plain data here, without a library in between. So a call costs only the time of its JSON, and a
program that asks one model does not load the clients of all providers.
"""

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.http import HttpRefusal
from pipelex.inference.calls.logical import OPENAI_HEADER
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.attachments.takes import COMMON, OPENAI, Takes
from pipelex.inference.chat.completions.answers import read_completion
from pipelex.inference.chat.completions.requests import form_members, message_members
from pipelex.inference.chat.connected import ConnectedProvider
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.chat.provider import SentSchema, strict_if_native
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema
from pipelex.inference.deck.catalog import Backend

if TYPE_CHECKING:
    import httpx

_MEMBERS = ("temperature", "reasoning_effort", "seed")


class ChatCompletions(ConnectedProvider["httpx.AsyncClient"]):
    """Chat completions of OpenAI, or of any endpoint that speaks its protocol."""

    takes: ClassVar[Takes] = OPENAI
    default_endpoint: ClassVar[str] = "https://api.openai.com/v1"
    idempotency_header = OPENAI_HEADER

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._preparing = asyncio.Lock()

    async def prepare(self, call: ModelCall) -> None:
        # The first client reads the machine's certificates, which would block the event loop.
        async with self._preparing:
            if not self._clients:
                await asyncio.to_thread(self._client, call)

    async def request(
        self, call: ModelCall, messages: list[Message], settings: RequestSettings, form: AnswerForm
    ) -> Answer:
        return await self._ask(call, self._client(call), messages, settings, form)

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        del is_structured
        wanted: RequestSettings = {
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "reasoning_effort": settings.reasoning_effort,
        }
        request = {name: value for name, value in wanted.items() if value is not None}
        return {**request, "extra_headers": dict(call.entry.table.headers)}

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return strict_if_native(schema, method)

    async def _close(self, client: "httpx.AsyncClient") -> None:
        await client.aclose()

    async def _ask(
        self,
        call: ModelCall,
        client: "httpx.AsyncClient",
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        told = await posted(call, client, "chat/completions", self._body(call, messages, settings, form), settings)
        return read_completion(told, call, str(client.base_url))

    def _body(
        self,
        call: ModelCall,
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": call.entry.model_id,
            "messages": [member for message in messages for member in message_members(message)],
            "stream": False,
            **{name: settings[name] for name in _MEMBERS if name in settings},
            **form_members(form),
        }
        if "max_tokens" in settings:
            body[self._backend.table.token_parameter or "max_tokens"] = settings["max_tokens"]
        return body

    def _client(self, call: ModelCall) -> "httpx.AsyncClient":
        root = self._root(call, self.default_endpoint, without=())
        return self._shared((root, call.seconds), lambda: self._connected(root, self._api_key, call))

    def _connected(self, endpoint: str, api_key: str, call: ModelCall) -> "httpx.AsyncClient":
        import httpx

        named = {"OpenAI-Organization": self._extra("organization"), "OpenAI-Project": self._extra("project")}
        is_plain = urlsplit(endpoint).scheme.lower() == "http"
        client = httpx.AsyncClient(
            base_url=f"{endpoint}/",
            headers={
                "accept": "application/json",
                "authorization": f"Bearer {api_key}",
                "content-type": "application/json",
                "user-agent": "pipelex",
                **{name: value for name, value in named.items() if value is not None},
            },
            # Reading the machine's certificates takes longer than most of a short run, and plain HTTP needs none.
            verify=False if is_plain else tls_of(self._backend),
            timeout=call.seconds,
            limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100),
        )
        return guarded(client, call.max_bytes)


async def posted(
    call: ModelCall, client: "httpx.AsyncClient", address: str, body: dict[str, Any], settings: RequestSettings
) -> Any:
    """Send a request, and return the JSON of its answer.

    Raises:
        HttpRefusal: the server refused the request.
        TimeoutError: the answer takes longer than the call may.
        ValueError: the answer is not JSON.
    """
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    # The client's own limit applies to each read: an answer that drips in would hold the call for ever.
    async with asyncio.timeout(call.seconds):
        response = await client.post(address, content=content, headers=settings.get("extra_headers", {}))
    if not response.is_success:
        raise HttpRefusal(response)
    return response.json()


class OpenRouter(ChatCompletions):
    """Chat completions of OpenRouter."""

    default_endpoint = "https://openrouter.ai/api/v1"


class XAI(ChatCompletions):
    """Chat completions of xAI."""

    takes = COMMON
    default_endpoint = "https://api.x.ai/v1"
