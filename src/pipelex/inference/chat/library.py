"""The base of clients of language models that are built on pydantic-ai."""

import asyncio
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.connected import ConnectedProvider
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.deck.catalog import Backend

if TYPE_CHECKING:
    from httpx2 import AsyncClient
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

Client = TypeVar("Client")


class LibraryProvider(ConnectedProvider[Client]):
    """A client built on pydantic-ai, with one connection pool, one request for each call, and one time limit.

    The library's own retries are off.

    Args:
        backend: the backend.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._pools: list[AsyncClient] = []
        self._preparing = asyncio.Lock()
        self._prepared: set[str] = set()

    async def prepare(self, call: ModelCall) -> None:
        # Some client libraries take seconds to import, which would block the event loop.
        async with self._preparing:
            if call.entry.handle not in self._prepared:
                await asyncio.to_thread(self.library_model, call)
                self._prepared.add(call.entry.handle)

    async def request(
        self, call: ModelCall, messages: list[Message], settings: RequestSettings, form: AnswerForm
    ) -> Answer:
        from pipelex.inference.chat.translated import from_library, to_library, to_parameters

        silence()
        model, wanted = self.library_model(call), cast("ModelSettings", settings)
        parameters = self._parameters(wanted, to_parameters(form))
        # The client's own limit applies to each read: an answer that drips in would hold the call for ever.
        async with asyncio.timeout(call.seconds):
            return from_library(await model.request(to_library(messages), wanted, parameters))

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        return cast("RequestSettings", self.library_settings(call, settings, is_structured=is_structured))

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        """The settings in the library's terms."""
        from pydantic_ai.settings import ModelSettings

        request = ModelSettings(max_retries=0, timeout=call.seconds)
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            request["max_tokens"] = settings.max_tokens
        if call.entry.table.headers:
            request["extra_headers"] = dict(call.entry.table.headers)
        return request

    async def aclose(self) -> None:
        self._prepared.clear()
        await super().aclose()
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

    def _pool(self, call: ModelCall, headers: Mapping[str, str] | None = None) -> "AsyncClient":
        """A connection pool for a client that does not make its own; it is closed with this provider."""
        from httpx2 import AsyncClient
        from pydantic_ai.models import create_async_httpx2_client

        tls = tls_of(self._backend)
        seconds = call.seconds
        pool = create_async_httpx2_client(timeout=seconds) if tls is True else AsyncClient(timeout=seconds, verify=tls)
        guarded(pool, call.max_bytes)
        pool.headers.update(headers or {})
        self._pools.append(pool)
        return pool


def silence() -> None:
    """Silence warnings about the shape of an answer, which are meant for programmers and not for users."""
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    warnings.filterwarnings("ignore", message="Failed to extract usage")
    warnings.filterwarnings("ignore", message=".* is not a valid ")


def without_forced_tool(parameters: "ModelRequestParameters") -> "ModelRequestParameters":
    """The same request, but the model may think before it calls the tool."""
    return replace(parameters, allow_text_output=True) if parameters.output_tools else parameters
