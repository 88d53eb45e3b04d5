"""The clients models are called through, by the `sdk` of their entries."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.inference.calls.idempotency import request_headers
from pipelex.inference.chat.structured import Method
from pipelex.inference.deck.catalog import Backend, ModelEntry, is_secret_name
from pipelex.inference.deck.sdks import SDKS, how_to_install

if TYPE_CHECKING:
    from httpx2 import AsyncClient
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings

Client = TypeVar("Client")


class ChatProvider(Protocol):
    """A connected client of one backend, used by one event loop."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        ...

    @property
    def cuts_softly(self) -> bool:
        """Whether a text stopped by the provider's own limit is an answer, cut at its last sentence."""
        ...

    @property
    def effort_map(self) -> str:
        """The table of `inference.llm.effort_to_budget_maps` that says what an effort costs here; may be empty."""
        ...

    def method(self, wanted: Method) -> Method:
        """How an object is asked for, where the client has no way for the one wanted."""
        ...

    async def prepare(self, entry: ModelEntry) -> None:
        """Import and connect what calls of the model need, before their time is counted."""
        ...

    async def request(
        self,
        entry: ModelEntry,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        """One request to a model. What the client library raises is left to the caller."""
        ...

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        """The settings in the client's own terms."""
        ...

    def identified(self, settings: "ModelSettings", *parts: str) -> "ModelSettings":
        """The settings with the key of one request of the logical call, where the backend takes one."""
        ...

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema as this backend is sent it."""
        ...

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        """An answer to the schema that was sent, as an answer to the original, which it is then checked against."""
        ...

    async def aclose(self) -> None: ...


ProviderFactory = Callable[[Backend, float], ChatProvider]
"""Makes a client of a backend; the number is the time limit of one request, in seconds."""


class LibraryProvider(ABC, Generic[Client]):
    """What clients of every backend share: one connection pool, one request a call, one time limit.

    The library's own retries are off: one call is one request.

    Args:
        backend: how the backend is reached.
        timeout: the time limit of one request, in seconds.
    """

    effort_map: ClassVar[str] = ""
    idempotency_header: ClassVar[str | None] = None
    """The header the protocol has for the key of a logical call."""
    has_request_headers: ClassVar[bool] = True
    """Whether the client sends headers of one request's own."""
    replaced_methods: ClassVar[Mapping[Method, Method]] = {}
    """Ways to ask for an object that the client lacks, and what it does instead."""

    def __init__(self, backend: Backend, timeout: float) -> None:
        self._backend = backend
        self._timeout = timeout
        self._clients: dict[Any, Client] = {}
        self._pools: list[AsyncClient] = []
        self._preparing = asyncio.Lock()
        self._prepared: set[str] = set()

    @property
    def secrets(self) -> tuple[str, ...]:
        key, extra = self._backend.table.api_key, self._backend.extra
        hidden = [str(value) for name, value in extra.items() if is_secret_name(name) and isinstance(value, str)]
        headers = [
            value
            for model in self._backend.models
            for name, value in model.table.headers.items()
            if is_secret_name(name)
        ]
        return tuple(dict.fromkeys(text for text in [key or "", *hidden, *headers] if text))

    @property
    def cuts_softly(self) -> bool:
        return False

    def method(self, wanted: Method) -> Method:
        return self.replaced_methods.get(wanted, wanted)

    async def prepare(self, entry: ModelEntry) -> None:
        # Some client libraries take seconds to import, which other work of the event loop must not feel.
        async with self._preparing:
            if entry.handle not in self._prepared:
                await asyncio.to_thread(self._library_model, entry)
                self._prepared.add(entry.handle)

    async def request(
        self,
        entry: ModelEntry,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        model = self._library_model(entry)
        # The client's own limit is for each read: an answer that drips would hold the call for ever.
        async with asyncio.timeout(self._timeout):
            return await model.request(messages, settings, self._parameters(settings, parameters))

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.settings import ModelSettings

        request = ModelSettings(max_retries=0, timeout=self._timeout)
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            request["max_tokens"] = settings.max_tokens
        if entry.table.headers:
            request["extra_headers"] = dict(entry.table.headers)
        return request

    def identified(self, settings: "ModelSettings", *parts: str) -> "ModelSettings":
        headers = request_headers(self._backend, *parts, default=self.idempotency_header)
        if headers and self.has_request_headers:
            settings["extra_headers"] = {**settings.get("extra_headers", {}), **headers}
        return settings

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        return value

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        self._prepared.clear()
        for client in clients:
            await self._close(client)
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.aclose()

    @abstractmethod
    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        """The model over a connected client."""

    async def _close(self, client: Client) -> None:
        """Close what the client opened besides its pool."""

    def _parameters(self, settings: "ModelSettings", parameters: "ModelRequestParameters") -> "ModelRequestParameters":
        return parameters

    def _shared(self, key: Any, connect: Callable[[], Client]) -> Client:
        if key not in self._clients:
            self._clients[key] = connect()
        return self._clients[key]

    def _pool(self, headers: Mapping[str, str] | None = None) -> "AsyncClient":
        """Connections for a client that does not make its own, closed with this provider."""
        from pydantic_ai.models import create_async_httpx2_client

        pool = create_async_httpx2_client(timeout=self._timeout)
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

    def _root(self, entry: ModelEntry, default: str, *, without: tuple[str, ...]) -> str:
        """The endpoint for a client that adds the protocol's path itself; files may name it with the path."""
        endpoint = (self._backend.table.endpoint or default).rstrip("/")
        for path in without:
            endpoint = endpoint.removesuffix(path)
        path = entry.table.endpoint_path
        return f"{endpoint}/{path.strip('/')}" if path else endpoint


def without_forced_tool(parameters: "ModelRequestParameters") -> "ModelRequestParameters":
    """The same request leaving the model free to think before it calls the tool."""
    return replace(parameters, allow_text_output=True) if parameters.output_tools else parameters


_FACTORIES: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", "OpenAICompatible"),
    "openrouter": ("openai", "OpenRouter"),
    "ollama": ("openai", "Ollama"),
    "xai": ("openai", "XAI"),
    "openai_responses": ("openai", "OpenAIResponses"),
    "azure_openai": ("openai", "AzureOpenAI"),
    "azure_openai_responses": ("openai", "AzureOpenAIResponses"),
    "llama_cpp": ("llama_cpp", "LocalProvider"),
    "anthropic": ("anthropic", "Anthropic"),
    "bedrock_anthropic": ("anthropic", "AnthropicOnBedrock"),
    "google": ("google", "Google"),
    "mistral": ("mistral", "Mistral"),
    "groq": ("groq", "Groq"),
    "huggingface": ("huggingface", "HuggingFace"),
    "bedrock": ("bedrock", "Bedrock"),
    "bedrock_boto3": ("bedrock", "Bedrock"),
    "bedrock_aioboto3": ("bedrock", "Bedrock"),
}


def _late(module: str, name: str) -> ProviderFactory:
    """A factory whose module, and the client library with it, is imported when the first call is made."""

    def make(backend: Backend, timeout: float) -> ChatProvider:
        made: ChatProvider = getattr(import_module(f"pipelex.inference.chat.{module}"), name)(backend, timeout)
        return made

    return make


CHAT_PROVIDERS: Mapping[str, ProviderFactory] = {sdk: _late(*place) for sdk, place in _FACTORIES.items()}
"""Clients of language models by `sdk`."""


def import_client(sdk: str) -> None:
    """Import what the first call of an `sdk` needs; nothing happens for one that cannot be called here."""
    module, _ = _FACTORIES.get(sdk, ("", ""))
    if not module:
        return
    library = "openai" if module == "llama_cpp" else module
    with suppress(ImportError):  # `chat_provider` says what is not installed
        import_module(f"pipelex.inference.chat.{module}")
        import_module(f"pydantic_ai.models.{library}")


def chat_provider(backend: Backend, sdk: str, timeout: float) -> ChatProvider:
    """A client for a backend's models of one `sdk`.

    Raises:
        PipelexError: `runtime.unsupported`: nothing here speaks this `sdk`, or its client is not installed.
    """
    factory = CHAT_PROVIDERS.get(sdk)
    if factory is None:
        near = near_names(sdk, CHAT_PROVIDERS)
        detail = f"language models of the sdk {sdk!r} (backend {backend.id!r}) cannot be called by this release"
        raise _unsupported(
            backend,
            sdk,
            detail,
            f"Use sdk = {near[0] if near else 'openai'!r} with an OpenAI-compatible endpoint, "
            "or name a model of another backend.",
        )
    command = how_to_install(sdk)
    if command is not None:
        missing = " and ".join(SDKS[sdk].modules)
        raise _unsupported(
            backend,
            sdk,
            f"language models of the sdk {sdk!r} (backend {backend.id!r}) need {missing}, which is not installed",
            f"Install it with: {command}",
        )
    return factory(backend, timeout)


def _unsupported(backend: Backend, sdk: str, detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "runtime.unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"capability": f"sdk:{sdk}"},
        provider=backend.id,
        advice=advice,
    )
