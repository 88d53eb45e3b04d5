"""PDF files by PDFium: text layer, embedded images, views of pages. Source: https://pypdfium2.readthedocs.io."""

import re
from dataclasses import dataclass
from io import BytesIO
from math import sqrt
from typing import TYPE_CHECKING, Any

from pipelex.inference.extract.ocr import Reader
from pipelex.inference.extract.pictures import MAX_PIXELS, picture_of
from pipelex.inference.extract.provider import (
    ExtractAsk,
    ExtractedPage,
    Keeper,
    Picture,
    SourceFile,
    logger,
    unreadable,
)
from pipelex.inference.extract.threads import OneThread

if TYPE_CHECKING:
    from PIL.Image import Image

# PDFium's binding has no complete types.
PdfDocument = Any
PdfPage = Any
PdfImage = Any

_POINTS_PER_INCH = 72
_OCR_DPI = 200
_SCANNED_BELOW = 32
"""A page whose text layer has fewer characters is looked at as an image, when an OCR reader is there."""
_PASSWORD_ERROR = 4
"""FPDF_ERR_PASSWORD."""
_MAX_DEPTH = 6
"""How deep in forms inside of forms images are looked for."""

_thread = OneThread("pdfium")


@dataclass(frozen=True)
class _RawPage:
    text: str
    pictures: tuple[Picture, ...]
    view: Picture | None
    scan: "Image | None"


async def read_pdf(
    source: SourceFile, wanted: ExtractAsk, keeper: Keeper, reader: Reader | None = None
) -> list[ExtractedPage]:
    """The pages of a PDF, one after the other, so that a long document never is in memory as images.

    Args:
        source: the PDF.
        wanted: what is asked for.
        keeper: where images go.
        reader: reads pages without a text layer; such pages are empty when None.

    Raises:
        InputError: the PDF is broken or locked.
    """
    document = await _thread.run(_open, source)
    pages: list[ExtractedPage] = []
    taken = 0
    try:
        for index in range(await _thread.run(len, document)):
            raw = await _thread.run(_read_page, document, index, source, wanted, wanted.room(taken), reader is not None)
            text = raw.text
            if reader is not None and raw.scan is not None:
                seen = await reader.read(raw.scan)
                text = seen if len(seen) > len(text) else text
            stem = f"page-{index + 1}"
            images = [await keeper.image(picture, f"{stem}-image-{n}") for n, picture in enumerate(raw.pictures, 1)]
            view = None if raw.view is None else await keeper.image(raw.view, stem)
            pages.append(ExtractedPage(text, images, view))
            taken += len(images)
    finally:
        await _thread.run(document.close)
    return pages


async def views_of(source: SourceFile, dpi: int, keeper: Keeper) -> list[dict[str, Any]]:
    """An Image content of each page of a PDF.

    Raises:
        InputError: the PDF is broken or locked.
    """
    pages = await read_pdf(source, ExtractAsk(max_page_images=0, views_dpi=dpi), keeper)
    return [page.view for page in pages if page.view is not None]


def _open(source: SourceFile) -> PdfDocument:
    import pypdfium2

    try:
        document: PdfDocument = pypdfium2.PdfDocument(source.data)
        document.init_forms()
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR or "password" in str(error).lower():
            raise unreadable(source, "encrypted", "the PDF is locked by a password") from None
        raise unreadable(source, "damaged", f"it is not a PDF that can be opened ({error})") from None
    return document


def _read_page(
    document: PdfDocument, index: int, source: SourceFile, wanted: ExtractAsk, room: int | None, is_ocr: bool
) -> _RawPage:
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
        try:
            text = _text(page)
            pictures = tuple(_pictures(page, wanted, room)) if room != 0 else ()
            view = None if wanted.views_dpi is None else picture_of(_rendered(page, wanted.views_dpi))
            scan = _rendered(page, _OCR_DPI) if is_ocr and len(text) < _SCANNED_BELOW else None
            return _RawPage(text, pictures, view, scan)
        finally:
            page.close()
    except PdfiumError as error:
        raise unreadable(source, "damaged", f"its page {index + 1} is damaged ({error})") from None


def _text(page: PdfPage) -> str:
    textpage = page.get_textpage()
    try:
        found = textpage.get_text_bounded()
    finally:
        textpage.close()
    return tidy(found)


def tidy(text: str) -> str:
    """A text layer with plain line ends; PDFium marks a hyphen at the end of a line with U+FFFE or U+0002."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    joined = re.sub(r"[￾\x02]\n?", "-\n", plain).replace("\x00", "")
    return "\n".join(line.rstrip() for line in joined.split("\n")).strip()


def _rendered(page: PdfPage, dpi: int) -> "Image":
    width, height = page.get_size()
    scale = dpi / _POINTS_PER_INCH
    pixels = width * height * scale * scale
    if pixels > MAX_PIXELS:
        logger.warning(
            "A page of %.0f by %.0f points is too large for %s DPI; its view is smaller.", width, height, dpi
        )
        scale *= sqrt(MAX_PIXELS / pixels)
    return page.render(scale=scale).to_pil()


def _pictures(page: PdfPage, wanted: ExtractAsk, room: int | None) -> list[Picture]:
    from pypdfium2 import PdfiumError
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    found: list[Picture] = []
    for item in page.get_objects(filter=(FPDF_PAGEOBJ_IMAGE,), max_depth=_MAX_DEPTH):
        if room is not None and len(found) >= room:
            break
        try:
            width, height = item.get_px_size()
            if not wanted.is_big_enough(width, height):
                continue
            if width * height > MAX_PIXELS:
                logger.warning("An image of %s by %s pixels in a PDF is too large and is left out.", width, height)
                continue
            found.append(_as_jpeg(item) or picture_of(_bitmap(item)))
        except (PdfiumError, ValueError, ZeroDivisionError) as error:
            logger.warning("An image in a PDF cannot be decoded and is left out: %s", error)
    return found


def _as_jpeg(item: PdfImage) -> Picture | None:
    """The image's own JPEG file, when it is one that everybody shows the same way."""
    from PIL import Image

    if item.get_filters(skip_simple=True) != ["DCTDecode"]:
        return None
    data = bytes(item.get_data(decode_simple=True))
    try:
        with Image.open(BytesIO(data)) as image:
            is_common = image.format == "JPEG" and image.mode in ("RGB", "L")
            return Picture(data, "image/jpeg", image.width, image.height) if is_common else None
    except OSError:
        return None


def _bitmap(item: PdfImage) -> "Image":
    """The image as it looks on the page, its mask applied; as its bare pixels where that fails."""
    from pypdfium2 import PdfiumError

    try:
        return item.get_bitmap(render=True).to_pil()
    except (PdfiumError, ZeroDivisionError):
        return item.get_bitmap(render=False).to_pil()
