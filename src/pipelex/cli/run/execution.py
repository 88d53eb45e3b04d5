"""The whole of `pipelex run`, from the target to the files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.attributes import attributes_of
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.keys import ARGS_KEY
from pipelex.cli._shared.loops import Interrupted
from pipelex.cli._shared.progress import notice
from pipelex.cli._shared.session import open_app
from pipelex.cli._shared.targets import Target, open_target
from pipelex.cli.run.corrected import corrected
from pipelex.cli.run.ending import Ended, files_wanted, finish
from pipelex.cli.run.files import check_is_a_table, check_places
from pipelex.cli.run.flags import RunFlags
from pipelex.cli.run.inputs import RawInputs, constant_inputs, gather_inputs, read_once
from pipelex.cli.run.one import OneRun
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.exits import ExitCode
from pipelex.orchestration import IN_PROCESS, factory_of

if TYPE_CHECKING:
    from pipelex.library import Pipe
    from pipelex.runner import Method, Pipelex


def run_target(ctx: typer.Context, target: Target, library_dirs: Sequence[Path], flags: RunFlags) -> None:
    """Load a target, run it, and show the result.

    Raises:
        PipelexError: the method is invalid, or the run could not be started.
        RunFailed: the run failed; its files have been written.
    """
    app = open_app(
        ctx,
        server=flags.server,
        orchestrator=_orchestrator(flags),
        durable=flags.local is False,
        connects=not flags.dry_run,
    )
    _check(flags, app)
    check_places(files_wanted(app, flags))
    method = open_target(app, target, library_dirs)
    pipe = method.pipe(target.pipe)
    if flags.inputs_csv is not None:
        _run_rows(ctx, app, method, pipe, flags)
        return
    if flags.save_csv is not None:
        check_is_a_table(method.library, pipe)
    raw: RawInputs = None
    with corrected(ctx, pipe, method.library):
        if not flags.mock_inputs or flags.inputs:
            raw = gather_inputs(flags.inputs or (), target.folder, pipe, method.library)
        allow_files = _allowed_files(flags, target, raw)
        raw = read_once(raw, pipe, method.library)
        # Checked here before anything is connected or started, and once more when the values are read.
        if not (flags.mock_inputs and raw is None):
            method.read_inputs(raw, pipe.ref, allow_files=allow_files)
    _prepare_models(app, method, pipe, flags)
    work = OneRun(app, method, pipe.ref, raw, flags, allow_files)
    try:
        ended = asyncio.run(work.to_the_end())
    except (Interrupted, KeyboardInterrupt) as interrupted:
        work.tell_how_to_go_on()
        code = interrupted.exit_code if isinstance(interrupted, Interrupted) else ExitCode.INTERRUPTED
        raise typer.Exit(code) from None
    if ended is not None:
        _finish(ctx, app, method, ended, flags)


def _finish(ctx: typer.Context, app: "Pipelex", method: "Method", ended: Ended, flags: RunFlags) -> None:
    try:
        finish(app, method, ended, flags, ctx.meta.get(ARGS_KEY, ()))
    except KeyboardInterrupt:
        run_id = ended.handle.run_id
        kept = "" if flags.dry_run else f" It is paid for, and its result is kept:  pipelex runs result {run_id}"
        notice(f"Interrupted while the files of run {run_id} were written.{kept}", is_json=flags.json)
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _allowed_files(flags: RunFlags, target: Target, raw: RawInputs) -> bool | Path:
    """The files that inputs may name: any, or only those of the method's folder if the inputs come from there."""
    is_found = not flags.inputs and isinstance(raw, Path) and target.folder is not None
    return target.folder or True if is_found else True


def _run_rows(ctx: typer.Context, app: "Pipelex", method: "Method", pipe: "Pipe", flags: RunFlags) -> None:
    from pipelex.cli.run.rows import RowsRun, tell_unused
    from pipelex.runner import ManyRows

    assert flags.inputs_csv is not None
    with corrected(ctx, pipe, method.library):
        constant = constant_inputs(flags.inputs or (), pipe, method.library)
        many = ManyRows.of(method, flags.inputs_csv, pipe.ref, constant=constant)
    if many.table is not None and not flags.json:
        tell_unused(many.table)
    _prepare_models(app, method, pipe, flags)
    RowsRun(app, method, pipe, many, flags).to_the_end()


def _prepare_models(app: "Pipelex", method: "Method", pipe: "Pipe", flags: RunFlags) -> None:
    if flags.dry_run or flags.json or app.orchestrator.is_durable:
        return
    from pipelex.cli.run.stand_in import prepare_stand_in

    prepare_stand_in(app, method, pipe)


def _orchestrator(flags: RunFlags) -> str | None:
    """The name of the orchestrator that the flags choose; None if they leave it to the settings."""
    chosen = flags.orchestrator
    if chosen is not None and flags.local is not None and factory_of(chosen).is_durable == flags.local:
        raise Misuse(f"--orchestrator {chosen} contradicts --{'local' if flags.local else 'durable'}")
    if chosen is None and (flags.local or (flags.dry_run and flags.local is None)):
        return IN_PROCESS
    return chosen


def _check(flags: RunFlags, app: "Pipelex") -> None:
    if flags.inputs_csv is not None:
        from pipelex.cli.run.rows import check_rows

        check_rows(flags)
    attributes_of(flags.attribute or (), flags.tag or ())
    if flags.mock_inputs and not flags.dry_run:
        raise Misuse("--mock-inputs needs --dry-run")
    if flags.with_memory and not flags.json:
        raise Misuse("--with-memory needs --json")
    if app.settings.run.execution == "hosted" and flags.local is None and flags.orchestrator is None:
        raise PipelexError(
            "runtime.unsupported",
            "[run] execution is 'hosted', and this release runs methods here or on Temporal",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": "hosted"},
            location=app.settings.location("run.execution"),
            advice="Give --local or --durable, or set it to 'local'.",
        )
    if flags.detach and not app.orchestrator.is_durable:
        raise Misuse("--detach needs a durable run: add --durable, or set `[temporal] is_enabled = true`")
