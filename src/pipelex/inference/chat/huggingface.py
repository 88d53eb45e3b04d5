"""Hugging Face's inference providers, through its own client."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method
from pipelex.inference.deck.catalog import Backend

if TYPE_CHECKING:
    from httpx import AsyncClient
    from huggingface_hub import AsyncInferenceClient
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings


class HuggingFace(LibraryProvider["AsyncInferenceClient"]):
    """Chat completions of Hugging Face's router, of a provider that the backend names, or of your own endpoint."""

    replaced_methods: ClassVar[Mapping[Method, Method]] = {"native": "tool"}
    has_request_headers = False

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        request = super().library_settings(call, settings, is_structured=is_structured)
        for key in ("extra_headers", "max_retries", "timeout"):  # all three belong to the connection here
            request.pop(key, None)
        return request

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.huggingface import HuggingFaceModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.huggingface import HuggingFaceProvider

        provider = HuggingFaceProvider(hf_client=self._client(call), api_key=self._api_key)
        return HuggingFaceModel(call.entry.model_id, provider=provider, profile=ModelProfile(supports_tools=True))

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._own: list[AsyncClient] = []

    async def _close(self, client: "AsyncInferenceClient") -> None:
        await client.close()
        pools, self._own = self._own, []
        for pool in pools:
            await pool.aclose()

    def _client(self, call: ModelCall) -> "AsyncInferenceClient":
        root = self._root(call, "", without=()) or None
        headers = tuple(sorted(call.entry.table.headers.items()))
        return self._shared((root, headers, call.seconds), lambda: self._connected(root, dict(headers), call))

    def _connected(self, root: str | None, headers: dict[str, str], call: ModelCall) -> "AsyncInferenceClient":
        from httpx import AsyncClient
        from huggingface_hub import AsyncInferenceClient, get_async_session

        chosen: Any = self._extra("provider") if root is None else None
        client = AsyncInferenceClient(
            base_url=root, provider=chosen, api_key=self._api_key, timeout=call.seconds, headers=headers
        )
        # It takes no connections, and would make its own for its first request.
        tls = tls_of(self._backend)
        session = get_async_session() if tls is True else AsyncClient(verify=tls, timeout=None)
        pool = guarded(session, call.max_bytes)
        setattr(client, "_async_client", pool)  # noqa: B010 the attribute is the library's own
        self._own.append(pool)
        return client
