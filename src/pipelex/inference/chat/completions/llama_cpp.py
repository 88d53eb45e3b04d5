"""The local model: llama.cpp in a child process, shared by all callers in this process."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import COMMON
from pipelex.inference.chat.completions.client import ChatCompletions
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema
from pipelex.inference.chat.structured.bounds import bounded
from pipelex.inference.deck.catalog import Backend
from pipelex.inference.local.server import Endpoint, LocalModel, LocalServer, require_engine, shared_server
from pipelex.inference.local.weights import default_cache, ensure_weights, has_weights

if TYPE_CHECKING:
    import httpx

_SEED = 0
# A model this small gains nothing from more. One core stays free: the threads wait for each other spinning, so where
# they compete for cores with the program, all of them make a tenth of the speed of one.
_MOST_THREADS = 4


class LocalProvider(ChatCompletions):
    """The client of the local model. Without `max_tokens`, an answer has a limit of its own, to stay quick."""

    takes = COMMON
    text_tokens = 256
    object_tokens = 2048

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._known: Endpoint | None = None
        self._server: LocalServer | None = None
        self._starting = asyncio.Lock()
        self._parallel = _whole(backend, "parallel", 2)
        self._slots = asyncio.Semaphore(self._parallel)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._known.api_key,) if self._known is not None else ()

    @property
    def cuts_softly(self) -> bool:
        return True

    async def prepare(self, call: ModelCall) -> None:
        """Do nothing: the first request starts the server, and its time is not limited here."""

    async def request(
        self, call: ModelCall, messages: list[Message], settings: RequestSettings, form: AnswerForm
    ) -> Answer:
        async with self._slots:
            endpoint = await self._ready(call)
            return await self._ask(call, self._client_of(endpoint, call), messages, settings, form)

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        request = super().request_settings(call, settings, is_structured=is_structured)
        request["seed"] = _SEED
        if "max_tokens" not in request:
            request["max_tokens"] = self.object_tokens if is_structured else self.text_tokens
        return request

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return SentSchema(bounded(schema))

    async def _ready(self, call: ModelCall) -> Endpoint:
        async with self._starting:
            if self._server is None:
                self._server = shared_server(await asyncio.to_thread(self._model, call))
            return await asyncio.to_thread(self._server.ensure)

    def _model(self, call: ModelCall) -> LocalModel:
        require_engine(call.entry.handle)
        path = _given_path(self._backend) or ensure_weights(_cache(self._backend))
        threads = max(1, min((os.cpu_count() or 1) - 1, _MOST_THREADS))
        return LocalModel(path, call.entry.model_id, _whole(self._backend, "context", 8192), self._parallel, threads)

    def _client_of(self, endpoint: Endpoint, call: ModelCall) -> "httpx.AsyncClient":
        known = self._clients.get(endpoint.url) if endpoint == self._known else None
        if known is None:
            known = self._connected(endpoint.url, endpoint.api_key, call)
            self._clients[endpoint.url] = known
            self._known = endpoint
        return known


def fetch_weights(backend: Backend, announce: Callable[[], None]) -> None:
    """Fetch the model's file before it is needed, unless the backend names a file of its own.

    Args:
        backend: the backend of the local model.
        announce: called before a file is fetched.

    Raises:
        PipelexError: the engine is not installed, or the file cannot be fetched.
    """
    if _given_path(backend) is not None:
        return
    require_engine("smollm2-135m")
    if not has_weights(_cache(backend)):
        announce()
        ensure_weights(_cache(backend))


def _given_path(backend: Backend) -> Path | None:
    chosen = str(backend.extra.get("model_path") or "")
    return Path(chosen) if chosen else None


def _cache(backend: Backend) -> Path:
    chosen = str(backend.extra.get("cache_dir") or "")
    return Path(chosen) if chosen else default_cache()


def _whole(backend: Backend, key: str, default: int) -> int:
    value = backend.extra.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PipelexError(
            "runtime.misconfigured",
            f"'{backend.id}.{key}' in backends.toml must be a whole number of at least 1, not {value!r}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "configuration"},
        )
    return value
