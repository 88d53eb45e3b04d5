"""Printing blocks as an Excel file with openpyxl, one sheet per input."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from pipelex.content.render import describe_file
from pipelex.errors.json import Json, as_array, as_object, exactly
from pipelex.inference.documents.archive import plain, settled
from pipelex.inference.documents.docx import embeddable, readable
from pipelex.inference.documents.provider import Pictures
from pipelex.pipes.effects.layout import Block, rows_of

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_LONGEST = 32_767
"""The maximum number of characters in a cell."""
_WIDEST = 60
_WIDEST_PIXELS = 600
_POINTS_PER_PIXEL = 0.75
_HIGHEST_ROW = 409
"""The maximum height of a row in Excel, in points."""
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")
_DATE_CHARS = 10
_FIRST_YEAR = 1900


def printed(blocks: Sequence[Block], pictures: Pictures) -> bytes:
    """The blocks as an Excel file. Numbers, booleans and dates keep their types, and text never becomes a formula.

    Args:
        blocks: the blocks to print.
        pictures: the images in the blocks, by URL.
    """
    from openpyxl import Workbook

    book = Workbook()
    first = book.active
    sheet: Worksheet | None = None
    titles: set[str] = set()
    for block in blocks:
        if block.get("sheet") or sheet is None:
            title = _title(str(block.get("text", "Sheet")), titles)
            sheet = cast("Worksheet", book.create_sheet(title))
            if block.get("sheet"):
                continue
        _add(sheet, block, pictures)
    if first is not None and sheet is not None:
        book.remove(first)
    for each in book.worksheets:
        _widen(each)
    out = BytesIO()
    book.save(out)
    return settled(out.getvalue())


def _add(sheet: "Worksheet", block: Block, pictures: Pictures) -> None:
    match block["kind"]:
        case "heading":
            write_row(sheet, [block["text"]], is_bold=True)
        case "bullets":
            for item in as_array(block["items"]):
                write_row(sheet, [item])
        case "table":
            write_row(sheet, as_array(block["columns"]), is_bold=True)
            for row in rows_of(block):
                write_row(sheet, row)
        case "pairs":
            for row in rows_of(block):
                write_row(sheet, row)
        case "image":
            _add_image(sheet, as_object(block["content"]), pictures)
        case "markdown" | "html":
            for text, _ in readable(exactly(block["kind"], str), exactly(block["text"], str)):
                write_row(sheet, [text])
        case _:
            write_row(sheet, [block["text"]])


def _add_image(sheet: "Worksheet", content: Mapping[str, Json], pictures: Pictures) -> None:
    """Add a row that describes the image, and below it the image in a row of its height."""
    from openpyxl.drawing.image import Image

    write_row(sheet, [describe_file("Image", content)])
    found = pictures.get(str(content.get("url")))
    if found is None:
        return
    data, _ = embeddable(found.data)
    image = Image(data)
    scale = min(1.0, _WIDEST_PIXELS / image.width)
    image.width, image.height = int(image.width * scale), int(image.height * scale)
    row = sheet.max_row + 1
    sheet.add_image(image, f"A{row}")
    sheet.row_dimensions[row].height = min(image.height * _POINTS_PER_PIXEL + 4, _HIGHEST_ROW)
    write_row(sheet, [" "])


def write_row(sheet: "Worksheet", values: Sequence[Json], *, is_bold: bool = False) -> None:
    """Add a row below the last one of the sheet."""
    from openpyxl.styles import Font

    row = sheet.max_row + 1 if sheet.max_row > 1 or sheet["A1"].value is not None else 1
    for column, value in enumerate(values, 1):
        cell = sheet.cell(row=row, column=column)
        set_value(cell, value)
        if is_bold:
            cell.font = Font(bold=True)


def set_value(cell: Any, value: Json) -> None:
    """Put a value into a cell. A date in text form becomes a date, and text that looks like a formula stays text."""
    moment = _moment(value) if isinstance(value, str) and cell.number_format != "@" else None
    if moment is not None:
        is_plain = cell.number_format == "General"
        cell.value = moment
        if is_plain:
            cell.number_format = "yyyy-mm-dd hh:mm:ss" if isinstance(moment, datetime) else "yyyy-mm-dd"
    elif isinstance(value, str):
        cell.value = plain(value)[:_LONGEST]
        cell.data_type = "s"
    else:
        cell.value = value


def _moment(text: str) -> date | datetime | None:
    """The date, or the date and time, in a text in ISO 8601 form; None for any other text.

    It is also None for a time with an offset, which cells cannot hold, and for a date before 1901, because Excel's
    calendar starts in 1900 and has a wrong leap day there.
    """
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        found = date.fromisoformat(text) if len(text) == _DATE_CHARS else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year > _FIRST_YEAR else None


def _title(text: str, taken: set[str]) -> str:
    base = re.sub(r"[\[\]:*?/\\]", " ", text).strip(" '")[:31] or "Sheet"
    title, number = base, 2
    while title.lower() in taken:
        title = f"{base[: 31 - len(str(number)) - 1]} {number}"
        number += 1
    taken.add(title.lower())
    return title


def _widen(sheet: "Worksheet") -> None:
    from openpyxl.utils import get_column_letter

    for index, column in enumerate(sheet.iter_cols(values_only=True), 1):
        longest = max((len(str(value)) for value in column if value is not None), default=8)
        sheet.column_dimensions[get_column_letter(index)].width = min(max(longest + 2, 8), _WIDEST)
