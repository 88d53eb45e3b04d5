"""Groq's chat completions, through its own client."""

from typing import TYPE_CHECKING, Any, cast

from pipelex.inference.calls.guard import guarded
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.chat.attachments.takes import GROQ
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.settings import CallSettings

if TYPE_CHECKING:
    from groq import AsyncGroq
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings, ThinkingLevel


class Groq(LibraryProvider["AsyncGroq"]):
    """Chat completions at Groq."""

    takes = GROQ

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        request = super().library_settings(call, settings, is_structured=is_structured)
        if settings.reasoning_effort is not None:
            effort = settings.reasoning_effort if settings.reasoning_effort != "none" else False
            request["thinking"] = cast("ThinkingLevel", effort)
        return request

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.groq import GroqModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.groq import GroqProvider

        provider = GroqProvider(groq_client=self._client(call))
        profile = ModelProfile(supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True)
        return GroqModel(call.entry.model_id, provider=provider, profile=profile)

    async def _close(self, client: "AsyncGroq") -> None:
        await client.close()

    def _client(self, call: ModelCall) -> "AsyncGroq":
        root = self._root(call, "https://api.groq.com", without=("/v1", "/openai"))
        return self._shared((root, call.seconds), lambda: self._connected(root, call))

    def _connected(self, root: str, call: ModelCall) -> "AsyncGroq":
        from groq import AsyncGroq, DefaultAsyncHttpxClient

        pool = DefaultAsyncHttpxClient(timeout=call.seconds, verify=tls_of(self._backend))
        return AsyncGroq(
            base_url=root,
            api_key=self._api_key,
            max_retries=0,
            timeout=call.seconds,
            http_client=guarded(pool, call.max_bytes),
        )
