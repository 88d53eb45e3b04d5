"""OpenAI's Responses API, both of its protocols on Azure, and its connection for images, through its own client."""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pipelex.errors import ConfigurationError
from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.logical import OPENAI_HEADER
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.attachments.takes import OPENAI
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.provider import SentSchema, strict_if_native
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from pydantic_ai.models import Model
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings


class OpenAIClient(LibraryProvider["AsyncOpenAI"]):
    """A client that is built on OpenAI's own."""

    takes = OPENAI
    default_endpoint: ClassVar[str] = "https://api.openai.com/v1"
    idempotency_header = OPENAI_HEADER

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.openai import OpenAIChatModelSettings

        base = super().library_settings(call, settings, is_structured=is_structured)
        request = OpenAIChatModelSettings(**base)
        if settings.reasoning_effort is not None:
            request["openai_reasoning_effort"] = settings.reasoning_effort
        return request

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return strict_if_native(schema, method)

    def library_model(self, call: ModelCall) -> "Model[Any]":
        return self._chat_model(call, self._client(call))

    def library_provider(self, call: ModelCall) -> "Provider[AsyncOpenAI]":
        """The library's connection to the backend, also used by clients of other families."""
        return self._provider(self._client(call))

    async def _close(self, client: "AsyncOpenAI") -> None:
        await client.close()

    def _client(self, call: ModelCall) -> "AsyncOpenAI":
        root = self._root(call, self.default_endpoint, without=())
        return self._shared((root, call.seconds), lambda: self._connected(root, self._api_key, call))

    def _connected(self, endpoint: str, api_key: str, call: ModelCall) -> "AsyncOpenAI":
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        pool = DefaultAsyncHttpxClient(timeout=call.seconds, verify=tls_of(self._backend))
        return AsyncOpenAI(
            base_url=endpoint,
            api_key=api_key,
            organization=self._extra("organization"),
            project=self._extra("project"),
            max_retries=0,
            timeout=call.seconds,
            http_client=guarded(pool, call.max_bytes),
        )

    def _chat_model(self, call: ModelCall, client: "AsyncOpenAI") -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIChatModel

        profile = self._profile()
        is_newer = self._backend.table.token_parameter == "max_completion_tokens"
        profile["openai_chat_supports_max_completion_tokens"] = is_newer
        return OpenAIChatModel(call.entry.model_id, provider=self._provider(client), profile=profile)

    def _provider(self, client: "AsyncOpenAI") -> "Provider[AsyncOpenAI]":
        from pydantic_ai.providers.openai import OpenAIProvider
        from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

        if self._is_openai(client):
            return OpenAIProvider(openai_client=client)
        return OpenAICompatibleProvider(self._backend.id, openai_client=client)

    def _profile(self) -> "OpenAIModelProfile":
        """The capabilities of the model, instead of those that the library guesses from the model's name."""
        from pydantic_ai.profiles.openai import OpenAIModelProfile

        return OpenAIModelProfile(
            supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True
        )

    def _is_openai(self, client: "AsyncOpenAI") -> bool:
        return (urlsplit(str(client.base_url)).hostname or "").endswith("openai.com")


class OpenAIResponses(OpenAIClient):
    """The Responses API of OpenAI, or of an endpoint that speaks it."""

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        provider = OpenAIProvider(openai_client=self._client(call))
        return OpenAIResponsesModel(call.entry.model_id, provider=provider, profile=self._profile())


class AzureOpenAI(OpenAIClient):
    """Chat completions of an Azure OpenAI resource.

    An endpoint that ends in `/v1` is Azure's unversioned API; any other needs `api_version`.
    """

    def _client(self, call: ModelCall) -> "AsyncOpenAI":
        if self._backend.table.endpoint is None:
            raise ConfigurationError(
                f"the backend {self._backend.id!r} has no endpoint",
                advice=f"Set 'endpoint' of [{self._backend.id}] in backends.toml to the address of your resource.",
            )
        return super()._client(call)

    def _connected(self, endpoint: str, api_key: str, call: ModelCall) -> "AsyncOpenAI":
        from openai import AsyncAzureOpenAI, DefaultAsyncHttpxClient

        if endpoint.endswith("/v1"):
            return super()._connected(endpoint, api_key, call)
        version = self._extra("api_version")
        if version is None:
            raise ConfigurationError(
                f"the backend {self._backend.id!r} has no API version",
                advice=f"Set 'api_version' of [{self._backend.id}] in backends.toml, or end its endpoint with /openai/v1.",
            )
        pool = DefaultAsyncHttpxClient(timeout=call.seconds, verify=tls_of(self._backend))
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint,
            api_key=api_key,
            api_version=version,
            max_retries=0,
            timeout=call.seconds,
            http_client=guarded(pool, call.max_bytes),
        )

    def _provider(self, client: "AsyncOpenAI") -> "Provider[AsyncOpenAI]":
        from openai import AsyncAzureOpenAI
        from pydantic_ai.providers.azure import AzureProvider

        if isinstance(client, AsyncAzureOpenAI):
            return AzureProvider(openai_client=client)
        return super()._provider(client)

    def _is_openai(self, client: "AsyncOpenAI") -> bool:
        """True: Azure serves OpenAI's own models, with the same arguments, at any address."""
        return True


class AzureOpenAIResponses(AzureOpenAI):
    """The Responses API of an Azure OpenAI resource."""

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.openai import OpenAIResponsesModel

        client = self._client(call)
        return OpenAIResponsesModel(call.entry.model_id, provider=self._provider(client), profile=self._profile())
