"""What an extractor is, what it takes, and what it gives."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, InputError, PipelexError
from pipelex.errors.json import Json, maybe
from pipelex.pipes.effects.requests import ExtractRequest
from pipelex.storage import Storage, extension_of

logger = logging.getLogger("pipelex.extract")


@dataclass(frozen=True)
class SourceFile:
    """A document or an image, read."""

    data: bytes
    mime_type: str
    kind: str
    """As backend files list inputs: `pdf`, `image`, `docx`, `html`, …"""
    name: str
    """For messages."""
    base_url: str | None = None
    """For what came over the network: where its relative links start."""
    url: str = ""
    """The address it was asked for by; all there is for an extractor that reads by address."""


@dataclass(frozen=True)
class ExtractAsk:
    """What is asked for besides the text."""

    max_page_images: int | None = None
    """Images of one page; None for all, 0 for none."""
    max_nb_images: int | None = None
    """Images of the whole document."""
    image_min_size: int = 0
    """Pixels an image must have in both directions."""
    captions: bool = False
    views_dpi: int | None = None
    """Resolution of page views; None for no views."""
    render_js: bool = False
    raw_html: bool = False

    @classmethod
    def of(cls, request: ExtractRequest, settings: dict[str, Json], default_dpi: int) -> "ExtractAsk":
        """From a request and the model's settings."""
        return cls(
            max_page_images=request.max_page_images,
            max_nb_images=maybe(settings.get("max_nb_images"), int),
            image_min_size=maybe(settings.get("image_min_size"), int) or 0,
            captions=bool(request.page_image_captions),
            views_dpi=(request.page_views_dpi or default_dpi) if request.page_views else None,
            render_js=bool(request.render_js),
            raw_html=bool(request.include_raw_html),
        )

    def room(self, taken: int) -> int | None:
        """How many images the next page may have, when `taken` were taken before; None for any number."""
        left = None if self.max_nb_images is None else max(self.max_nb_images - taken, 0)
        limits = [limit for limit in (left, self.max_page_images) if limit is not None]
        return min(limits) if limits else None

    def is_big_enough(self, width: int, height: int) -> bool:
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
    """Name the text refers to it by, without extension."""


@dataclass(frozen=True)
class ExtractedPage:
    """One page: a text, the contents of its images, and more."""

    text: str
    images: Sequence[dict[str, Json]] = ()
    view: dict[str, Json] | None = None
    raw_html: str | None = None

    def content(self) -> dict[str, Json]:
        """The page as a ExtractedPage content."""
        inner: dict[str, Json] = {"text": {"text": self.text}, "images": list(self.images)}
        if self.raw_html is not None:
            inner["raw_html"] = self.raw_html
        page: dict[str, Json] = {"text_and_images": inner}
        return page if self.view is None else {**page, "page_view": self.view}


@dataclass(frozen=True)
class Keeper:
    """Puts pictures into the store."""

    storage: Storage

    async def image(self, picture: Picture, stem: str) -> dict[str, Json]:
        """The Image content of a picture that has been stored.

        Args:
            picture: the picture.
            stem: its name without extension, unless it has one of its own.
        """
        filename = f"{picture.stem or stem}.{extension_of(picture.mime_type)}"
        blob = await self.storage.put(picture.data, mime_type=picture.mime_type, filename=filename)
        found: dict[str, Json] = {**blob.content(), "width": picture.width, "height": picture.height}
        return found if picture.caption is None else {**found, "caption": picture.caption}


class Extractor(Protocol):
    """A way to read documents; its factory is called with the `ModelCall`, for each call."""

    @property
    def reads_by_address(self) -> bool:
        """Whether the provider fetches a page of the web itself, so that its bytes are not read here."""
        ...

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """The pages of a source, in order.

        Raises:
            PipelexError: it cannot be read, or not in the way that is asked for.
        """
        ...


def unreadable(source: SourceFile, reason: str, why: str) -> InputError:
    """The source is broken, locked, or not what it claims to be."""
    detail = f"{source.name} cannot be read: {why}"
    return InputError("input.file_unreadable", detail, file_type=source.kind, reason=reason)


def incapable(model: str, capability: str, detail: str, advice: str) -> PipelexError:
    """The model cannot do what is asked."""
    return PipelexError(
        "model.capability_unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": model, "capability": capability},
        model=model,
        advice=advice,
    )


def missing_extra(extra: str, what: str) -> PipelexError:
    """A library of an optional extra is not installed."""
    return PipelexError(
        "runtime.misconfigured",
        f"{what} needs libraries that are not installed",
        category=ErrorCategory.CONFIGURATION,
        params={"component": extra},
        advice=f"Install them with: {install_command(extra)}",
    )
