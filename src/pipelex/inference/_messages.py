"""A prompt as messages of the model library: text, images and documents."""

import asyncio
import base64
import binascii
import mimetypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from pipelex.content.stuff import Json
from pipelex.errors import InputError
from pipelex.pipes.runtime import LLMPrompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelRequest, UserContent

Kind = Literal["image", "document"]

MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024
"""Largest image or document that is put into a request."""


async def first_request(
    prompt: LLMPrompt, *, image_detail: str | None = None, extra: str | None = None, allow_files: bool = True
) -> "ModelRequest":
    """The first message of a call: system prompt, text, then images and documents in the order of their tokens.

    Args:
        prompt: what a pipe rendered.
        image_detail: `high`, `low` or `auto`.
        extra: text added after the user's.
        allow_files: whether `file:` URLs may be read.

    Raises:
        InputError: an attachment cannot be read or is too large.
    """
    from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart

    text = prompt.user if extra is None else f"{prompt.user}\n\n{extra}"
    attached: list[UserContent] = [
        *[await _attachment(content, "image", image_detail, allow_files) for content in prompt.images],
        *[await _attachment(content, "document", None, allow_files) for content in prompt.documents],
    ]
    body: str | Sequence[UserContent] = [text, *attached] if attached else text
    system = [SystemPromptPart(prompt.system)] if prompt.system else []
    return ModelRequest(parts=[*system, UserPromptPart(body)])


async def _attachment(content: Mapping[str, Json], kind: Kind, detail: str | None, allow_files: bool) -> "UserContent":
    from pydantic_ai.messages import BinaryContent, DocumentUrl, ImageUrl

    url = str(content.get("url", ""))
    declared: str | None = content.get("mime_type")
    metadata = {"detail": detail} if detail is not None else None
    scheme = urlsplit(url).scheme.lower()
    if scheme in ("http", "https"):
        if kind == "image":
            return ImageUrl(url, vendor_metadata=metadata, media_type=declared)
        return DocumentUrl(url, media_type=declared)
    if scheme == "data":
        media_type, data = _from_data_url(url, kind)
    elif scheme == "file" and allow_files:
        media_type, data = None, await asyncio.to_thread(_from_file, url, kind)
    else:
        reason = "scheme_unsupported"
        raise _unreadable(url, kind, reason, f"a model takes no {scheme or 'relative'} URL; store the file first")
    if len(data) > MAX_ATTACHMENT_BYTES:
        raise InputError(
            "input.too_large",
            f"the {kind} {_shown(url)} has {len(data)} bytes; at most {MAX_ATTACHMENT_BYTES} go into a prompt",
            limit=MAX_ATTACHMENT_BYTES,
            size=len(data),
        )
    found = declared or media_type or mimetypes.guess_type(url)[0]
    fallback = "image/png" if kind == "image" else "application/pdf"
    return BinaryContent(data, media_type=found or fallback, vendor_metadata=metadata)


def _from_data_url(url: str, kind: Kind) -> tuple[str | None, bytes]:
    head, comma, payload = url[len("data:") :].partition(",")
    if not comma:
        raise _unreadable(url, kind, "malformed", "the data: URL has no comma")
    media_type, *options = head.split(";")
    if "base64" not in options:
        return media_type or None, unquote_to_bytes(payload)
    try:
        return media_type or None, base64.b64decode(unquote(payload), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(url, kind, "malformed", f"its base64 cannot be decoded: {error}") from None


def _from_file(url: str, kind: Kind) -> bytes:
    path = Path(url2pathname(urlsplit(url).path))
    try:
        with path.open("rb") as file:
            return file.read(MAX_ATTACHMENT_BYTES + 1)
    except OSError as error:
        raise _unreadable(url, kind, "unreadable", str(error)) from None


def _unreadable(url: str, kind: Kind, reason: str, detail: str) -> InputError:
    return InputError(
        "input.file_unreadable", f"the {kind} {_shown(url)} cannot be read: {detail}", file_type=kind, reason=reason
    )


def _shown(url: str) -> str:
    return repr(url if len(url) <= 80 else url[:79] + "…")
