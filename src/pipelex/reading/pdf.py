"""PDF files, read by PDFium: text layer, embedded images, views of pages. Source: https://pypdfium2.readthedocs.io."""

import re
from collections.abc import Iterator
from io import BytesIO
from math import sqrt
from typing import TYPE_CHECKING, Any

from pipelex.reading.layout import laid_out
from pipelex.reading.ocr import text_in
from pipelex.reading.pictures import MAX_PIXELS, picture_of
from pipelex.reading.source import ExtractAsk, Picture, ReadPage, SourceFile, logger, too_large, unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

# PDFium's binding has no complete types.
PdfDocument = Any
PdfPage = Any
PdfImage = Any

_POINTS_PER_INCH = 72
_OCR_DPI = 200
_SCANNED_BELOW = 32
"""The number of characters in its text layer below which a page is also read as an image, if OCR is available."""
_PASSWORD_ERROR = 4
"""FPDF_ERR_PASSWORD."""
_MAX_RENDERED = 40_000_000
"""The maximum number of pixels in the view of a page, because encoding holds it in memory several times."""
_MAX_DEPTH = 6
"""The depth of nested forms down to which images are looked for."""


def pdf_pages(source: SourceFile, wanted: ExtractAsk, *, is_optical: bool, max_pages: int) -> Iterator[ReadPage]:
    """The pages of a PDF, one after the other: a long document is never in memory as images all at once.

    Args:
        source: the PDF.
        wanted: the request.
        is_optical: whether pages without a text layer are read as images; they are empty otherwise.
        max_pages: the maximum number of pages.

    Raises:
        InputError: the PDF is broken, locked or too long.
    """
    document = _open(source)
    taken = 0
    try:
        if len(document) > max_pages:
            raise too_large(
                source, f"has {len(document)} pages; at most {max_pages} are read", max_pages, len(document)
            )
        for index in range(len(document)):
            page = _read_page(document, index, source, wanted, wanted.room(taken), is_optical)
            taken += len(page.images)
            yield page
    finally:
        document.close()


def _open(source: SourceFile) -> PdfDocument:
    import pypdfium2

    try:
        document: PdfDocument = pypdfium2.PdfDocument(source.data)
        document.init_forms()
    except pypdfium2.PdfiumError as error:
        if _is_locked(source.data):
            raise unreadable(source, "encrypted", "the PDF is locked by a password") from None
        raise unreadable(source, "damaged", f"it is not a PDF that can be opened ({error})") from None
    return document


def _is_locked(data: bytes) -> bool:
    """Whether a PDF that does not open needs a password.

    PDFium keeps the last error of its process, and a PDF without pages fails without setting one. So bytes that are not
    a PDF are opened first, to set a different error: a password error that follows is about `data`.
    """
    _error_of(b"no PDF")
    return _error_of(data) == _PASSWORD_ERROR


def _error_of(data: bytes) -> int | None:
    """PDFium's error code for bytes that do not open as a PDF; None when they open."""
    import pypdfium2

    try:
        pypdfium2.PdfDocument(data).close()
    except pypdfium2.PdfiumError as error:
        return getattr(error, "err_code", None)
    return None


def _read_page(
    document: PdfDocument, index: int, source: SourceFile, wanted: ExtractAsk, room: int | None, is_optical: bool
) -> ReadPage:
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
        try:
            text = _text(page)
            pictures = tuple(_pictures(page, wanted, room)) if room != 0 else ()
            view = None if wanted.views_dpi is None else picture_of(_rendered(page, wanted.views_dpi))
            if is_optical and len(text) < _SCANNED_BELOW:
                text = max(text_in(_rendered(page, _OCR_DPI)), text, key=len)
            return ReadPage(text, pictures, view)
        finally:
            page.close()
    except PdfiumError as error:
        raise unreadable(source, "damaged", f"its page {index + 1} is damaged ({error})") from None


def _text(page: PdfPage) -> str:
    """The text of a page in its reading order; PDFium's own order is that of an upright page."""
    rotation = page.get_rotation()
    page.set_rotation(0)
    textpage = page.get_textpage()
    try:
        found = laid_out(page, textpage) or textpage.get_text_bounded()
    finally:
        textpage.close()
        page.set_rotation(rotation)
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
    if pixels > _MAX_RENDERED:
        logger.warning(
            "A page of %.0f by %.0f points is too large for %s DPI; its view is smaller.", width, height, dpi
        )
        scale *= sqrt(_MAX_RENDERED / pixels)
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
    """The image's own JPEG file, if every viewer shows it the same way; else None."""
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
    """The image as it looks on the page, with its mask applied, or its bare pixels where that fails."""
    from pypdfium2 import PdfiumError

    try:
        return item.get_bitmap(render=True).to_pil()
    except (PdfiumError, ZeroDivisionError):
        return item.get_bitmap(render=False).to_pil()
