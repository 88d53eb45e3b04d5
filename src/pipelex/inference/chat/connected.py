"""The base of all clients: open connections, the key, headers, and a schema that is sent unchanged."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from pipelex.inference.calls.logical import request_headers
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import COMMON, Takes
from pipelex.inference.chat.messages import RequestSettings
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.structured import Method, Schema
from pipelex.inference.deck.catalog import Backend

Client = TypeVar("Client")


class ConnectedProvider(ABC, Generic[Client]):
    """A client of one backend, which keeps its connections open between calls.

    Args:
        backend: the backend.
    """

    effort_map: ClassVar[str] = ""
    takes: ClassVar[Takes] = COMMON
    """The files that its prompts may hold. A client without the attribute gets PNG, JPEG and PDF."""
    idempotency_header: ClassVar[str | None] = None
    """The protocol's header for the key of a logical call; None if it has none."""
    has_request_headers: ClassVar[bool] = True
    """Whether the client can send headers with a single request."""
    replaced_methods: ClassVar[Mapping[Method, Method]] = {}
    """The methods of asking for an object that the client lacks, and the ones that it uses instead."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._clients: dict[Any, Client] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._backend.secrets

    @property
    def cuts_softly(self) -> bool:
        return False

    def method(self, wanted: Method) -> Method:
        return self.replaced_methods.get(wanted, wanted)

    def identified(self, settings: RequestSettings, *parts: str) -> RequestSettings:
        headers = request_headers(self._backend, *parts, default=self.idempotency_header)
        if headers and self.has_request_headers:
            settings["extra_headers"] = {**settings.get("extra_headers", {}), **headers}
        return settings

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return SentSchema(schema)

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await self._close(client)

    @abstractmethod
    async def _close(self, client: Client) -> None:
        """Close a client."""

    def _shared(self, key: Any, connect: Callable[[], Client]) -> Client:
        """The client under a key, connected when first needed; the key holds everything that distinguishes clients."""
        if key not in self._clients:
            self._clients[key] = connect()
        return self._clients[key]

    @property
    def _api_key(self) -> str:
        """The API key, or a placeholder for an endpoint without one, because the clients insist on a key."""
        return self._backend.table.api_key or "none"

    def _extra(self, key: str) -> str | None:
        """A text among the backend's own keys; None when it is missing or empty."""
        value = self._backend.extra.get(key)
        return str(value) if value not in (None, "") else None

    def _root(self, call: ModelCall, default: str, *, without: tuple[str, ...]) -> str:
        """The endpoint, for a client that adds the protocol's path itself, although the file may already contain it."""
        endpoint = (self._backend.table.endpoint or default).rstrip("/")
        for path in without:
            endpoint = endpoint.removesuffix(path)
        path = call.entry.table.endpoint_path
        return f"{endpoint}/{path.strip('/')}" if path else endpoint
