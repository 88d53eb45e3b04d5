"""What the clients of language models that stand on pydantic-ai share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.logical import request_headers
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema
from pipelex.inference.deck.catalog import Backend

if TYPE_CHECKING:
    from httpx2 import AsyncClient
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

Client = TypeVar("Client")


class LibraryProvider(ABC, Generic[Client]):
    """What clients of every backend share: one connection pool, one request a call, one time limit.

    The library's own retries are off: one call is one request.

    Args:
        backend: how the backend is reached.
    """

    effort_map: ClassVar[str] = ""
    idempotency_header: ClassVar[str | None] = None
    """The header the protocol has for the key of a logical call."""
    has_request_headers: ClassVar[bool] = True
    """Whether the client sends headers of one request's own."""
    replaced_methods: ClassVar[Mapping[Method, Method]] = {}
    """Ways to ask for an object that the client lacks, and what it does instead."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._clients: dict[Any, Client] = {}
        self._pools: list[AsyncClient] = []
        self._preparing = asyncio.Lock()
        self._prepared: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._backend.secrets

    @property
    def cuts_softly(self) -> bool:
        return False

    def method(self, wanted: Method) -> Method:
        return self.replaced_methods.get(wanted, wanted)

    async def prepare(self, call: ModelCall) -> None:
        # Some client libraries take seconds to import, which other work of the event loop must not feel.
        async with self._preparing:
            if call.entry.handle not in self._prepared:
                await asyncio.to_thread(self.library_model, call)
                self._prepared.add(call.entry.handle)

    async def request(
        self,
        call: ModelCall,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        model = self.library_model(call)
        # The client's own limit is for each read: an answer that drips would hold the call for ever.
        async with asyncio.timeout(call.seconds):
            return await model.request(messages, settings, self._parameters(settings, parameters))

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.settings import ModelSettings

        request = ModelSettings(max_retries=0, timeout=call.seconds)
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            request["max_tokens"] = settings.max_tokens
        if call.entry.table.headers:
            request["extra_headers"] = dict(call.entry.table.headers)
        return request

    def identified(self, settings: "ModelSettings", *parts: str) -> "ModelSettings":
        headers = request_headers(self._backend, *parts, default=self.idempotency_header)
        if headers and self.has_request_headers:
            settings["extra_headers"] = {**settings.get("extra_headers", {}), **headers}
        return settings

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return SentSchema(schema)

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        self._prepared.clear()
        for client in clients:
            await self._close(client)
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.aclose()

    @abstractmethod
    def library_model(self, call: ModelCall) -> "Model[Any]":
        """The model over a connected client."""

    async def _close(self, client: Client) -> None:
        """Close what the client opened besides its pool."""

    def _parameters(self, settings: "ModelSettings", parameters: "ModelRequestParameters") -> "ModelRequestParameters":
        return parameters

    def _shared(self, key: Any, connect: Callable[[], Client]) -> Client:
        """The client kept under a key; what makes one client another than the next belongs into it."""
        if key not in self._clients:
            self._clients[key] = connect()
        return self._clients[key]

    def _pool(self, call: ModelCall, headers: Mapping[str, str] | None = None) -> "AsyncClient":
        """Connections for a client that does not make its own, closed with this provider."""
        from httpx2 import AsyncClient
        from pydantic_ai.models import create_async_httpx2_client

        tls = tls_of(self._backend)
        seconds = call.seconds
        pool = create_async_httpx2_client(timeout=seconds) if tls is True else AsyncClient(timeout=seconds, verify=tls)
        guarded(pool, call.max_bytes)
        pool.headers.update(headers or {})
        self._pools.append(pool)
        return pool

    @property
    def _api_key(self) -> str:
        """An endpoint without a key gets a word that no secret is: the clients insist on one."""
        return self._backend.table.api_key or "none"

    def _extra(self, key: str) -> str | None:
        """A text among the backend's own keys; None when it is missing or empty."""
        value = self._backend.extra.get(key)
        return str(value) if value not in (None, "") else None

    def _root(self, call: ModelCall, default: str, *, without: tuple[str, ...]) -> str:
        """The endpoint for a client that adds the protocol's path itself; files may name it with the path."""
        endpoint = (self._backend.table.endpoint or default).rstrip("/")
        for path in without:
            endpoint = endpoint.removesuffix(path)
        path = call.entry.table.endpoint_path
        return f"{endpoint}/{path.strip('/')}" if path else endpoint


def without_forced_tool(parameters: "ModelRequestParameters") -> "ModelRequestParameters":
    """The same request leaving the model free to think before it calls the tool."""
    return replace(parameters, allow_text_output=True) if parameters.output_tools else parameters
