"""Hugging Face's inference providers, through its own client."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelex.inference.chat.provider import LibraryProvider
from pipelex.inference.chat.structured import Method
from pipelex.inference.deck.catalog import ModelEntry

if TYPE_CHECKING:
    from huggingface_hub import AsyncInferenceClient
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings


class HuggingFace(LibraryProvider["AsyncInferenceClient"]):
    """Chat completions of Hugging Face's router, of the provider a backend names, or of an endpoint of one's own."""

    replaced_methods: ClassVar[Mapping[Method, Method]] = {"native": "tool"}
    has_request_headers = False

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        request = super().request_settings(entry, settings, is_structured=is_structured)
        for key in ("extra_headers", "max_retries", "timeout"):  # all three belong to the connection here
            request.pop(key, None)
        return request

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        from pydantic_ai.models.huggingface import HuggingFaceModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.huggingface import HuggingFaceProvider

        provider = HuggingFaceProvider(hf_client=self._client(entry), api_key=self._api_key)
        return HuggingFaceModel(entry.model_id, provider=provider, profile=ModelProfile(supports_tools=True))

    async def _close(self, client: "AsyncInferenceClient") -> None:
        await client.close()

    def _client(self, entry: ModelEntry) -> "AsyncInferenceClient":
        root = self._root(entry, "", without=()) or None
        headers = tuple(sorted(entry.table.headers.items()))
        return self._shared((root, headers), lambda: self._connected(root, dict(headers)))

    def _connected(self, root: str | None, headers: dict[str, str]) -> "AsyncInferenceClient":
        from huggingface_hub import AsyncInferenceClient

        chosen: Any = self._extra("provider") if root is None else None
        return AsyncInferenceClient(
            base_url=root, provider=chosen, api_key=self._api_key, timeout=self._timeout, headers=headers
        )
