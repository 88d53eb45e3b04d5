"""What the commands of `pipelex runs` do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from pipelex.cli._shared.console import out, paint_err, paint_out, say, table
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.results import bare_json, failures_text, print_json, print_result
from pipelex.cli._shared.session import open_app
from pipelex.errors import ErrorCategory, PipelexError

if TYPE_CHECKING:
    from pipelex.runner import RunResult
    from pipelex.runner._durable import Durable, RunHandle

T = TypeVar("T")


def _with_server(ctx: typer.Context, server: str | None, work: "Callable[[Durable], Awaitable[T]]") -> T:
    """Connect, then do something; SIGINT ends it and leaves the runs alone."""
    app = open_app(ctx, server=server, orchestrator="temporal")

    async def run() -> T:
        async with app:
            return await interruptible(_then(app.durable(), work))

    try:
        return asyncio.run(run())
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.exit_code) from None


async def _then(connecting: "Awaitable[Durable]", work: "Callable[[Durable], Awaitable[T]]") -> T:
    return await work(await connecting)


def list_runs(ctx: typer.Context, status: str | None, limit: int, *, server: str | None, is_json: bool) -> None:
    """Print runs, newest first."""
    from pipelex.cli.runs.listing import find_runs

    found = _with_server(ctx, server, lambda durable: find_runs(durable, status, limit))
    if is_json:
        print_json({"runs": [run.to_json() for run in found]})
        return
    if not found:
        say("No runs.")
        return
    rows = [[run.run_id, run.pipe, run.status.lower(), run.started_text, run.duration_text] for run in found]
    out(table(rows, ["run", "pipe", "status", "started", "time"], paint_out(), right=(4,)))


def show_run(ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool) -> None:
    """Print a run's tree."""
    from pipelex.cli.runs.tree import read_view, view_text

    view = _with_server(ctx, server, lambda durable: read_view(durable, run_id))
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

    async def work(durable: "Durable") -> "RunResult":
        handle = await durable.attach(run_id)
        status = await handle.status()
        if status == "RUNNING" and not wait:
            raise PipelexError(
                "run.not_finished",
                f"run '{run_id}' goes on",
                category=ErrorCategory.TRANSIENT,
                params={"pipeline_run_id": run_id},
                advice=f"Wait for it with: pipelex runs watch {run_id}",
            )
        try:
            if status != "RUNNING":
                return await handle.result()
            with progress(run_id, is_silent=is_json) as shown:
                return await follow(handle, durable.submitter, shown)
        except PipelexError as failed:
            raise RunFailed(failed, run_id) from failed

    result = _with_server(ctx, server, work)
    if is_json:
        print_json(bare_json(result.value))
    else:
        print_result(result, None)
    if result.failures is not None:
        say(failures_text(result.failures, paint_err()))
        raise typer.Exit(1)


def cancel_run(ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool) -> None:
    """Ask a run to end."""

    async def work(durable: "Durable") -> None:
        await (await _running(durable, run_id)).cancel()

    _with_server(ctx, server, work)
    _report(run_id, "cancel requested", f"Run {run_id} was asked to end.", is_json=is_json)


def terminate_run(ctx: typer.Context, run_id: str, reason: str, *, server: str | None, is_json: bool) -> None:
    """End a run at once."""

    async def work(durable: "Durable") -> None:
        handle = await _running(durable, run_id)
        await handle.durable.handle.terminate(reason=reason)

    _with_server(ctx, server, work)
    _report(run_id, "terminated", f"Run {run_id} was terminated.", is_json=is_json)


def retry_run(ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool) -> None:
    """Run an unsuccessful run again from where it failed."""
    from pipelex.cli.runs.retrying import retry

    _with_server(ctx, server, lambda durable: retry(durable, run_id))
    words = f"Run {run_id} goes on from where it failed. Follow it with: pipelex runs watch {run_id}"
    _report(run_id, "restarted", words, is_json=is_json)


def _report(run_id: str, state: str, words: str, *, is_json: bool) -> None:
    if is_json:
        print_json({"pipeline_run_id": run_id, "state": state})
    else:
        out(words)


async def _running(durable: "Durable", run_id: str) -> "RunHandle":
    handle = await durable.attach(run_id)
    status = await handle.status()
    if status != "RUNNING":
        raise PipelexError(
            "run.already_ended",
            f"run '{run_id}' has ended already: {status.lower().replace('_', ' ')}",
            category=ErrorCategory.CONTENT,
            params={"pipeline_run_id": run_id, "run_status": status},
        )
    return handle
