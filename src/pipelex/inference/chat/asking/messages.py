"""A prompt as the first message of a conversation: text, images and documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipelex.content.files.local import not_an_image
from pipelex.errors import InputError
from pipelex.errors.json import Json, maybe
from pipelex.inference.chat.messages import AttachedFile, Question
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.storage import FetchPolicy, Storage, load

AttachmentKind = Literal["image", "document"]

MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024
"""Largest image or document that is put into a request."""


@dataclass(frozen=True)
class PromptFiles:
    """The source of a prompt's files, and the policy under which they are fetched.

    The bytes are sent to a provider, never an address: whoever fetches decides what may be reached.
    """

    storage: Storage
    policy: FetchPolicy


async def first_request(
    prompt: LLMPrompt, files: PromptFiles, *, image_detail: str | None = None, extra: str | None = None
) -> Question:
    """The first message of a call: system prompt, text, then images and documents in the order of their tokens.

    Args:
        prompt: the prompt that a pipe rendered.
        files: the reader of attachments.
        image_detail: `high`, `low` or `auto`.
        extra: text added after the user's.

    Raises:
        PipelexError: an attachment cannot be read, may not be fetched, or is too large.
    """
    attached = [
        *[await _attachment(content, "image", image_detail, files) for content in prompt.images],
        *[await _attachment(content, "document", None, files) for content in prompt.documents],
    ]
    text = prompt.user if extra is None else f"{prompt.user}\n\n{extra}"
    return Question(text, prompt.system or None, tuple(attached))


async def _attachment(
    content: Mapping[str, Json], kind: AttachmentKind, detail: str | None, files: PromptFiles
) -> AttachedFile:
    url = str(content.get("url", ""))
    found = await load(
        url,
        storage=files.storage,
        policy=files.policy,
        mime_type=maybe(content.get("mime_type"), str),
        filename=maybe(content.get("filename"), str),
    )
    if len(found.data) > MAX_ATTACHMENT_BYTES:
        raise InputError(
            "input.too_large",
            f"the {kind} {_shown(url)} has {len(found.data):,} bytes; at most {MAX_ATTACHMENT_BYTES:,} go into a prompt",
            limit=MAX_ATTACHMENT_BYTES,
            size=len(found.data),
        )
    if kind == "image" and (what := not_an_image(found.mime_type)) is not None:
        told = f"{_shown(url)} {what}" if found.data else f"{_shown(url)} is empty"
        raise InputError("input.file_type_unsupported", told, format=found.mime_type)
    return AttachedFile(found.data, found.mime_type, detail)


def _shown(url: str) -> str:
    return repr(url if len(url) <= 80 else url[:79] + "…")
