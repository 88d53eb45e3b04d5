"""OpenAI's protocols: chat completions wherever they are spoken, responses, and both on Azure."""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pipelex.errors import ConfigurationError
from pipelex.inference.calls.idempotency import OPENAI_HEADER
from pipelex.inference.chat.provider import LibraryProvider
from pipelex.inference.deck.catalog import ModelEntry

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings


class OpenAICompatible(LibraryProvider["AsyncOpenAI"]):
    """Chat completions of OpenAI, or of any endpoint that speaks them."""

    default_endpoint: ClassVar[str] = "https://api.openai.com/v1"
    idempotency_header = OPENAI_HEADER

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.openai import OpenAIChatModelSettings

        base = super().request_settings(entry, settings, is_structured=is_structured)
        request = OpenAIChatModelSettings(**base)
        if settings.reasoning_effort is not None:
            request["openai_reasoning_effort"] = settings.reasoning_effort
        return request

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        return self._chat_model(entry, self._client(entry))

    async def _close(self, client: "AsyncOpenAI") -> None:
        await client.close()

    def _client(self, entry: ModelEntry) -> "AsyncOpenAI":
        root = self._root(entry, self.default_endpoint, without=())
        return self._shared(root, lambda: self._connected(root, self._api_key))

    def _connected(self, endpoint: str, api_key: str) -> "AsyncOpenAI":
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        return AsyncOpenAI(
            base_url=endpoint,
            api_key=api_key,
            organization=self._extra("organization"),
            project=self._extra("project"),
            max_retries=0,
            timeout=self._timeout,
            http_client=DefaultAsyncHttpxClient(timeout=self._timeout),
        )

    def _chat_model(self, entry: ModelEntry, client: "AsyncOpenAI") -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIChatModel

        profile = self._profile()
        if not self._is_openai(client):
            profile["openai_chat_supports_max_completion_tokens"] = False
        return OpenAIChatModel(entry.model_id, provider=self._provider(client), profile=profile)

    def _provider(self, client: "AsyncOpenAI") -> "Provider[AsyncOpenAI]":
        from pydantic_ai.providers.openai import OpenAIProvider
        from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

        if self._is_openai(client):
            return OpenAIProvider(openai_client=client)
        return OpenAICompatibleProvider(self._backend.id, openai_client=client)

    def _profile(self) -> "OpenAIModelProfile":
        """What the entry's file says is believed, not what the library guesses from the model's name."""
        from pydantic_ai.profiles.openai import OpenAIModelProfile

        return OpenAIModelProfile(
            supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True
        )

    def _is_openai(self, client: "AsyncOpenAI") -> bool:
        return (urlsplit(str(client.base_url)).hostname or "").endswith("openai.com")


class OpenRouter(OpenAICompatible):
    """Chat completions of OpenRouter."""

    default_endpoint = "https://openrouter.ai/api/v1"


class Ollama(OpenAICompatible):
    """Chat completions of an Ollama server."""

    default_endpoint = "http://localhost:11434/v1"


class XAI(OpenAICompatible):
    """Chat completions of xAI."""

    default_endpoint = "https://api.x.ai/v1"


class OpenAIResponses(OpenAICompatible):
    """Responses of OpenAI, or of an endpoint that speaks them."""

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        provider = OpenAIProvider(openai_client=self._client(entry))
        return OpenAIResponsesModel(entry.model_id, provider=provider, profile=self._profile())


class AzureOpenAI(OpenAICompatible):
    """Chat completions of an Azure OpenAI resource.

    An endpoint that ends in `/v1` is Azure's unversioned API; any other needs `api_version`.
    """

    def _client(self, entry: ModelEntry) -> "AsyncOpenAI":
        if self._backend.table.endpoint is None:
            raise ConfigurationError(
                f"the backend {self._backend.id!r} has no endpoint",
                advice=f"Set 'endpoint' of [{self._backend.id}] in backends.toml to the address of your resource.",
            )
        return super()._client(entry)

    def _connected(self, endpoint: str, api_key: str) -> "AsyncOpenAI":
        from openai import AsyncAzureOpenAI, DefaultAsyncHttpxClient

        if endpoint.endswith("/v1"):
            return super()._connected(endpoint, api_key)
        version = self._extra("api_version")
        if version is None:
            raise ConfigurationError(
                f"the backend {self._backend.id!r} has no API version",
                advice=f"Set 'api_version' of [{self._backend.id}] in backends.toml, or end its endpoint with /openai/v1.",
            )
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint,
            api_key=api_key,
            api_version=version,
            max_retries=0,
            timeout=self._timeout,
            http_client=DefaultAsyncHttpxClient(timeout=self._timeout),
        )

    def _provider(self, client: "AsyncOpenAI") -> "Provider[AsyncOpenAI]":
        from openai import AsyncAzureOpenAI
        from pydantic_ai.providers.azure import AzureProvider

        if isinstance(client, AsyncAzureOpenAI):
            return AzureProvider(openai_client=client)
        return super()._provider(client)

    def _is_openai(self, client: "AsyncOpenAI") -> bool:
        """Azure serves OpenAI's own models, with the same arguments, whatever the address."""
        return True


class AzureOpenAIResponses(AzureOpenAI):
    """Responses of an Azure OpenAI resource."""

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIResponsesModel

        client = self._client(entry)
        return OpenAIResponsesModel(entry.model_id, provider=self._provider(client), profile=self._profile())
