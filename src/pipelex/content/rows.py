"""Reads the rows of a table as inputs of a pipe that runs once for each row, and writes the results beside them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, cast

from pipelex.config.files.paths import resolved
from pipelex.content._csv import object_of, read_table, write_table
from pipelex.content.inputs import ConceptView, InputSlot, PlacedInputs
from pipelex.content.structure import ContentError, ObjectShape, ScalarShape, Shape
from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.content.typed import TypedInputs
from pipelex.errors import ErrorCategory, Location, PipelexError, near_names

RESULT: Final = "result"
ERROR: Final = "error"
_FORM: Final = "Rows are a CSV file in UTF-8, or UTF-16 with a byte order mark; its first row names the inputs."


@dataclass(frozen=True, slots=True)
class InputRow:
    """A row of a table, and the inputs that it stands for."""

    label: str
    """The row's place, for messages: `rows.csv, line 3`."""
    cells: Mapping[str, str]
    """The row as it is written, by column."""
    inputs: PlacedInputs


@dataclass(frozen=True, slots=True)
class InputTable:
    """The rows of a CSV file as inputs."""

    columns: tuple[str, ...]
    rows: tuple[InputRow, ...]
    unused: tuple[str, ...]
    """Columns that are not inputs; they are written out again beside the results."""


def read_rows(
    path: Path, slots: Mapping[str, InputSlot], concepts: ConceptView, *, constant: PlacedInputs | None = None
) -> InputTable:
    """Read the rows of a CSV file as a pipe's inputs.

    Each column is the input of its name, and each cell is read as if it were typed. If no column is an input and the
    pipe takes one flat structure, the columns are its fields. An empty cell leaves the input out. Relative paths start
    at the file's folder.

    Args:
        path: the file.
        slots: the pipe's declared inputs.
        concepts: the library's view of concepts.
        constant: inputs that are the same for every row.

    Raises:
        PipelexError: the file cannot be read, a column occurs twice, or a cell does not fit its input.
    """
    try:
        table = read_table(path)
    except FileNotFoundError:
        raise _unreadable(path, f"there is no file '{path}'", "not_found") from None
    except IsADirectoryError:
        raise _unreadable(path, f"'{path}' is a folder, not a CSV file", "is_a_directory") from None
    except OSError as error:
        raise _unreadable(path, f"'{path}' cannot be read: {error.strerror or error}", "unreadable") from None
    except ContentError as error:
        raise _unreadable(path, error.told(), "not_csv") from None
    if len(set(table.columns)) < len(table.columns):
        twice = next(name for name in table.columns if table.columns.count(name) > 1)
        what = f"names the column '{twice}' twice" if twice else "has several columns without a name"
        raise _unreadable(path, f"{path.name}, line 1 {what}", "repeated_column")
    constant = constant or PlacedInputs()
    whole = _whole(table.columns, slots, concepts)
    if whole is None:
        _check_names(path, table.columns, [name for name in slots if name not in constant], slots)
    folder = resolved(path).parent
    rows: list[InputRow] = []
    for line, cells in table.rows:
        named = {name: cell for name, cell in zip(table.columns, cells, strict=False)}  # noqa: C416 typed as a dict
        typed = TypedInputs(slots, concepts, folder)
        for name, value in constant.items():
            typed.found.put(name, value, constant.folders.get(name, folder))
        label = f"{path.name}, line {line}"
        try:
            _fill(typed, named, whole, slots, concepts)
        except PipelexError as wrong:
            raise wrong.with_report(detail=f"{label}: {wrong.report.detail}") from None
        rows.append(InputRow(label, named, typed.found))
    used = _fields_of(whole, slots, concepts) if whole is not None else set(slots)
    return InputTable(table.columns, tuple(rows), tuple(name for name in table.columns if name not in used))


def _unreadable(path: Path, detail: str, reason: str, advice: str = _FORM) -> PipelexError:
    return PipelexError(
        "input.file_unreadable",
        detail,
        category=ErrorCategory.CONTENT,
        params={"file_type": "csv", "reason": reason},
        location=Location(file=str(path)),
        advice=advice,
    )


