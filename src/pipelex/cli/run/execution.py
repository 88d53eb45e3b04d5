"""The whole of `pipelex run`, from the target to the files."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.attributes import attributes_of
from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.keys import ARGS_KEY
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.progress import Progress, progress
from pipelex.cli._shared.results import print_json
from pipelex.cli._shared.session import open_app
from pipelex.cli._shared.targets import Target, open_target
from pipelex.cli.completing import remember
from pipelex.cli.run.corrected import corrected
from pipelex.cli.run.ending import Ended, files_wanted, finish
from pipelex.cli.run.files import check_is_a_table, check_places
from pipelex.cli.run.flags import RunFlags
from pipelex.cli.run.inputs import RawInputs, constant_inputs, gather_inputs
from pipelex.cli.runs.endings import AFTER_INTERRUPT, ending_text
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.exits import ExitCode
from pipelex.orchestration import IN_PROCESS, RunState, factory_of

if TYPE_CHECKING:
    from pipelex.library import Pipe
    from pipelex.pipes.trace import PipeTrace
    from pipelex.runner import Method, Pipelex, RunHandle, RunKeywords


def run_target(ctx: typer.Context, target: Target, library_dirs: Sequence[Path], flags: RunFlags) -> None:
    """Load a target, run it, show the result.

    Raises:
        PipelexError: the method is invalid, or nothing could be run.
        RunFailed: the run failed; what it leaves is written.
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
        # Checked before anything is connected or started, and again where the values are read.
        if not (flags.mock_inputs and raw is None):
            method.read_inputs(raw, pipe.ref, allow_files=allow_files)
    _prepare_models(app, method, pipe, flags)
    work = _Run(app, method, pipe.ref, raw, flags, allow_files)
    try:
        ended = asyncio.run(work.to_the_end())
    except Interrupted as interrupted:
        work.tell_how_to_go_on()
        raise typer.Exit(interrupted.exit_code) from None
    if ended is not None:
        _finish(ctx, app, method, ended, flags)


def _finish(ctx: typer.Context, app: "Pipelex", method: "Method", ended: Ended, flags: RunFlags) -> None:
    try:
        finish(app, method, ended, flags, ctx.meta.get(ARGS_KEY, ()))
    except KeyboardInterrupt:
        run_id = ended.handle.run_id
        kept = "" if flags.dry_run else f" It is paid for, and its result is kept:  pipelex runs result {run_id}"
        say(f"\nInterrupted while the files of run {run_id} were written.{kept}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _allowed_files(flags: RunFlags, target: Target, raw: RawInputs) -> bool | Path:
    """The files that inputs may name: any, or those of the method's folder where the folder brought its own inputs."""
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
    """The name that the flags choose; None where the settings choose."""
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


class _Run:
    """One run, and what is known of it when it is interrupted."""

    def __init__(
        self, app: "Pipelex", method: "Method", pipe: str, raw: RawInputs, flags: RunFlags, allow_files: bool | Path
    ) -> None:
        self._app = app
        self._method = method
        self._pipe = pipe
        self._raw = raw
        self._flags = flags
        self._allow_files = allow_files
        self._run_id: str | None = None
        self._state: RunState | None = None
        """The state in which the run ended after an interruption that was to cancel it."""

    async def to_the_end(self) -> Ended | None:
        """The run, ended; None when it goes on without us."""
        async with self._app:  # which ends what still runs in this process
            if self._app.orchestrator.is_durable:
                return await self._elsewhere()
            with progress(self._pipe, is_silent=self._flags.json) as shown:
                return await interruptible(self._in_process(shown))

    async def _in_process(self, shown: Progress) -> Ended:
        from pipelex.cli.runs.attached import told

        handle = _noted(await self._method.start(self._raw, **self._keywords(on_change=shown.trace)), shown)
        try:
            result = await told(handle, shown, handle.result())
            return await Ended.of(handle, result=result, wants_page=self._wants_page)
        except PipelexError as failed:
            return await Ended.of(handle, failed=failed)

    @property
    def _wants_page(self) -> bool:
        from pipelex.cli.run.ending import files_wanted

        wanted = files_wanted(self._app, self._flags)
        return wanted.graph and (wanted.main_stuff or wanted.working_memory)

    @property
    def _wants_memory(self) -> bool:
        flags = self._flags
        return flags.save_working_memory or flags.with_memory or flags.working_memory_path is not None

    async def _elsewhere(self) -> Ended | None:
        from pipelex.cli.runs.attached import Patience, check_for_workers, follow

        flags, orchestrator = self._flags, self._app.orchestrator
        patience = Patience(orchestrator, waits=flags.wait is True, is_silent=flags.json)
        await interruptible(patience.until_it_can(orchestrator.connect))
        if flags.wait is False:
            await check_for_workers(orchestrator)
        handle = await interruptible(patience.until_it_can(self._start))
        self._run_id = handle.run_id
        remember(handle.run_id)
        if flags.detach:
            self._print_id(handle)
            return None
        with progress(f"{self._pipe} ({handle.run_id})", is_silent=flags.json) as shown:
            following = follow(
                _noted(handle, shown), shown, full_memory=self._wants_memory, waits=flags.wait is not False
            )
            try:
                return await Ended.of(handle, result=await interruptible(following), wants_page=self._wants_page)
            except PipelexError as failed:
                return await Ended.of(handle, failed=failed)
            except Interrupted:
                if flags.cancel_on_interrupt:
                    self._state = await interruptible(handle.cancel(within=AFTER_INTERRUPT))
                raise

    async def _start(self) -> "RunHandle":
        return await self._method.start(self._raw, **self._keywords())

    def _keywords(self, on_change: "Callable[[PipeTrace], None] | None" = None) -> "RunKeywords":
        flags = self._flags
        return {
            "pipe": self._pipe,
            "run_id": flags.run_id,
            "dry_run": flags.dry_run,
            "mock": flags.mock_inputs,
            "full_memory": self._wants_memory and not flags.detach,
            "output_concept": flags.dynamic_output_concept,
            "on_item_failure": flags.on_item_failure,
            "allow_files": self._allow_files,
            "attributes": attributes_of(flags.attribute or (), flags.tag or ()),
            "on_change": on_change,
        }

    def _print_id(self, handle: "RunHandle") -> None:
        if self._flags.json:
            attached = {"attached": True} if handle.is_attached else {}
            print_json({"pipeline_run_id": handle.run_id, "workflow_id": handle.workflow_id} | attached)
        else:
            out(handle.run_id)
            say(f"{handle.note or 'Started.'} Follow it with: pipelex runs watch {handle.run_id}")

    def tell_how_to_go_on(self) -> None:
        """After an interruption: what became of the run."""
        if self._flags.json:
            return
        if self._run_id is None:
            was = "nothing was started" if self._app.orchestrator.is_durable else "the run was cancelled"
            say(f"Interrupted; {was}.")
        elif self._state is not None:
            say(f"Interrupted. {ending_text(self._run_id, self._state)}")
        else:
            say(f"Detached; run {self._run_id} goes on.")
            say(f"  Get its result:  pipelex runs result {self._run_id}")
            say(f"  Cancel it:       pipelex runs cancel {self._run_id}")


def _noted(handle: "RunHandle", shown: Progress) -> "RunHandle":
    """The handle; what was found under the run's id is told."""
    if handle.note is not None:
        shown.note(handle.note)
    return handle
