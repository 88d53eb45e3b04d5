"""Runs a method once for each of many rows, several rows at a time, each under an id of its own."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from pipelex.content.inputs import PlacedInputs, one_error
from pipelex.content.rows import InputTable, read_rows
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import Fault, PipelexError
from pipelex.library import Library, Pipe
from pipelex.pipes.calls import OnItemFailure
from pipelex.pipes.window import drain
from pipelex.runner._inputs import input_slots
from pipelex.runner._result import RunResult


class TakesRows(Protocol):
    """The part of a method that running rows needs."""

    @property
    def library(self) -> Library: ...

    def pipe(self, name: str | None = None) -> Pipe: ...

    def read_inputs(
        self, inputs: Mapping[str, Json], pipe: str | None = None, *, allow_files: bool | Path = True
    ) -> Mapping[str, Stuff]: ...


@dataclass(frozen=True)
class RowRun:
    """The outcome of one row: a result or an error."""

    index: int
    """The row's index, from 0."""
    run_id: str
    result: RunResult | None = None
    error: PipelexError | None = None
    """The error of the row's run, if the run failed and failures are collected; else None."""


@dataclass(frozen=True)
class ManyRows:
    """Rows as inputs, each with its label for messages."""

    inputs: Sequence[Mapping[str, Json]]
    labels: Sequence[str]
    table: InputTable | None = None
    """The table of the CSV file that the rows come from; None if they come from no file."""

    @classmethod
    def of(
        cls,
        method: TakesRows,
        rows: Sequence[Mapping[str, Json]] | Path,
        pipe: str | None,
        *,
        constant: PlacedInputs | None = None,
        allow_files: bool | Path = True,
    ) -> "ManyRows":
        """The rows, after all of them have been checked.

        Args:
            method: the method to run.
            rows: input name → value for each row; or a CSV file.
            pipe: the pipe to run.
            constant: inputs that are the same for every row of a file.
            allow_files: see `Method.read_inputs`.

        Raises:
            PipelexError: a row does not fit; the report lists every fault with its row.
        """
        if isinstance(rows, Path):
            table = read_rows(rows, input_slots(method.pipe(pipe)), method.library, constant=constant)
            many = cls([row.inputs for row in table.rows], [row.label for row in table.rows], table)
        else:
            many = cls(rows, [f"row {number}" for number in range(1, len(rows) + 1)])
        faults = [
            fault for index in range(len(many.inputs)) for fault in many._faults(method, index, pipe, allow_files)
        ]
        if faults:
            raise one_error(faults)
        return many

    def _faults(self, method: TakesRows, index: int, pipe: str | None, allow_files: bool | Path) -> Iterator[Fault]:
        try:
            method.read_inputs(self.inputs[index], pipe, allow_files=allow_files)
        except PipelexError as wrong:
            own = Fault(wrong.code, wrong.report.detail, wrong.report.location, params=dict(wrong.report.params))
            for fault in wrong.report.faults or (own,):
                yield Fault(
                    fault.code,
                    f"{self.labels[index]}: {fault.detail}",
                    fault.location,
                    params=fault.params,
                    suggestions=fault.suggestions,
                )


async def run_rows(
    many: ManyRows,
    run: Callable[[Mapping[str, Json], str], Awaitable[RunResult]],
    *,
    run_id: str,
    limit: int,
    on_item_failure: OnItemFailure,
    on_row: Callable[[RowRun], None] | None,
) -> list[RowRun]:
    """Run every row, at most `limit` at a time.

    Args:
        many: the rows.
        run: runs one row under an id.
        run_id: the beginning of the ids of the runs.
        limit: the most rows to run at a time.
        on_item_failure: whether a failing row ends everything, or its error is reported beside the results.
        on_row: called as each row ends.

    Raises:
        PipelexError: a row failed, and that ends everything.
    """
    width = len(str(len(many.inputs)))
    found: list[RowRun | None] = [None] * len(many.inputs)

    async def one(index: int) -> None:
        row_id = f"{run_id}-{index + 1:0{width}}"
        try:
            ended = RowRun(index, row_id, result=await run(many.inputs[index], row_id))
        except PipelexError as failed:
            ended = RowRun(index, row_id, error=failed)
            if on_item_failure == "fail":
                raise failed.with_report(detail=f"{many.labels[index]}: {failed.report.detail}") from failed
        found[index] = ended
        if on_row is not None:
            on_row(ended)

    await drain((partial(one, index) for index in range(len(found))), limit=max(1, min(limit, len(found))))
    return [each for each in found if each is not None]