def _check_names(path: Path, columns: Sequence[str], names: Sequence[str], slots: Mapping[str, InputSlot]) -> None:
    """Refuse a column whose name looks like a misspelling of an input that has no column."""
    for name in names:
        if name in columns or slots[name].presence == "optional":
            continue
        near = [column for column in columns if column not in slots and name in near_names(column, names)]
        if near:
            detail = f"{path.name}, line 1: the column '{near[0]}' is not an input; did you mean '{name}'?"
            raise _unreadable(path, detail, "unknown_column", f"Rename the column to '{name}'.")


def _whole(columns: Sequence[str], slots: Mapping[str, InputSlot], concepts: ConceptView) -> str | None:
    """The input that a whole row stands for; None if a column is an input or no single input fits."""
    if any(name in slots for name in columns):
        return None
    rows = [name for name in slots if _fields_of(name, slots, concepts) & set(columns)]
    return rows[0] if len(rows) == 1 else None


def _fields_of(name: str, slots: Mapping[str, InputSlot], concepts: ConceptView) -> set[str]:
    slot = slots[name]
    shape = concepts.shape(slot.concept)
    is_row = not slot.is_list and isinstance(shape, ObjectShape) and shape.native is None and shape.is_flat
    return {field.name for field in shape.fields} if is_row and isinstance(shape, ObjectShape) else set()


def _fill(
    typed: TypedInputs,
    cells: Mapping[str, str],
    whole: str | None,
    slots: Mapping[str, InputSlot],
    concepts: ConceptView,
) -> None:
    if whole is None:
        for name, cell in cells.items():
            if name in slots and cell:
                typed.add_value(name, f"@{cell}" if cell.startswith("@") else cell)
        return
    shape = concepts.shape(slots[whole].concept)
    assert isinstance(shape, ObjectShape)
    known = [(field, cells[field.name]) for field in shape.fields if field.name in cells]
    value = object_of([field for field, _ in known], [cell for _, cell in known])
    typed.found.put(whole, value, typed.folder)


# --- results ----------------------------------------------------------------------------------------------------------


def result_columns(shape: Shape, *, is_list: bool) -> tuple[str, ...]:
    """The columns of a result: the fields of a structure; `result` for anything else."""
    if is_list or not isinstance(shape, ObjectShape) or shape.native is not None:
        return (RESULT,)
    return tuple(field.name for field in shape.fields)


def result_cells(value: Stuff | Absence, shape: Shape, *, is_list: bool) -> list[Json]:
    """A result as one cell for each of its columns; a list or an object becomes JSON."""
    count = len(result_columns(shape, is_list=is_list))
    if isinstance(value, Absence):
        return [None] * count
    if is_list or not isinstance(shape, ObjectShape):
        return [_single(value.items if value.is_list else value.content)]
    content = value.content
    if not isinstance(content, Mapping):
        return [_single(content)] * count
    members = cast("Mapping[str, Json]", content)
    if shape.native is None:
        return [_single(members.get(field.name)) for field in shape.fields]
    required = [field for field in shape.fields if field.required]
    if len(required) == 1 and isinstance(required[0].shape, ScalarShape):
        return [_single(members.get(required[0].name))]
    return [_single(content)]


def _single(value: Json) -> Json:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | list) else value


def write_rows(
    columns: Sequence[str],
    added: Sequence[str],
    rows: Iterable[tuple[Mapping[str, str], Sequence[Json] | None, str | None]],
    stream: TextIO,
) -> None:
    """Write each row with its result: the row's cells, the result's cells, and the error if there is one.

    A result's column is called `result.NAME` if the table has a column of that name.

    Args:
        columns: the columns of the table.
        added: the columns of the result.
        rows: each row's cells by column, its result's cells, and its error.
        stream: the stream to write to.
    """
    known = list(rows)
    names = [f"{RESULT}.{name}" if name in columns else name for name in added]
    errors = [ERROR if ERROR not in (*columns, *names) else f"{RESULT}.{ERROR}"]
    has_errors = any(error is not None for _, _, error in known)
    written = [
        [
            *(cells.get(name) for name in columns),
            *(found if found is not None else [None] * len(names)),
            *([error] if has_errors else []),
        ]
        for cells, found, error in known
    ]
    write_table([*columns, *names, *(errors if has_errors else [])], written, stream)
