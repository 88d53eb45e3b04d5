"""One language model and what is the same in every request of a job to it."""

from dataclasses import dataclass

from pipelex.errors import PipelexError
from pipelex.inference.calls.classify import classify_provider_error, refused_content, truncated_output
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.asking.characters import whole_characters
from pipelex.inference.chat.asking.messages import PromptFiles, first_request
from pipelex.inference.chat.asking.spans import answered, chat
from pipelex.inference.chat.asking.usage import call_usage
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
        """One request, in a span of its own. What the answer used is in the call's ledger, whatever becomes of it.

        Raises:
            PipelexError: the model cannot be asked, refused or failed.
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
        """One request. What the client library raises is replaced, not chained: its text may hold a key."""
        entry = self.call.entry
        try:
            await self.provider.prepare(self.call)
            settings = self.provider.request_settings(self.call, self.settings, is_structured=is_structured)
            settings = self.provider.identified(settings, entry.handle, *_answers(messages))
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
        """The answer ended at the limit of its tokens."""
        entry, tokens = self.call.entry, response.usage.output_tokens
        return truncated_output(entry.backend, entry.handle, self.settings.max_tokens, tokens)


def _answers(messages: list[Message]) -> list[str]:
    """The answers of the model so far; they make a repeated question different from the first one."""
    return [
        f"{message.text or ''}{[use.arguments for use in message.tool_uses]}"
        for message in messages
        if isinstance(message, Answer)
    ]
