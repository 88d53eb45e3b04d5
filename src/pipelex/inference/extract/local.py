"""Extraction by local software, in a process of its own."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from pipelex.errors.json import Json
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.extract.processes import read_pages
from pipelex.inference.extract.provider import (
    ExtractAsk,
    ExtractedPage,
    Keeper,
    Picture,
    SourceFile,
    incapable,
    logger,
    relinked,
)
from pipelex.reading.source import ReadPage

TEXT_KINDS = frozenset({"html", "md", "csv", "txt", "vtt", "eml"})
"""The kinds of files that are already text, so that reading them needs no model."""
_VIEWABLE = frozenset({"pdf", "image"})


@dataclass(frozen=True)
class LocalExtractor:
    """Reads PDFs with PDFium, converts office files and text, and recognizes the text of images and scans if wanted."""

    model: str
    """The model's handle, for messages."""
    is_optical: bool = False
    """Whether text is also read from images."""
    reads_by_address: ClassVar[bool] = False

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """See `Extractor.extract`."""
        self._check(source, wanted)
        pages: list[ExtractedPage] = []
        async with aclosing(read_pages(source, wanted, keeper.limits, is_optical=self.is_optical)) as found:
            async for page in found:
                pages.append(await _kept(page, source, keeper, len(pages) + 1))
        if source.kind == "pdf" and not self.is_optical and not any(page.text for page in pages):
            logger.warning(
                "%s has no text layer, so its pages are empty; '@default-extract-image' reads scans.", source.name
            )
        return pages

    def _check(self, source: SourceFile, wanted: ExtractAsk) -> None:
        if wanted.render_js and source.kind == "html":
            raise incapable(
                self.model,
                "render_js",
                f"the model {self.model!r} reads web pages as they are sent, without running their JavaScript",
                "Name a model that renders pages, or leave out 'render_js'.",
            )
        if wanted.views_dpi is not None and source.kind not in _VIEWABLE:
            raise incapable(
                self.model,
                "page_views",
                f"the model {self.model!r} makes views of PDFs and images, not of {source.kind} files",
                "Give the document as a PDF, or leave out 'page_views'.",
            )
        if wanted.captions:
            logger.warning("The model %r writes no captions; 'page_image_captions' is ignored.", self.model)
        if source.kind == "image" and not self.is_optical:
            raise incapable(
                self.model,
                "images",
                f"the model {self.model!r} reads the text layer of documents; an image has none",
                "Name a model that reads images, for example '@default-extract-image'.",
            )


def text_layer(call: ModelCall) -> LocalExtractor:
    """The extractor that reads only the text that files contain."""
    return LocalExtractor(call.entry.handle)


def optical_reader(call: ModelCall) -> LocalExtractor:
    """The extractor that also reads images and scans, by optical character recognition."""
    return LocalExtractor(call.entry.handle, is_optical=True)


async def _kept(page: ReadPage, source: SourceFile, keeper: Keeper, number: int) -> ExtractedPage:
    """The page, after its pictures have been put into the storage."""
    stem = f"page-{number}"
    inner = f"{stem}-image-{{}}" if source.kind == "pdf" else stem
    images = [await _image(image, keeper, inner.format(rank)) for rank, image in enumerate(page.images, 1)]
    view = None if page.view is None else await keeper.image(page.view, stem)
    names = (image.stem if isinstance(image, Picture) else None for image in page.images)
    text = relinked(page.text, zip(names, images, strict=True))
    return ExtractedPage(text, images, view, page.raw_html)


async def _image(image: "Picture | Mapping[str, Json]", keeper: Keeper, stem: str) -> dict[str, Json]:
    return await keeper.image(image, stem) if isinstance(image, Picture) else dict(image)
