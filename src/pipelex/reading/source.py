"""The request to read a file, and its result."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipelex.errors import InputError
from pipelex.errors.json import Json

logger: Final = logging.getLogger("pipelex.extract")


@dataclass(frozen=True)
class SourceFile:
    """A document or an image, as bytes."""

    data: bytes
    mime_type: str
    kind: str
    """The kind of the file, in the words of backend files: `pdf`, `image`, `docx`, `html`, …"""
    name: str
    """The name of the file, for messages."""
    base_url: str | None = None
    """The URL of a file from the network, against which its relative links are resolved."""
    url: str = ""
    """The address by which the file was requested; an extractor that reads by address has nothing else."""


@dataclass(frozen=True)
class PictureFit:
    """The limits that a recipient sets for pictures."""

    max_side: int
    """The longest side, in pixels."""
    max_bytes: int
    kept_types: Sequence[str]
    """The MIME types that need no change; others become PNG or JPEG."""


@dataclass(frozen=True)
class ExtractAsk:
    """The request for what a reader returns besides the text."""

    max_page_images: int | None = None
    """The maximum number of images of one page; None for all, 0 for none."""
    max_nb_images: int | None = None
    """The maximum number of images of the whole document; None for all."""
    image_min_size: int = 0
    """The minimum width and height of an image, in pixels; smaller ones are left out."""
    captions: bool = False
    views_dpi: int | None = None
    """The resolution of page views in dots per inch; None for no views."""
    fit: PictureFit | None = None
    """The limits for the views of images; None to leave them unchanged."""
    render_js: bool = False
    raw_html: bool = False

    def room(self, taken: int) -> int | None:
        """The number of images that the next page may have after `taken` images; None for any number."""
        left = None if self.max_nb_images is None else max(self.max_nb_images - taken, 0)
        limits = [limit for limit in (left, self.max_page_images) if limit is not None]
        return min(limits) if limits else None

    def is_big_enough(self, width: int, height: int) -> bool:
        """Whether an image of that size is wanted."""
        return min(width, height) >= self.image_min_size


@dataclass(frozen=True)
class Picture:
    """An image as bytes."""

    data: bytes
    mime_type: str
    width: int
    height: int
    caption: str | None = None
    stem: str | None = None
    """The name by which the text refers to it, with or without an extension."""


@dataclass(frozen=True)
class ReadPage:
    """One page as it was read; none of it is in the store yet."""

    text: str
    images: Sequence[Picture | Mapping[str, Json]] = ()
    """Pictures, and the contents of images on the network, which keep their address."""
    view: Picture | None = None
    raw_html: str | None = None


@dataclass(frozen=True)
class ReadingLimits:
    """The limits of one document."""

    max_memory: int = 512 * 1024 * 1024
    """The memory that reading a document may take beyond what the process has at rest, in bytes."""
    seconds: float = 120.0
    """The maximum time until the next page, in seconds; a Word file, a text and an image are one page each."""
    max_pages: int = 5_000
    """The maximum number of its pages, slides or sheets."""
    max_text: int = 20_000_000
    """The maximum length of its text, in characters."""


class MissingExtra(Exception):
    """A library of an optional extra is not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(extra)
        self.extra = extra
        self.what = what


def unreadable(source: SourceFile, reason: str, why: str) -> InputError:
    """The error for a source that is broken, locked, or not what it claims to be."""
    detail = f"{source.name} cannot be read: {why}"
    return InputError("input.file_unreadable", detail, file_type=source.kind, reason=reason)


def too_large(source: SourceFile, what: str, limit: int, size: int | None = None) -> InputError:
    """The error for a source, or a part of it, that is beyond a limit."""
    detail = f"{source.name} {what}"
    if size is None:
        return InputError("input.too_large", detail, limit=limit)
    return InputError("input.too_large", detail, limit=limit, size=size)


def too_much_memory(source: SourceFile, limit: int) -> InputError:
    """The error for a source that takes more memory to read than the limit, in bytes."""
    return limited(too_large(source, f"takes more than {limit:,} bytes of memory to read", limit), "max_memory_bytes")


def limited(refused: InputError, key: str) -> InputError:
    """The error with the advice to change the document, or the setting that limits it."""
    return refused.with_report(advice=f"Make the document smaller, or raise '{key}' of [inference.extract].")
