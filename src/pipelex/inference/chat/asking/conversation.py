"""One language model and what is the same in every request of a job to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelex.errors import PipelexError
from pipelex.inference.calls.classify import classify_provider_error, refused_content, truncated_output
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.usage import call_usage
from pipelex.inference.chat.asking.messages import PromptFiles, first_request
from pipelex.inference.chat.asking.spans import answered, chat
from pipelex.inference.chat.provider import ChatProvider
from pipelex.inference.chat.settings import CallSettings
from pipelex.pipes.effects.requests import LLMPrompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
    from pydantic_ai.models import ModelRequestParameters


@dataclass(frozen=True)
class Conversation:
    """The requests of one job to one model."""

    call: ModelCall
    provider: ChatProvider
    settings: CallSettings
    files: PromptFiles

    async def opened(self, prompt: LLMPrompt, extra: str | None = None) -> "ModelRequest":
        """The first message; `extra` is added to the prompt."""
        return await first_request(prompt, self.files, image_detail=self.settings.image_detail, extra=extra)

    async def ask(
        self, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request, in a span of its own. What the answer used is in the call's ledger, whatever becomes of it.

        Raises:
            PipelexError: the model cannot be asked, refused or failed.
        """
        call = self.call
        with chat(call.entry, call.backend, self.settings, messages, is_structured=is_structured) as span:
            response = await self._request(messages, parameters, is_structured=is_structured)
            current_ledger().spend(call_usage(call.entry, response))
            if response.finish_reason == "content_filter":
                said = (response.provider_details or {}).get("refusal", "")
                raise refused_content(call.entry.backend, call.entry.handle, str(said))
            answered(span, call.entry, response)
            return response

    async def _request(
        self, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request. What the client library raises is replaced, not chained: its text may hold a key."""
        entry = self.call.entry
        try:
            await self.provider.prepare(self.call)
            settings = self.provider.request_settings(self.call, self.settings, is_structured=is_structured)
            settings = self.provider.identified(settings, entry.handle, *_answers(messages))
            return await self.provider.request(self.call, messages, settings, parameters)
        except Exception as error:
            failure = classify_provider_error(
                error,
                provider=entry.backend,
                model=entry.handle,
                secrets=self.provider.secrets,
                variables=self.call.backend.variables,
            )
        raise failure

    def cut(self, response: "ModelResponse") -> PipelexError:
        """The answer ended at the limit of its tokens."""
        entry, tokens = self.call.entry, response.usage.output_tokens
        return truncated_output(entry.backend, entry.handle, self.settings.max_tokens, tokens)


def _answers(messages: "list[ModelMessage]") -> list[str]:
    """What the model said so far: what makes a repeated question another than the first one."""
    return [
        f"{response.text or ''}{[call.args for call in response.tool_calls]}"
        for response in messages
        if response.kind == "response"
    ]
