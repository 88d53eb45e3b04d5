"""The interface of an extractor, with its request and its result."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipelex.config.distribution import install_command
from pipelex.content.files.kinds import type_of_extension
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, maybe
from pipelex.pipes.effects.requests import ExtractRequest
from pipelex.reading.source import ExtractAsk, Picture, ReadingLimits, SourceFile, logger
from pipelex.storage import Storage, extension_of

__all__ = [
    "ExtractAsk",
    "ExtractedPage",
    "Extractor",
    "Keeper",
    "Picture",
    "SourceFile",
    "asked",
    "incapable",
    "logger",
    "missing_extra",
    "relinked",
]


def asked(request: ExtractRequest, settings: dict[str, Json], default_dpi: int) -> ExtractAsk:
    """The request to an extractor, from the pipe's request and the model's settings."""
    return ExtractAsk(
        max_page_images=request.max_page_images,
        max_nb_images=maybe(settings.get("max_nb_images"), int),
        image_min_size=maybe(settings.get("image_min_size"), int) or 0,
        captions=bool(request.page_image_captions),
        views_dpi=(request.page_views_dpi or default_dpi) if request.page_views else None,
        render_js=bool(request.render_js),
        raw_html=bool(request.include_raw_html),
    )


@dataclass(frozen=True)
class ExtractedPage:
    """One page: its text and its images; if requested, also its view and its HTML."""

    text: str
    images: Sequence[dict[str, Json]] = ()
    view: dict[str, Json] | None = None
    raw_html: str | None = None

    def content(self) -> dict[str, Json]:
        """The page as an ExtractedPage content."""
        inner: dict[str, Json] = {"text": {"text": self.text}, "images": list(self.images)}
        if self.raw_html is not None:
            inner["raw_html"] = self.raw_html
        page: dict[str, Json] = {"text_and_images": inner}
        return page if self.view is None else {**page, "page_view": self.view}


@dataclass(frozen=True)
class Keeper:
    """Stores pictures, and holds the limits for documents that are read on this machine."""

    storage: Storage
    limits: ReadingLimits = field(default_factory=ReadingLimits)

    async def image(self, picture: Picture, stem: str) -> dict[str, Json]:
        """Store a picture, and return its Image content.

        Args:
            picture: the picture.
            stem: its file name, unless it has a name of its own. If the name lacks the right extension, it is added.
        """
        name = picture.stem or stem
        is_whole = type_of_extension(name) == picture.mime_type
        filename = name if is_whole else f"{name.partition('.')[0]}.{extension_of(picture.mime_type)}"
        blob = await self.storage.put(picture.data, mime_type=picture.mime_type, filename=filename)
        found: dict[str, Json] = {**blob.content(), "width": picture.width, "height": picture.height}
        return found if picture.caption is None else {**found, "caption": picture.caption}


_LINK: Final = re.compile(r"\]\(([^()\s]+)\)")


def relinked(text: str, images: Iterable[tuple[str | None, Mapping[str, Json]]]) -> str:
    """The text of a page, whose links to images lead to the names that the images are stored under.

    Args:
        text: the text, as Markdown.
        images: the stored images, each with the name by which the text refers to it; None if it does not.
    """
    stored = {name: str(image["filename"]) for name, image in images if name is not None}
    return _LINK.sub(lambda link: f"]({stored.get(link[1], link[1])})", text) if stored else text


class Extractor(Protocol):
    """A way to read documents. Its factory is called for each call, with the `ModelCall`."""

    @property
    def reads_by_address(self) -> bool:
        """Whether the provider fetches web pages itself, so that their bytes are not loaded here."""
        ...

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """The pages of a source, in order.

        Raises:
            PipelexError: the source cannot be read, or not in the way that was requested.
        """
        ...


def incapable(model: str, capability: str, detail: str, advice: str) -> PipelexError:
    """The error for a model that cannot do what is requested."""
    return PipelexError(
        "model.capability_unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": model, "capability": capability},
        model=model,
        advice=advice,
    )


def missing_extra(extra: str, what: str) -> PipelexError:
    """The error for a library of an optional extra that is not installed."""
    return PipelexError(
        "runtime.misconfigured",
        f"{what} needs libraries that are not installed",
        category=ErrorCategory.CONFIGURATION,
        params={"component": extra},
        advice=f"Install them with: {install_command(extra)}",
    )
