"""A page as text: columns one after the other, tables as tables of Markdown.

pdfplumber, which markitdown uses, finds tables only by their lines, and finds none correctly on a rotated page.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pipelex.reading.layout.rows import PARAGRAPH, Band, Row, bands_of, rows_of, text_of
from pipelex.reading.layout.ruled import Grid, grids_of
from pipelex.reading.layout.words import Word, words_of
from pipelex.reading.markup import markdown_table


def laid_out(page: Any, textpage: Any) -> str | None:
    """The text of a page with columns, tables or rotated text; None for any other page, which needs no new order.

    Args:
        page: the page, an object of PDFium's binding.
        textpage: its text page.
    """
    words, turn = words_of(textpage)
    if not words:
        return None
    grids = [grid for grid in grids_of(page, turn) if _is_filled(grid, words)]
    bands = _bands([word for word in words if not any(grid.cell_of(word) for grid in grids)])
    if not grids and turn == 0 and all(not band.gutters for band in bands):
        return None
    return _written(bands, grids, words)


def in_columns(words: Sequence[Word]) -> str | None:
    """The text of words whose lines are not known, like those of a scan; None if they form no columns or tables."""
    bands = _bands(words)
    return _written(bands, (), words) if any(band.gutters for band in bands) else None


def _bands(words: Sequence[Word]) -> list[Band]:
    bands = bands_of(rows_of(words)) if words else ()
    return [part for band in bands for part in _plain_or_not(band)]


def _is_filled(grid: Grid, words: Sequence[Word]) -> bool:
    """Whether the grid is a table, with words in three cells or more; a frame around a text or a drawing has fewer."""
    return len({cell for word in words if (cell := grid.cell_of(word)) is not None}) >= 3


def _plain_or_not(band: Band) -> Iterator[Band]:
    """The band itself if it has columns of prose; otherwise its table, and its other rows one by one.

    Rows at the end of a table that have words only in its first column do not belong to it.
    """
    if not band.gutters or band.is_prose:
        yield band
        return
    end = len(band.rows) if band.is_table else 0
    while end and not any(band.cells[end - 1][1:]):
        end -= 1
    if end:
        yield Band(band.rows[:end], band.gutters)
    yield from (Band([row]) for row in band.rows[end:])


def _written(bands: Sequence[Band], grids: Sequence[Grid], words: Sequence[Word]) -> str:
    parts: list[tuple[float, float, str]] = []
    tables = {grid: _drawn_table(grid, words) for grid in grids}
    plain: list[Row] = []
    for band in bands:
        top = band.rows[0].box.top
        if not band.gutters and not (plain and any(plain[0].box.top < grid.ys[0] < top for grid in grids)):
            plain += band.rows
            continue
        parts += _plain_part(plain)
        plain = [] if band.gutters else list(band.rows)
        if band.gutters:
            parts.append((top, 0.0, _columns(band, tables) if band.is_prose else _table(band)))
    parts += _plain_part(plain)
    parts += [(_shelf(grid, list(tables)), grid.xs[0], text) for grid, text in tables.items()]
    return "\n\n".join(text for _, _, text in sorted(parts, key=lambda part: part[:2]))


def _plain_part(rows: Sequence[Row]) -> list[tuple[float, float, str]]:
    return [(rows[0].box.top, 0.0, _paragraphs(rows))] if rows else []


def _shelf(grid: Grid, grids: Sequence[Grid]) -> float:
    """The height at which a table is read: that of the highest of the tables beside it."""
    middle = (grid.ys[0] + grid.ys[-1]) / 2
    return min(other.ys[0] for other in grids if other.ys[0] <= middle <= other.ys[-1])


def _paragraphs(rows: Sequence[Row]) -> str:
    lines: list[str] = []
    above: Row | None = None
    for row in rows:
        if above is not None and row.box.top - above.box.bottom > PARAGRAPH * max(row.box.height, above.box.height):
            lines.append("")
        lines.append(text_of(row.words))
        above = row
    return "\n".join(lines)


def _columns(band: Band, tables: dict[Grid, str]) -> str:
    """The columns of a band, each with its own tables, which are taken out of `tables`."""
    columns = zip(band.columns, zip(*band.cells, strict=True), strict=True)
    return "\n\n".join(
        _column([Row(words) for words in column if words], _tables_within(place, band, tables))
        for place, column in columns
    )


def _tables_within(place: tuple[float, float], band: Band, tables: dict[Grid, str]) -> list[tuple[float, str]]:
    """The heights and texts of the tables that stand in one column of a band, from top to bottom."""
    top, bottom = band.rows[0].box.top, band.rows[-1].box.bottom
    inside = [grid for grid in tables if place[0] < grid.xs[0] and grid.xs[-1] < place[1] and top < grid.ys[0] < bottom]
    return sorted((grid.ys[0], tables.pop(grid)) for grid in inside)


def _column(rows: Sequence[Row], tables: Sequence[tuple[float, str]]) -> str:
    parts: list[str] = []
    for top, text in tables:
        above = [row for row in rows if row.box.top < top]
        parts += [_paragraphs(above), text]
        rows = rows[len(above) :]
    return "\n\n".join(part for part in [*parts, _paragraphs(rows)] if part)


def _table(band: Band) -> str:
    return markdown_table([[text_of(cell) for cell in row] for row in band.cells])


def _drawn_table(grid: Grid, words: Sequence[Word]) -> str:
    cells: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        place = grid.cell_of(word)
        if place is not None:
            cells.setdefault(place, []).append(word)
    rows = [
        [_cell(cells.get((row, column), [])) for column in range(len(grid.xs) - 1)] for row in range(len(grid.ys) - 1)
    ]
    return markdown_table([row for row in rows if any(row)])


def _cell(words: Sequence[Word]) -> str:
    return " ".join(text_of(row.words) for row in rows_of(words)) if words else ""
