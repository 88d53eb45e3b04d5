"""The clients models are called through, by the `sdk` of their entries."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.inference._catalog import Backend, ModelEntry

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference._settings import CallSettings


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

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema as this backend is sent it."""
        ...

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        """An answer to the schema that was sent, as an answer to the original, which it is then checked against."""
        ...

    async def aclose(self) -> None: ...


ProviderFactory = Callable[[Backend, float], ChatProvider]
"""Makes a client of a backend; the number is the time limit of one request, in seconds."""


def _openai(backend: Backend, timeout: float) -> ChatProvider:
    return OpenAICompatible(backend, timeout)


def _llama_cpp(backend: Backend, timeout: float) -> ChatProvider:
    from pipelex.inference._local import LocalProvider

    return LocalProvider(backend, timeout)


CHAT_PROVIDERS: Mapping[str, ProviderFactory] = {"openai": _openai, "llama_cpp": _llama_cpp}
"""Clients of language models by `sdk`. Each is imported when its first call is made."""


def chat_provider(backend: Backend, sdk: str, timeout: float) -> ChatProvider:
    """A client for a backend's models of one `sdk`.

    Raises:
        PipelexError: `runtime.unsupported`: nothing here speaks this `sdk`.
    """
    factory = CHAT_PROVIDERS.get(sdk)
    if factory is None:
        near = near_names(sdk, CHAT_PROVIDERS)
        raise PipelexError(
            "runtime.unsupported",
            f"language models of the sdk {sdk!r} (backend {backend.id!r}) cannot be called by this release",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": f"sdk:{sdk}"},
            provider=backend.id,
            advice=(
                f"Use sdk = {near[0] if near else 'openai'!r} with an OpenAI-compatible endpoint, "
                "or name a model of another backend."
            ),
        )
    return factory(backend, timeout)


class OpenAICompatible:
    """Chat completions of OpenAI, or of any endpoint that speaks them.

    The library's own retries are off: one call is one request.
    """

    def __init__(self, backend: Backend, timeout: float) -> None:
        self._backend = backend
        self._timeout = timeout
        self._clients: dict[str, AsyncOpenAI] = {}

    @property
    def secrets(self) -> tuple[str, ...]:
        key = self._backend.table.api_key
        return (key,) if key else ()

    @property
    def cuts_softly(self) -> bool:
        return False

    async def request(
        self,
        entry: ModelEntry,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        return await self._chat_model(entry, self._client(entry)).request(messages, settings, parameters)

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.openai import OpenAIChatModelSettings

        request = OpenAIChatModelSettings(max_retries=0, timeout=self._timeout)
        if settings.temperature is not None:
            request["temperature"] = settings.temperature
        if settings.max_tokens is not None:
            request["max_tokens"] = settings.max_tokens
        if settings.reasoning_effort is not None:
            request["openai_reasoning_effort"] = settings.reasoning_effort
        if entry.table.headers:
            request["extra_headers"] = dict(entry.table.headers)
        return request

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        return value

    async def aclose(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    def _client(self, entry: ModelEntry) -> "AsyncOpenAI":
        path = entry.table.endpoint_path or ""
        known = self._clients.get(path)
        if known is None:
            endpoint = self._backend.table.endpoint or _OPENAI
            known = self._connected(
                f"{endpoint.rstrip('/')}/{path.strip('/')}" if path else endpoint,
                # An endpoint without a key gets a word that no secret is: the client insists on one.
                self._backend.table.api_key or "none",
            )
            self._clients[path] = known
        return known

    def _connected(self, endpoint: str, api_key: str) -> "AsyncOpenAI":
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        return AsyncOpenAI(
            base_url=endpoint,
            api_key=api_key,
            organization=self._backend.extra.get("organization"),
            project=self._backend.extra.get("project"),
            max_retries=0,
            timeout=self._timeout,
            http_client=DefaultAsyncHttpxClient(timeout=self._timeout),
        )

    def _chat_model(self, entry: ModelEntry, client: "AsyncOpenAI") -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider
        from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

        profile = self._profile()
        if self._is_openai(client):
            return OpenAIChatModel(entry.model_id, provider=OpenAIProvider(openai_client=client), profile=profile)
        provider = OpenAICompatibleProvider(self._backend.id, openai_client=client)
        profile["openai_chat_supports_max_completion_tokens"] = False
        return OpenAIChatModel(entry.model_id, provider=provider, profile=profile)

    def _profile(self) -> "OpenAIModelProfile":
        """What the entry's file says is believed, not what the library guesses from the model's name."""
        from pydantic_ai.profiles.openai import OpenAIModelProfile

        return OpenAIModelProfile(
            supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True
        )

    @staticmethod
    def _is_openai(client: "AsyncOpenAI") -> bool:
        return (urlsplit(str(client.base_url)).hostname or "").endswith("openai.com")


_OPENAI = "https://api.openai.com/v1"
