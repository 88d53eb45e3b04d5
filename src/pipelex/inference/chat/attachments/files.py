"""The images and documents of a prompt, fetched and converted to what the model's provider takes."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, Literal

from pipelex.content.files.local import not_an_image
from pipelex.errors import InputError
from pipelex.errors.json import Json
from pipelex.inference.chat.attachments.takes import Takes
from pipelex.inference.chat.messages import AttachedFile
from pipelex.inference.extract.local import TEXT_KINDS
from pipelex.inference.extract.processes import read_pages
from pipelex.reading.plain import plain_size
from pipelex.reading.read import OFFICE_KINDS
from pipelex.reading.source import ExtractAsk, PictureFit, ReadingLimits, ReadPage, SourceFile
from pipelex.storage import FetchPolicy, Storage, file_kind, load_content, shown_url

AttachmentKind = Literal["image", "document"]

MAX_ATTACHMENT_BYTES: Final = 50 * 1024 * 1024
"""The maximum size of an image or document that is converted for a request, in bytes."""
_READ: Final = frozenset({*TEXT_KINDS, *OFFICE_KINDS})
"""The kinds of documents that are read here and sent as text."""


@dataclass(frozen=True)
class PromptFiles:
    """The source of a prompt's files, and the policy for fetching them.

    A provider is always sent the bytes and never an address, so that our policy decides what may be fetched.
    """

    storage: Storage
    policy: FetchPolicy
    limits: ReadingLimits = field(default_factory=ReadingLimits)
    """The limits of reading a file that has to be converted."""


async def attached(
    content: Mapping[str, Json], kind: AttachmentKind, detail: str | None, files: PromptFiles, takes: Takes
) -> list[AttachedFile]:
    """The parts of a request that an image or a document becomes: several for an image of several pages.

    Args:
        content: the content of the image or document.
        kind: whether the prompt uses it as an image or as a document.
        detail: the level of detail at which the model looks at an image.
        files: the reader of attachments.
        takes: the files that the provider takes.

    Raises:
        PipelexError: it cannot be read, may not be fetched, is too large, or is of a type that no model takes.
    """
    source = await _loaded(content, kind, files)
    if kind == "image" and (what := not_an_image(source.mime_type)) is not None:
        told = f"{source.name} {what}" if source.data else f"{source.name} is empty"
        raise InputError("input.file_type_unsupported", told, format=source.mime_type)
    match source.kind:
        case "image" | "svg":
            return await _images(source, detail, files, takes)
        case "pdf":
            _check_size(source, "PDF", takes.pdf_bytes)
            return [AttachedFile(source.data, source.mime_type, detail)]
        case _ if source.kind in _READ:
            return [await _text(source, files)]
        case _:
            told = f"{source.name} is of type {source.mime_type}, which cannot be sent to a model"
            advice = "Give it as a PDF, a text, or a .docx, .pptx or .xlsx file."
            raise InputError("input.file_type_unsupported", told, format=source.mime_type).with_report(advice=advice)


async def _loaded(content: Mapping[str, Json], kind: AttachmentKind, files: PromptFiles) -> SourceFile:
    url = str(content.get("url", ""))
    found = await load_content(content, storage=files.storage, policy=files.policy)
    name = f"the {kind} {found.filename or shown_url(url)!r}"
    source = SourceFile(found.data, found.mime_type, file_kind(found.mime_type), name, found.base_url, url)
    _check_size(source, kind, MAX_ATTACHMENT_BYTES)
    return source


def _check_size(source: SourceFile, what: str, limit: int) -> None:
    size = len(source.data)
    if size > limit:
        told = f"{source.name} has {size:,} bytes; a {what} for this model may have at most {limit:,}"
        raise InputError("input.too_large", told, limit=limit, size=size)


async def _images(source: SourceFile, detail: str | None, files: PromptFiles, takes: Takes) -> list[AttachedFile]:
    size = plain_size(source.data)
    is_fit = source.mime_type in takes.image_types and len(source.data) <= takes.image_bytes
    if is_fit and size is not None and max(size) <= takes.image_side:
        return [AttachedFile(source.data, source.mime_type, detail)]
    fit = PictureFit(takes.image_side, takes.image_bytes, takes.image_types)
    pages = await _pages(source, ExtractAsk(views_dpi=1, fit=fit), files)
    return [AttachedFile(page.view.data, page.view.mime_type, detail) for page in pages if page.view is not None]


async def _text(source: SourceFile, files: PromptFiles) -> AttachedFile:
    pages = await _pages(source, ExtractAsk(max_page_images=0), files)
    text = "\n\n".join(page.text for page in pages if page.text)
    return AttachedFile(text.encode("utf-8", "replace"), f"text/{'plain' if source.kind == 'txt' else 'markdown'}")


async def _pages(source: SourceFile, wanted: ExtractAsk, files: PromptFiles) -> list[ReadPage]:
    async with aclosing(read_pages(source, wanted, files.limits)) as found:
        return [page async for page in found]
