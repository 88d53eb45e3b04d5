"""The work behind the commands of `pipelex runs`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import typer

from pipelex.cli._shared.console import duration, moment, out, paint_err, paint_out, say, since, table
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.keys import ORCHESTRATOR_KEY
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.results import bare_json, failures_text, print_json, print_result
from pipelex.cli._shared.session import open_app
from pipelex.cli.runs.endings import ending_text
from pipelex.errors import Json
from pipelex.exits import ExitCode
from pipelex.orchestration import RunDescription, RunFilter, RunState
from pipelex.orchestration.refusals import goes_on

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunHandle, RunResult

T = TypeVar("T")


def _with_app(ctx: typer.Context, server: str | None, work: "Callable[[Pipelex], Awaitable[T]]") -> T:
    """Do something with durable runs; SIGINT ends it and leaves the runs alone."""
    chosen = ctx.meta.get(ORCHESTRATOR_KEY)
    app = open_app(ctx, server=server, orchestrator=chosen, durable=True, connects=True)

    async def run() -> T:
        async with app:
            return await interruptible(_awaited(work(app)))

    try:
        return asyncio.run(run())
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.exit_code) from None


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _with_run(ctx: typer.Context, server: str | None, run_id: str, work: "Callable[[RunHandle], Awaitable[T]]") -> T:
    async def attached(app: "Pipelex") -> T:
        return await work(await app.attach(run_id))

    return _with_app(ctx, server, attached)


def list_runs(ctx: typer.Context, wanted: RunFilter, *, server: str | None, is_json: bool) -> None:
    """Print runs, newest first."""
    found = _with_app(ctx, server, lambda app: app.orchestrator.list(wanted))
    if is_json:
        print_json({"runs": [_to_json(run) for run in found]})
        return
    if not found:
        say("No runs.")
        return
    rows = [
        [run.run_id, _code(run), run.state.words, moment(run.started), duration(since(run.started, run.ended))]
        for run in found
    ]
    out(table(rows, ["run", "pipe", "status", "started", "time"], paint_out(), right=(4,)))


def _code(run: RunDescription) -> str:
    return run.pipe.rpartition(".")[2]


def _to_json(run: RunDescription) -> dict[str, Json]:
    found: dict[str, Json] = {
        "pipeline_run_id": run.run_id,
        "workflow_id": run.workflow_id,
        "pipe_code": _code(run),
        "pipe_type": run.pipe_type,
        "status": run.state,
        "created_at": run.started.isoformat(),
    }
    if run.ended is not None:
        found["finished_at"] = run.ended.isoformat()
    return found


def show_run(ctx: typer.Context, run_id: str, *, only_failed: bool, server: str | None, is_json: bool) -> None:
    """Print a run's tree, or what of it did not succeed."""
    from pipelex.cli.runs.tree import read_view, view_text

    view = _with_run(ctx, server, run_id, read_view)
    if only_failed:
        view = view.of_failed()
    if is_json:
        print_json(view.to_json())
    else:
        out(view_text(view, paint_out()))


def print_run_result(ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool, wait: bool) -> None:
    """Wait for a run's end and print its main result.

    Raises:
        RunFailed: the run failed.
        PipelexError: there is no such run, or it goes on and is not to be waited for.
    """
    from pipelex.cli._shared.progress import progress
    from pipelex.cli.runs.attached import follow
    from pipelex.errors import PipelexError

    async def work(handle: "RunHandle") -> "RunResult":
        state = await handle.status()
        if not state.has_ended and not wait:
            raise goes_on(run_id)
        try:
            if state.has_ended:
                return await handle.result()
            with progress(run_id, is_silent=is_json) as shown:
                return await follow(handle, shown)
        except PipelexError as failed:
            raise RunFailed(failed, run_id) from failed

    result = _with_run(ctx, server, run_id, work)
    if is_json:
        print_json(bare_json(result.value))
    else:
        print_result(result, None)
    if result.failures is not None:
        say(failures_text(result.failures, paint_err()))
        raise typer.Exit(ExitCode.FAILED)


def cancel_run(ctx: typer.Context, run_id: str, seconds: float, *, server: str | None, is_json: bool) -> None:
    """Ask a run to end, and say whether it has."""
    within = timedelta(seconds=seconds)
    state = _with_run(ctx, server, run_id, lambda handle: handle.cancel(within=within))
    _report(run_id, "cancel requested", ending_text(run_id, state), is_json=is_json, status=state)


def terminate_run(ctx: typer.Context, run_id: str, reason: str, *, server: str | None, is_json: bool) -> None:
    """End a run at once."""
    _with_run(ctx, server, run_id, lambda handle: handle.terminate(reason))
    _report(run_id, "terminated", f"Run {run_id} was terminated.", is_json=is_json)


def retry_run(ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool) -> None:
    """Run an unsuccessful run again from where it failed."""
    _with_run(ctx, server, run_id, lambda handle: handle.retry())
    words = f"Run {run_id} goes on from where it failed. Follow it with: pipelex runs watch {run_id}"
    _report(run_id, "restarted", words, is_json=is_json)


def _report(run_id: str, state: str, words: str, *, is_json: bool, status: RunState | None = None) -> None:
    if is_json:
        print_json({"pipeline_run_id": run_id, "state": state} | ({"status": status} if status else {}))
    else:
        out(words)
