"""Asking a language model for a text."""

from pipelex.inference.calls.classify import invalid_response
from pipelex.inference.chat.asking.conversation import Conversation
from pipelex.inference.chat.asking.usage import call_usage
from pipelex.inference.chat.messages import AnswerForm
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ModelUsage


async def ask_text(conversation: Conversation, prompt: LLMPrompt) -> tuple[str, ModelUsage]:
    """A completion, and its usage.

    Raises:
        PipelexError: the model cannot be asked, refused or failed.
    """
    entry = conversation.call.entry
    request = await conversation.opened(prompt)
    response = await conversation.ask([request], AnswerForm(), is_structured=False)
    text = (response.text or "").strip()
    is_cut = response.finish_reason == "length"
    if is_cut and (conversation.settings.max_tokens is not None or not conversation.provider.cuts_softly):
        raise conversation.cut(response)
    if is_cut:
        text = _to_last_sentence(text)
    if not text:
        raise invalid_response(entry.backend, entry.handle, "empty_answer")
    return text, call_usage(entry, response)


def _to_last_sentence(text: str) -> str:
    """The text up to its last full sentence, when that keeps at least half of it."""
    end = max(text.rfind(mark) for mark in ".!?\n")
    return text[: end + 1].rstrip() if end >= len(text) // 2 else text
