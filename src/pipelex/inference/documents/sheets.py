"""Filling in Excel files that have Jinja2 in their cells.

A row with `{%tr for … %}` in a cell begins a loop over rows, and a row with `{%tr endfor %}` ends it. A cell whose
rendered text is a plain number becomes a number, and one whose text is a date becomes a date. A block that begins in
one cell and ends in another is refused, because it would tear apart the cells in between.
"""

import re
from copy import copy
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.inference.documents.archive import settled
from pipelex.inference.documents.templates import TAG, check_cell, rendered, whole_tags
from pipelex.inference.documents.xlsx import set_value
from pipelex.pipes.effects.requests import DocumentRequest

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,14})?")
_CELL: Final = "\x1f"
_ROW: Final = "\x1e"


def filled_book(request: DocumentRequest, template: bytes) -> bytes:
    """An Excel template, filled in with the values of the request."""
    from openpyxl import load_workbook

    book = load_workbook(BytesIO(template))
    for sheet in book.worksheets:
        _fill_sheet(request, sheet)
    out = BytesIO()
    book.save(out)
    return settled(out.getvalue())


def _fill_sheet(request: DocumentRequest, sheet: "Worksheet") -> None:
    """Render all rows as one text, so that loops can span rows, then rewrite the cells with their formats."""
    rows = [list(row) for row in sheet.iter_rows()]
    if not any(isinstance(cell.value, str) and TAG.search(cell.value) for row in rows for cell in row):
        return
    lines: list[str] = []
    for number, row in enumerate(rows):
        texts = [cell.value if isinstance(cell.value, str) else None for cell in row]
        whole = [match for text in texts if text is not None for match in whole_tags(text)]
        if any(kind == "tr" for kind, _ in whole):
            lines.append("".join(f"{{%{body}%}}" for kind, body in whole if kind == "tr"))
            continue
        for cell in row:
            _check_blocks(cell)
        marked = [
            f"{column}:{text}" for column, text in enumerate(texts) if text is not None and TAG.search(text) is not None
        ]
        lines.append(_ROW + _CELL.join([str(number), *marked]))
    lines_rendered = rendered(request, "".join(lines), category="basic").split(_ROW)[1:]
    kept = [[(cell.value, copy(cell._style)) for cell in row] for row in rows]
    heights: dict[int, Any] = {
        number: cast("Any", sheet.row_dimensions[number + 1]).height for number in range(len(rows))
    }
    sheet.delete_rows(1, sheet.max_row)
    for target, line in enumerate(lines_rendered, 1):
        first, *cells = line.split(_CELL)
        number = int(first)
        changed = {int(column): text for column, _, text in (cell.partition(":") for cell in cells)}
        sheet.row_dimensions[target].height = heights[number]
        for column, (value, style) in enumerate(kept[number]):
            cell = sheet.cell(row=target, column=column + 1)
            cell._style = copy(style)
            if column not in changed:
                cell.value = value
                continue
            text = changed[column]
            is_number = _NUMBER.fullmatch(text) is not None and cell.number_format != "@"
            set_value(cell, (float(text) if "." in text else int(text)) if is_number else text)


def _check_blocks(cell: Any) -> None:
    """Refuse a block that does not end in the cell in which it begins.

    Raises:
        PipelexError: the cell has such a block.
    """
    if not isinstance(cell.value, str):
        return
    check_cell(cell.value, f"the cell {cell.coordinate} of the sheet '{cell.parent.title}'")
