"""Mistral's chat completions, through its own client."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelex.inference.chat.provider import LibraryProvider
from pipelex.inference.chat.structured import Method
from pipelex.inference.deck.catalog import ModelEntry

if TYPE_CHECKING:
    from mistralai.client import Mistral as MistralClient
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings


class Mistral(LibraryProvider["MistralClient"]):
    """Chat completions at Mistral. Its client sends no schema but a tool's."""

    replaced_methods: ClassVar[Mapping[Method, Method]] = {"native": "tool"}
    has_request_headers = False

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        request = super().request_settings(entry, settings, is_structured=is_structured)
        request.pop("extra_headers", None)  # they go with the connection
        if settings.reasoning_effort is not None:
            request["thinking"] = settings.reasoning_effort if settings.reasoning_effort != "none" else False
        return request

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        from pydantic_ai.models.mistral import MistralModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.mistral import MistralProvider

        provider = MistralProvider(mistral_client=self._client(entry))
        profile = ModelProfile(supports_tools=True, supports_thinking=entry.table.thinking_mode != "none")
        return MistralModel(entry.model_id, provider=provider, profile=profile)

    async def _close(self, client: "MistralClient") -> None:
        unused = client.sdk_configuration.client  # the synchronous half
        if unused is not None:
            unused.close()

    def _client(self, entry: ModelEntry) -> "MistralClient":
        root = self._root(entry, "https://api.mistral.ai", without=("/v1",))
        headers = tuple(sorted(entry.table.headers.items()))
        return self._shared((root, headers), lambda: self._connected(root, dict(headers)))

    def _connected(self, root: str, headers: dict[str, str]) -> "MistralClient":
        from mistralai.client import Mistral as MistralClient

        return MistralClient(
            api_key=self._api_key,
            server_url=root,
            async_client=self._pool(headers),
            timeout_ms=int(self._timeout * 1000),
        )
