"""Mistral's chat completions, through its own client."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import MISTRAL
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method

if TYPE_CHECKING:
    from mistralai.client import Mistral as MistralClient
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


class Mistral(LibraryProvider["MistralClient"]):
    """Chat completions at Mistral, whose client sends no schemas except those of tools."""

    takes = MISTRAL
    replaced_methods: ClassVar[Mapping[Method, Method]] = {"native": "tool"}
    has_request_headers = False

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        request = super().library_settings(call, settings, is_structured=is_structured)
        request.pop("extra_headers", None)  # they go with the connection
        if settings.reasoning_effort is not None:
            request["thinking"] = settings.reasoning_effort if settings.reasoning_effort != "none" else False
        return request

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.mistral import MistralModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.mistral import MistralProvider

        provider = MistralProvider(mistral_client=self._client(call))
        profile = ModelProfile(supports_tools=True, supports_thinking=call.entry.table.thinking_mode != "none")
        return MistralModel(call.entry.model_id, provider=provider, profile=profile)

    async def _close(self, client: "MistralClient") -> None:
        unused = client.sdk_configuration.client  # the unused synchronous half
        if unused is not None:
            unused.close()

    def _client(self, call: ModelCall) -> "MistralClient":
        root = self._root(call, "https://api.mistral.ai", without=("/v1",))
        headers = tuple(sorted(call.entry.table.headers.items()))
        return self._shared((root, headers, call.seconds), lambda: self._connected(root, dict(headers), call))

    def _connected(self, root: str, headers: dict[str, str], call: ModelCall) -> "MistralClient":
        from mistralai.client import Mistral as MistralClient

        return MistralClient(
            api_key=self._api_key,
            server_url=root,
            async_client=self._pool(call, headers),
            timeout_ms=int(call.seconds * 1000),
        )
