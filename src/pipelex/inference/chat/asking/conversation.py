"""A language model, and everything that all requests of a job to it share."""

from dataclasses import dataclass

from pipelex.errors import PipelexError
from pipelex.inference.calls.classify import classify_provider_error, refused_content, truncated_output
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.asking.characters import whole_characters
from pipelex.inference.chat.asking.messages import PromptFiles, first_request
from pipelex.inference.chat.asking.spans import answered, chat
from pipelex.inference.chat.asking.usage import call_usage, paying_for_unread
from pipelex.inference.chat.attachments.takes import COMMON
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, Question
from pipelex.inference.chat.provider import ChatProvider
from pipelex.inference.chat.settings import CallSettings
from pipelex.pipes.effects.requests import LLMPrompt


@dataclass(frozen=True)
class Conversation:
    """The requests of one job to one model."""

    call: ModelCall
    provider: ChatProvider
    settings: CallSettings
    files: PromptFiles

    async def opened(self, prompt: LLMPrompt, extra: str | None = None) -> Question:
        """The first message; `extra` is added to the prompt."""
        takes, detail = getattr(self.provider, "takes", COMMON), self.settings.image_detail
        return await first_request(prompt, self.files, takes=takes, image_detail=detail, extra=extra)

    async def ask(self, messages: list[Message], form: AnswerForm, *, is_structured: bool) -> Answer:
        """Send one request, in a span of its own. The call's ledger counts its usage, even if the answer is not used.

        Raises: PipelexError: the model cannot be asked, refused or failed.
        """
        call = self.call
        with chat(call.entry, call.backend, self.settings, messages, is_structured=is_structured) as span:
            response = await self._request(messages, form, is_structured=is_structured)
            current_ledger().spend(call_usage(call.entry, response))
            if response.finish_reason == "content_filter":
                raise refused_content(call.entry.backend, call.entry.handle, response.refusal)
            answered(span, call.entry, response)
            return response

    async def _request(self, messages: list[Message], form: AnswerForm, *, is_structured: bool) -> Answer:
        """Send one request. A library's exception is replaced, not chained, because its text may hold a key."""
        entry = self.call.entry
        try:
            await self.provider.prepare(self.call)
            settings = self.provider.request_settings(self.call, self.settings, is_structured=is_structured)
            settings = self.provider.identified(settings, entry.handle, *_answers(messages))
            with paying_for_unread(entry):
                return whole_characters(await self.provider.request(self.call, messages, settings, form))
        except Exception as error:
            failure = classify_provider_error(
                error,
                provider=entry.backend,
                model=entry.handle,
                secrets=self.provider.secrets,
                variables=self.call.backend.variables,
            )
        raise failure

    def cut(self, response: Answer) -> PipelexError:
        """The error for an answer that ended at its limit of tokens."""
        entry, tokens = self.call.entry, response.usage.output_tokens
        return truncated_output(entry.backend, entry.handle, self.settings.max_tokens, tokens)


def _answers(messages: list[Message]) -> list[str]:
    """The model's answers so far, which make a repeated question different from the first one."""
    return [
        f"{message.text or ''}{[use.arguments for use in message.tool_uses]}"
        for message in messages
        if isinstance(message, Answer)
    ]
