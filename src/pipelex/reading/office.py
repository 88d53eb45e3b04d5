"""Word, PowerPoint and Excel files as Markdown, by `mammoth`, `python-pptx` and `openpyxl` of the extra `office`.

markitdown uses the first two, but loses the levels of bullets, and writes cells as pandas shows them (`3.0`, `NaN`).
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from importlib import import_module
from io import BytesIO
from typing import Any, cast

from pipelex.errors import InputError
from pipelex.errors.archives import OversizedArchive, check_archive
from pipelex.reading.markup import html_to_markdown, markdown_table, spaced
from pipelex.reading.pictures import measured
from pipelex.reading.source import MissingExtra, Picture, SourceFile, too_large, unreadable


@dataclass(frozen=True)
class OfficePage:
    """A page, slide or sheet."""

    text: str
    pictures: tuple[Picture, ...] = ()


def convert_office(source: SourceFile) -> list[OfficePage]:
    """The pages of a file: a Word document is one page, and each slide and each sheet is one.

    Raises:
        InputError: the file is broken or too large.
        MissingExtra: the extra `office` is not installed.
    """
    _check(source)
    convert = {"docx": _docx, "pptx": _pptx, "xlsx": _xlsx}[source.kind]
    try:
        return convert(source)
    except ImportError:
        raise MissingExtra("office", f"reading {source.kind} files") from None
    except (InputError, MemoryError):
        raise
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise unreadable(source, "damaged", str(error)) from None
    except Exception as error:  # these libraries let through whatever their XML parsers and look-ups raise
        raise unreadable(source, "damaged", f"{type(error).__name__}: {error}") from None


def _check(source: SourceFile) -> None:
    try:
        check_archive(source.data)
    except OversizedArchive as oversized:
        raise too_large(source, oversized.what, oversized.limit, oversized.size) from None
    except zipfile.BadZipFile as error:
        raise unreadable(source, "damaged", str(error)) from None


def _docx(source: SourceFile) -> list[OfficePage]:
    mammoth: Any = import_module("mammoth")
    pictures: list[Picture] = []

    def keep(image: Any) -> dict[str, str]:
        with image.open() as opened:
            data = cast("bytes", opened.read())
        caption: str | None = image.alt_text or None
        picture = _picture(data, str(image.content_type), f"image-{len(pictures) + 1}", caption)
        if picture is None:
            return {"src": ""}
        pictures.append(picture)
        return {"src": picture.stem or ""}

    result: Any = mammoth.convert_to_html(BytesIO(source.data), convert_image=mammoth.images.img_element(keep))
    return [OfficePage(html_to_markdown(cast("str", result.value), source).text, tuple(pictures))]


def _pptx(source: SourceFile) -> list[OfficePage]:
    pptx: Any = import_module("pptx")
    pages: list[OfficePage] = []
    for slide in pptx.Presentation(BytesIO(source.data)).slides:
        blocks: list[str] = []
        pictures: list[Picture] = []
        title = slide.shapes.title
        for shape in _flattened(slide.shapes):
            if getattr(shape, "has_table", False):
                blocks.append(markdown_table([[cell.text for cell in row.cells] for row in shape.table.rows]))
            elif getattr(shape, "has_text_frame", False) and shape.text_frame.text.strip():
                is_title = title is not None and shape.shape_id == title.shape_id
                blocks.append(f"# {shape.text_frame.text.strip()}" if is_title else _frame(shape.text_frame))
            elif (data := _blob(shape)) is not None:
                picture = _picture(*data, f"image-{len(pictures) + 1}", None)
                if picture is not None:
                    pictures.append(picture)
                    blocks.append(f"![{picture.stem}]({picture.stem})")
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) and notes.text.strip():
            blocks.append(f"Notes: {notes.text.strip()}")
        pages.append(OfficePage(spaced("\n\n".join(blocks)), tuple(pictures)))
    return pages


def _flattened(shapes: Any) -> Iterator[Any]:
    """Shapes, including those inside groups, in reading order: from top to bottom, then from left to right."""
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if hasattr(shape, "shapes"):
            yield from _flattened(shape.shapes)
        else:
            yield shape


def _frame(frame: Any) -> str:
    lines = [(paragraph.level, "".join(run.text for run in paragraph.runs).strip()) for paragraph in frame.paragraphs]
    written = [(level, line) for level, line in lines if line]
    if len(written) == 1:
        return written[0][1]
    return "\n".join(f"{'  ' * level}- {line}" for level, line in written)


def _blob(shape: Any) -> tuple[bytes, str] | None:
    try:
        return shape.image.blob, shape.image.content_type
    except (AttributeError, ValueError, KeyError):
        return None  # not a picture, or one that is only linked


def _picture(data: bytes, mime_type: str, stem: str, caption: str | None) -> Picture | None:
    found = measured(data, mime_type)
    return None if found is None else Picture(data, mime_type, found.width, found.height, caption, stem)


def _xlsx(source: SourceFile) -> list[OfficePage]:
    openpyxl: Any = import_module("openpyxl")
    book = openpyxl.load_workbook(BytesIO(source.data), read_only=True, data_only=True)
    try:
        texts = [
            f"# {sheet.title}\n\n{markdown_table(map(_shown, _values(sheet)))}".strip() for sheet in book.worksheets
        ]
    finally:
        book.close()
    pictures = _sheet_pictures(source) if _has_media(source) else [()] * len(texts)
    return [OfficePage(_with_pictures(text, held), held) for text, held in zip(texts, pictures, strict=True)]


def _values(sheet: Any) -> Iterator[Sequence[object]]:
    return cast("Iterator[Sequence[object]]", sheet.iter_rows(values_only=True))


def _shown(row: Sequence[object]) -> list[object]:
    """The values of a row as people write them: a date without the midnight that it is stored with."""
    return [value.date() if isinstance(value, datetime) and value.time() == time() else value for value in row]


def _has_media(source: SourceFile) -> bool:
    with zipfile.ZipFile(BytesIO(source.data)) as archive:
        return any(name.startswith("xl/media/") for name in archive.namelist())


def _sheet_pictures(source: SourceFile) -> list[tuple[Picture, ...]]:
    """The pictures of each sheet, from top to bottom. Finding them loads the whole workbook into memory."""
    openpyxl: Any = import_module("openpyxl")
    book = openpyxl.load_workbook(BytesIO(source.data), data_only=True)
    found: list[tuple[Picture, ...]] = []
    for sheet in book.worksheets:
        held: list[Picture] = []
        for image in sorted(sheet._images, key=_anchored):
            picture = _picture(image._data(), f"image/{image.format}", f"image-{len(held) + 1}", None)
            if picture is not None:
                held.append(picture)
        found.append(tuple(held))
    return found


def _anchored(image: Any) -> tuple[int, int]:
    start = getattr(image.anchor, "_from", None)
    return (0, 0) if start is None else (start.row, start.col)


def _with_pictures(text: str, held: Sequence[Picture]) -> str:
    return "\n\n".join([text, *(f"![{picture.stem}]({picture.stem})" for picture in held)])
