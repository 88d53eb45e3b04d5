"""A prompt as the first message of a conversation: text, images and documents."""

from pipelex.inference.chat.attachments.files import PromptFiles, attached
from pipelex.inference.chat.attachments.takes import COMMON, Takes
from pipelex.inference.chat.messages import AttachedFile, Question
from pipelex.pipes.effects.requests import LLMPrompt

__all__ = ["PromptFiles", "first_request"]


async def first_request(
    prompt: LLMPrompt,
    files: PromptFiles,
    *,
    takes: Takes = COMMON,
    image_detail: str | None = None,
    extra: str | None = None,
) -> Question:
    """The first message of a call: system prompt, text, then images and documents in the order of their tokens.

    Args:
        prompt: the prompt that a pipe rendered.
        files: the reader of attachments.
        takes: the files that the model's provider takes.
        image_detail: `high`, `low` or `auto`.
        extra: a text that is added after the user's text.

    Raises:
        PipelexError: an attachment cannot be read, may not be fetched, is too large, or is of a type that no model takes.
    """
    found: list[AttachedFile] = []
    for content in prompt.images:
        found += await attached(content, "image", image_detail, files, takes)
    for content in prompt.documents:
        found += await attached(content, "document", None, files, takes)
    text = prompt.user if extra is None else f"{prompt.user}\n\n{extra}"
    return Question(text, prompt.system or None, tuple(found))
