"""The pages of a file, whatever its kind."""

from collections.abc import Iterator, Mapping

from pipelex.errors.json import Json, maybe
from pipelex.reading.source import ExtractAsk, Picture, ReadPage, SourceFile, logger

OFFICE_KINDS = frozenset({"docx", "pptx", "xlsx"})


def pages_of(source: SourceFile, wanted: ExtractAsk, *, is_optical: bool, max_pages: int) -> Iterator[ReadPage]:
    """The pages of a file, one after the other.

    Args:
        source: the file.
        wanted: the request.
        is_optical: whether optical character recognition also reads images, and pages without a text layer.
        max_pages: the maximum number of pages.

    Raises:
        InputError: the file is broken, locked or too large.
        MissingExtra: a library is not installed.
    """
    if source.kind == "pdf":
        from pipelex.reading.pdf import pdf_pages

        return pdf_pages(source, wanted, is_optical=is_optical, max_pages=max_pages)
    if wanted.fit is not None and source.kind in ("image", "svg"):
        from pipelex.reading.fitting import fitted_pages

        return fitted_pages(source, wanted.fit)
    if source.kind == "image":
        return _images(source, wanted, is_optical=is_optical, max_pages=max_pages)
    if source.kind in OFFICE_KINDS:
        return _office(source, wanted)
    return iter([_text(source, wanted)])


def _images(source: SourceFile, wanted: ExtractAsk, *, is_optical: bool, max_pages: int) -> Iterator[ReadPage]:
    """Each page of an image file: a TIFF may hold many, as scanners and fax machines write them."""
    from pipelex.reading.pictures import opened_pages, picture_of

    for image in opened_pages(source, max_pages):
        text = ""
        if is_optical:
            from pipelex.reading.ocr import text_in

            text = text_in(image)
        yield ReadPage(text, view=None if wanted.views_dpi is None else picture_of(image))


def _office(source: SourceFile, wanted: ExtractAsk) -> Iterator[ReadPage]:
    from pipelex.reading.office import convert_office

    taken = 0
    for found in convert_office(source):
        fitting = [picture for picture in found.pictures if wanted.is_big_enough(picture.width, picture.height)]
        kept = tuple(fitting[: wanted.room(taken)])
        taken += len(kept)
        yield ReadPage(found.text, kept)


def _text(source: SourceFile, wanted: ExtractAsk) -> ReadPage:
    from pipelex.reading.markup import convert_text

    found = convert_text(source)
    room = wanted.room(0)
    images: list[Picture | Mapping[str, Json]] = []
    for number, content in enumerate(found.image_urls, 1):
        if room is not None and len(images) >= room:
            break
        if str(content["url"])[:5].lower() != "data:":
            images.append(content)  # it keeps its address and is not fetched
            continue
        picture = _inner(str(content["url"]), maybe(content.get("caption"), str), number)
        if picture is not None and wanted.is_big_enough(picture.width, picture.height):
            images.append(picture)
    return ReadPage(found.text, images, raw_html=found.raw_html if wanted.raw_html else None)


def _inner(url: str, caption: str | None, number: int) -> Picture | None:
    """The picture that a `data:` URL in a page holds; None when it holds none."""
    from pipelex.reading.pictures import from_data_url

    found = from_data_url(url)
    if found is None:
        logger.warning("An image inside of a page is left out: it cannot be read.")
        return None
    return Picture(found.data, found.mime_type, found.width, found.height, caption, f"image-{number}")
