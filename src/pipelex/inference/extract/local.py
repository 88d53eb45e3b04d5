"""Extraction by software in this process."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from pipelex.errors import InputError
from pipelex.errors.json import Json, maybe
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.extract.markup import Converted, convert_text
from pipelex.inference.extract.ocr import LocalReader, Reader
from pipelex.inference.extract.office import OFFICE_KINDS, convert_office
from pipelex.inference.extract.pdf import read_pdf
from pipelex.inference.extract.pictures import measured, opened, picture_of
from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Keeper, Picture, SourceFile, incapable, logger
from pipelex.storage import FetchPolicy, load

TEXT_KINDS = frozenset({"html", "md", "csv", "txt", "vtt", "eml"})
"""Files that are text already: no model is needed to read them."""
_VIEWABLE = frozenset({"pdf", "image"})


@dataclass(frozen=True)
class LocalExtractor:
    """PDFium for PDFs, converters for office files and text, and a reader for images and scans where there is one."""

    model: str
    """The handle, for messages."""
    reader: Reader | None = None
    reads_by_address: ClassVar[bool] = False

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """See `Extractor.extract`."""
        self._check(source, wanted)
        if source.kind == "pdf":
            pages = await read_pdf(source, wanted, keeper, self.reader)
            if self.reader is None and not any(page.text for page in pages):
                logger.warning(
                    "%s has no text layer, so its pages are empty; '@default-extract-image' reads scans.", source.name
                )
            return pages
        if source.kind == "image":
            return [await self._image(source, wanted, keeper)]
        if source.kind in OFFICE_KINDS:
            return await _office(source, wanted, keeper)
        return [await _text(source, wanted, keeper)]

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

    async def _image(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> ExtractedPage:
        if self.reader is None:
            raise incapable(
                self.model,
                "images",
                f"the model {self.model!r} reads the text layer of documents; an image has none",
                "Name a model that reads images, for example '@default-extract-image'.",
            )
        image = await asyncio.to_thread(opened, source)
        text = await self.reader.read(image)
        if wanted.views_dpi is None:
            return ExtractedPage(text)
        return ExtractedPage(text, view=await keeper.image(await asyncio.to_thread(picture_of, image), "page-1"))


def text_layer(call: ModelCall) -> LocalExtractor:
    """What reads the text that files hold."""
    return LocalExtractor(call.entry.handle)


def optical_reader(call: ModelCall) -> LocalExtractor:
    """What reads images and scans, too, by optical character recognition."""
    return LocalExtractor(call.entry.handle, LocalReader())


async def _office(source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
    pages: list[ExtractedPage] = []
    taken = 0
    for number, found in enumerate(await asyncio.to_thread(convert_office, source), 1):
        fitting = [picture for picture in found.pictures if wanted.is_big_enough(picture.width, picture.height)]
        kept = fitting[: wanted.room(taken)]
        images = [await keeper.image(picture, f"page-{number}") for picture in kept]
        pages.append(ExtractedPage(found.text, images))
        taken += len(images)
    return pages


async def _text(source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> ExtractedPage:
    found = await asyncio.to_thread(convert_text, source)
    images = await _linked(found, wanted, keeper)
    return ExtractedPage(found.text, images, raw_html=found.raw_html if wanted.raw_html else None)


async def _linked(found: Converted, wanted: ExtractAsk, keeper: Keeper) -> list[dict[str, Json]]:
    """Images of a page: those inside of it are stored; those on the network keep their address, unfetched."""
    images: list[dict[str, Json]] = []
    room = wanted.room(0)
    for number, content in enumerate(found.image_urls, 1):
        if room is not None and len(images) >= room:
            break
        if str(content["url"])[:5].lower() != "data:":
            images.append(content)
            continue
        try:
            inner = await load(str(content["url"]), storage=keeper.storage, policy=FetchPolicy())
        except InputError as error:
            logger.warning("An image inside of a page is left out: %s", error)
            continue
        picture = measured(inner.data, inner.mime_type)
        if picture is not None and wanted.is_big_enough(picture.width, picture.height):
            named = Picture(
                picture.data,
                picture.mime_type,
                picture.width,
                picture.height,
                maybe(content.get("caption"), str),
                f"image-{number}",
            )
            images.append(await keeper.image(named, f"image-{number}"))
    return images
