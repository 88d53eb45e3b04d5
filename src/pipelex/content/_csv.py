"""Tables in CSV: reads objects of a flat shape from a table, and writes them to one."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from pipelex.content._shapes import ChoiceShape, FieldShape, ObjectShape, ScalarShape
from pipelex.content._validate import ContentError, parse_scalar, validate
from pipelex.content.files.local import why_unfit
from pipelex.content.files.not_readable import NotReadable
from pipelex.content.files.text import decoded
from pipelex.errors import near_names
from pipelex.errors.bounds import clipped
from pipelex.errors.json import Json, as_object

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
"""The beginning of a cell that a spreadsheet program takes for a formula and runs when the file is opened. An
apostrophe before it makes the cell text (https://owasp.org/www-community/attacks/CSV_Injection)."""

MOST_COLUMNS: Final = 16_384
"""The maximum number of columns of a table, which is that of spreadsheet programs."""


def read_csv(path: Path, shape: ObjectShape) -> list[Json]:
    """The objects of a table: the first row names fields, every other row is one object, an empty cell is absent.

    Raises:
        ContentError: columns are unknown or missing, or cells cannot be read as their fields.
        OSError: the file cannot be read.
    """
    table = read_table(path)
    fields = _columns(table.columns, shape, path.name)
    faults: list[tuple[str, str]] = []
    items: list[Json] = []
    for line, cells in table.rows:
        where = f"{path.name}, line {line}"
        try:
            items.append(validate(shape, object_of(fields, cells)))
        except ContentError as error:
            faults += [(f"{where}, column '{column}'", message) for column, message in error.faults]
    if faults:
        raise ContentError(faults)
    return items


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV file."""

    columns: tuple[str, ...]
    """The names in the first row."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """The other rows, each with its line number. A row may have fewer cells than there are columns, but never more."""


def read_table(path: Path) -> Table:
    """The cells of a CSV file, without the apostrophes that `write_csv` puts before formulas.

    Raises:
        ContentError: the file is not text, is not CSV, has no first row or more than `MOST_COLUMNS`, or a row has more cells
            than the first.
        OSError: the file cannot be read.
    """
    if (why := why_unfit(path)) is not None:
        raise ContentError([(path.name, why)])
    try:
        text = decoded(path.read_bytes())
    except NotReadable as error:
        raise ContentError([(f"{path.name}, line {error.line}", f"{error}; save it as UTF-8")]) from None
    rows = _rows(text, path.name)
    header = next(rows, None)
    if header is None:
        raise ContentError([(path.name, "is empty: the first row must name the fields")])
    found = tuple((line, tuple(map(_without_guard, cells))) for line, cells in rows)
    columns = _named([name.strip() for name in header[1]], found)
    if len(columns) > MOST_COLUMNS:
        raise ContentError([(path.name, f"has {len(columns):,} columns, and a table may have {MOST_COLUMNS:,}")])
    found = tuple((line, _without_end(cells, len(columns))) for line, cells in found)
    faults = [
        (f"{path.name}, line {line}", f"has {len(cells)} cells, the header {len(columns)}")
        for line, cells in found
        if len(cells) > len(columns)
    ]
    if faults:
        raise ContentError(faults)
    return Table(columns, found)


def _without_guard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _named(names: list[str], rows: Iterable[tuple[int, tuple[str, ...]]]) -> tuple[str, ...]:
    """The columns without those at the end that have neither a name nor cells, which spreadsheet programs leave."""
    used = max((len(_without_end(cells, 0)) for _, cells in rows), default=0)
    return _without_end(tuple(names), max(used, 1))


def _without_end(cells: tuple[str, ...], length: int) -> tuple[str, ...]:
    """The cells of a row, without the empty cells beyond a given length."""
    end = len(cells)
    while end > length and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _separator(text: str) -> str:
    """The separator of the cells: a comma, or a semicolon or a tab if the first row has no comma."""
    first = text.split("\n", 1)[0]
    return "," if "," in first else ";" if ";" in first else "\t" if "\t" in first else ","


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ContentError([(f"{name}, line {reader.line_num}", f"is not valid CSV: {error}")]) from None


def _columns(names: Sequence[str], shape: ObjectShape, file_name: str) -> list[FieldShape]:
    where = f"{file_name}, line 1"
    faults: list[tuple[str, str]] = []
    fields: list[FieldShape] = []
    for name in names:
        field = shape.field(name)
        if field is None:
            near = near_names(name, [known.name for known in shape.fields])
            hint = f"; did you mean '{near[0]}'?" if near else ""
            faults.append((where, f"the column '{clipped(name)}' is not a field of {shape.title}{hint}"))
        elif field in fields:
            faults.append((where, f"the column '{name}' appears twice"))
        else:
            fields.append(field)
    missing = [field.name for field in shape.fields if field.required and field.name not in names]
    faults += [(where, f"the required column '{name}' is missing") for name in missing]
    if faults:
        raise ContentError(faults)
    return fields


def object_of(fields: Sequence[FieldShape], cells: Sequence[str]) -> dict[str, Json]:
    """The object of a row, not checked yet; an empty cell leaves its field out."""
    found: dict[str, Json] = {}
    for field, cell in zip(fields, cells, strict=False):
        if cell == "":
            continue
        if isinstance(field.shape, ScalarShape):
            value = parse_scalar(field.shape.kind, cell)
            # A cell that cannot be read stays a text, and the check of the object then says what is expected.
            found[field.name] = cell if value is None else value
        else:
            found[field.name] = cell.strip() if isinstance(field.shape, ChoiceShape) else cell
    return found


def write_csv(items: Sequence[Json], shape: ObjectShape, stream: TextIO) -> None:
    """Write objects as a table that `read_csv` reads back; an absent field is an empty cell.

    A text that a spreadsheet program would run as a formula is written with an apostrophe before it, which `read_csv`
    removes.

    Raises:
        ContentError: the concept is not flat: it has a nested object, list or dict.
    """
    if not shape.is_flat:
        nested = [field.name for field in shape.fields if not isinstance(field.shape, ScalarShape | ChoiceShape)]
        raise ContentError([("", f"{shape.title} is not a table row: {', '.join(nested)} cannot be a single cell")])
    names = [field.name for field in shape.fields]
    write_table(names, [[as_object(item).get(name) for name in names] for item in items], stream)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Json]], stream: TextIO) -> None:
    """Write rows of single values under their columns; see `write_csv`."""
    stream.write(_line([_cell(name) for name in columns]))
    for row in rows:
        stream.write(_line([_cell(value) for value in row]))


def _line(cells: Sequence[str]) -> str:
    """A row of a table, as a line of CSV. The CSV writer itself quotes line ends in cells, and a lone empty cell."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return str(value)
