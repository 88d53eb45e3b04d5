"""Blocks as an Excel file with openpyxl: one sheet per input."""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from pipelex.content.render import describe_file
from pipelex.errors.json import Json, as_array, as_object, exactly
from pipelex.inference.documents.archive import plain, settled
from pipelex.inference.documents.docx import readable
from pipelex.pipes.effects.layout import Block, rows_of

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_LONGEST = 32_767
"""Characters of one cell."""
_WIDEST = 60


def printed(blocks: Sequence[Block]) -> bytes:
    """The blocks as an Excel file; numbers and booleans stay what they are, and no text becomes a formula."""
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
        _add(sheet, block)
    if first is not None and sheet is not None:
        book.remove(first)
    for each in book.worksheets:
        _widen(each)
    out = BytesIO()
    book.save(out)
    return settled(out.getvalue())


def _add(sheet: "Worksheet", block: Block) -> None:
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
            write_row(sheet, [describe_file("Image", as_object(block["content"]))])
        case "markdown" | "html":
            for text, _ in readable(exactly(block["kind"], str), exactly(block["text"], str)):
                write_row(sheet, [text])
        case _:
            write_row(sheet, [block["text"]])


def write_row(sheet: "Worksheet", values: Sequence[Json], *, is_bold: bool = False) -> None:
    """Add a row below what the sheet holds."""
    from openpyxl.styles import Font

    row = sheet.max_row + 1 if sheet.max_row > 1 or sheet["A1"].value is not None else 1
    for column, value in enumerate(values, 1):
        cell = sheet.cell(row=row, column=column)
        set_value(cell, value)
        if is_bold:
            cell.font = Font(bold=True)


def set_value(cell: Any, value: Json) -> None:
    """Put a value into a cell; a text that looks like a formula stays a text."""
    if isinstance(value, str):
        cell.value = plain(value)[:_LONGEST]
        cell.data_type = "s"
    else:
        cell.value = value


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
