"""`pipelex run --inputs-csv`: runs a method on each row of a table, and writes the rows back with their results."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from pipelex.cli._shared.console import json_text, paint_err, say, say_whole
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.progress import Progress, notice, progress
from pipelex.cli._shared.results import bare_json, cost_table, print_json
from pipelex.cli._shared.usage import usage_json
from pipelex.cli.run.files import WrittenRun, new_folder, write_json, writing
from pipelex.cli.run.flags import RunFlags
from pipelex.cli.run.saved import saved_lines
from pipelex.config.own_files import open_own
from pipelex.content.rows import InputTable, result_cells, result_columns, write_rows
from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.errors import PipelexError
from pipelex.exits import ExitCode
from pipelex.orchestration import RunCounts
from pipelex.pipes.usage import Meter
from pipelex.tooling.pages import FILES

if TYPE_CHECKING:
    from pipelex.library import Pipe
    from pipelex.runner import ManyRows, Method, Pipelex, RowRun
    from pipelex.storage import SavedFiles


def check_rows(flags: RunFlags) -> None:
    """Refuse options that make no sense for many runs.

    Raises:
        Misuse: an option only works for a single run.
    """
    alone = {
        "--detach": flags.detach,
        "--with-memory": flags.with_memory,
        "--mock-inputs": flags.mock_inputs,
        "--cancel-on-interrupt": flags.cancel_on_interrupt,
        "--working-memory-path": flags.working_memory_path is not None,
    }
    for option, is_given in alone.items():
        if is_given:
            raise Misuse(f"{option} is for a single run, not for --inputs-csv")


class RowsRun:
    """The runs of a table's rows, with the facts to report if they are interrupted."""

    def __init__(self, app: "Pipelex", method: "Method", pipe: "Pipe", many: "ManyRows", flags: RunFlags) -> None:
        from pipelex.runner import new_run_id

        self._app = app
        self._method = method
        self._pipe = pipe
        self._many = many
        self._flags = flags
        self._run_id = flags.run_id or new_run_id()
        self._ended: dict[int, RowRun] = {}
        self._is_under_way = False

    def to_the_end(self) -> None:
        """Run the rows, and show and write their results.

        Raises:
            PipelexError: a row failed, and that ends all of them; the rows that had ended are written.
            typer.Exit: rows failed, or the user interrupted.
        """
        failed: PipelexError | None = None
        try:
            asyncio.run(self._run())
        except (Interrupted, KeyboardInterrupt) as interrupted:
            self._finish_all()
            self._tell_how_to_go_on()
            code = interrupted.exit_code if isinstance(interrupted, Interrupted) else ExitCode.INTERRUPTED
            raise typer.Exit(code) from None
        except PipelexError as wrong:
            failed = wrong
        self._finish_all(failed)
        if failed is not None:
            raise failed
        if any(row.error is not None for row in self._ended.values()):
            raise typer.Exit(ExitCode.FAILED)

    async def _run(self) -> None:
        async with self._app:
            if self._app.orchestrator.is_durable:
                from pipelex.cli.runs.attached import Patience, check_for_workers

                orchestrator = self._app.orchestrator
                patience = Patience(orchestrator, waits=self._flags.wait is True, is_silent=self._flags.json)
                await interruptible(patience.until_it_can(orchestrator.connect))
                if self._flags.wait is False:
                    await interruptible(check_for_workers(orchestrator))
            title = f"{self._pipe.ref} ({self._run_id})"
            with progress(title, is_silent=self._flags.json, noun="row") as shown:
                await interruptible(self._rows(shown))

    async def _rows(self, shown: Progress) -> None:
        flags, self._is_under_way = self._flags, True

        def on_row(row: "RowRun") -> None:
            self._ended[row.index] = row
            failed = sum(each.error is not None for each in self._ended.values())
            left = len(self._many.inputs) - len(self._ended)
            shown.counts(RunCounts(left, len(self._ended) - failed, failed))

        await self._method.run_many(
            self._many,
            pipe=self._pipe.ref,
            run_id=self._run_id,
            dry_run=flags.dry_run,
            output_concept=flags.dynamic_output_concept,
            on_item_failure=flags.on_item_failure,
            on_row=on_row,
        )

    def _tell_how_to_go_on(self) -> None:
        under_way = " Those under way continue." if self._app.orchestrator.is_durable and self._is_under_way else ""
        lines = [
            f"Interrupted after {len(self._ended)} of {len(self._many.inputs)} rows.{under_way}",
            f"  Go on with the others: the same command with --run-id {self._run_id}",
        ]
        notice("\n".join(lines), is_json=self._flags.json)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def _finish_all(self, failed: PipelexError | None = None) -> None:
        """Show and write the rows that have ended.

        Raises:
            typer.Exit: the user interrupted the writing.
        """
        try:
            self._finish(failed)
        except KeyboardInterrupt:
            again = f"Write them with: the same command with --run-id {self._run_id}"
            notice(f"Interrupted while the rows were written. {again}", is_json=self._flags.json)
            raise typer.Exit(ExitCode.INTERRUPTED) from None

    def _finish(self, failed: PipelexError | None = None) -> None:
        flags, meter = self._flags, Meter()
        for row in self._ended.values():
            if row.result is not None:
                meter.add(row.result.usage)
            if row.error is not None:
                meter.add_failed(row.error)
        if failed is not None:
            meter.add_failed(failed)
        written = self._write(usage_json(meter.total))
        if flags.json:
            print_json([self._row_json(index) for index in range(len(self._many.inputs))])
            if flags.costs:
                say_whole(json_text({"usage": usage_json(meter.total)}, sys.stderr))
            return
        if flags.save_csv is None and not flags.no_pretty_print:
            self._write_table(sys.stdout)
            sys.stdout.flush()
        self._say(written)
        if meter.total and flags.costs is not False:
            say(cost_table(meter.total, paint_err()))

    def _say(self, written: WrittenRun | None) -> None:
        folder = None if written is None else written.folder
        wrong = [row for _, row in sorted(self._ended.items()) if row.error is not None]
        done, count, paint = len(self._ended) - len(wrong), len(self._many.inputs), paint_err()
        mark = paint("✓", "green", "bold") if done == count else paint("✗", "red", "bold")
        say(f"{mark} {self._pipe.ref}: {done:,} of {count:,} rows done")
        for row in wrong[:20]:
            assert row.error is not None
            say(f"  {self._many.labels[row.index]}: {row.error.report.detail} ({row.error.code})")
        if len(wrong) > 20:
            say(f"  … and {len(wrong) - 20:,} more")
        for name, place in (("Rows", self._flags.save_csv), ("Output", folder)):
            if place is not None:
                say(f"  {name}: {place}{'/' if place is folder else ''}")
        for line in () if written is None else saved_lines(written.saved):
            say(line)

    def _row_json(self, index: int, saved: "SavedFiles | None" = None) -> Json:
        row = self._ended.get(index)
        found: dict[str, Json] = {"row": index + 1}
        if row is not None:
            found["pipeline_run_id"] = row.run_id
        if row is not None and row.result is not None:
            value = bare_json(row.result.value)
            found["result"] = value if saved is None else saved.with_paths(value)
        if row is not None and row.error is not None:
            found["error"] = row.error.report.to_problem(row.run_id)
        return found

    # --- files --------------------------------------------------------------------------------------------------------

    def _write(self, usage: dict[str, Json]) -> WrittenRun | None:
        with writing():
            if self._flags.save_csv is not None:
                self._flags.save_csv.parent.mkdir(parents=True, exist_ok=True)
                self._write_file(self._flags.save_csv)
            if not self._flags.save_main_stuff:
                return None
            folder = new_folder(self._flags.output_dir, f"{self._pipe.code}_rows")
            saved = asyncio.run(self._app.save_files(*self._results(), folder=folder / FILES))
            self._write_file(folder / "rows.csv", saved)
            write_json(folder / "rows.json", [self._row_json(index, saved) for index in range(len(self._many.inputs))])
            write_json(folder / "usage.json", {"id": self._run_id, "pipe": self._pipe.ref, **usage})
        return WrittenRun(folder, saved)

    def _results(self) -> list[Json]:
        return [bare_json(row.result.value) for _, row in sorted(self._ended.items()) if row.result is not None]

    def _write_file(self, path: Path, saved: "SavedFiles | None" = None) -> None:
        with open_own(path, newline="") as stream:
            self._write_table(stream, saved)

    def _write_table(self, stream: TextIO, saved: "SavedFiles | None" = None) -> None:
        table = self._many.table
        assert table is not None
        slot, library = self._pipe.output, self._method.library
        shape = library.shape(slot.concept)
        written: list[tuple[Mapping[str, str], Sequence[Json] | None, str | None]] = []
        for index, row in enumerate(table.rows):
            ended = self._ended.get(index)
            result, error = (None, None) if ended is None else (ended.result, ended.error)
            value = None if result is None else with_paths(result.value, saved)
            cells = None if value is None else result_cells(value, shape, is_list=slot.is_list)
            written.append((row.cells, cells, None if error is None else error.report.detail))
        write_rows(table.columns, result_columns(shape, is_list=slot.is_list), written, stream)


def with_paths(value: Stuff | Absence, saved: "SavedFiles | None") -> Stuff | Absence:
    """A value in which files are named by the paths of their saved copies."""
    if saved is None or not isinstance(value, Stuff):
        return value
    return replace(value, content=saved.with_paths(value.content))


def tell_unused(table: InputTable) -> None:
    """Say which columns are not inputs, because one of them may be a misspelt name."""
    if table.unused:
        say(f"Not inputs, and kept as they are: {', '.join(table.unused)}")
