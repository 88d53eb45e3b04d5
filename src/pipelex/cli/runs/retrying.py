"""`pipelex runs retry`: one run, or all that a filter finds."""

from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import out, paint_out, say, table, tell_out
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.progress import progress
from pipelex.cli._shared.results import bare_json, end_with_failures, print_json, print_result
from pipelex.cli.runs.places import RunPlaces, with_places
from pipelex.cli.runs.results import say_files
from pipelex.errors import Json, PipelexError
from pipelex.exits import ExitCode
from pipelex.orchestration import RunFilter, RunState

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunHandle, RunResult


def retry_run(ctx: typer.Context, run_id: str, start_over: str | None, *, server: str | None, is_json: bool) -> None:
    """Continue a run from where it failed, or from a pipe. A run of this machine is run to its end.

    Raises:
        RunFailed: the run failed again, in this process.
        PipelexError: there is no such run, or it cannot be continued.
    """

    async def work(places: RunPlaces) -> "tuple[RunHandle, RunResult | None]":
        app, handle = await places.attach(run_id)
        if app.orchestrator.is_durable:
            places.asks(app, handle.run_id)
        again = await handle.retry(start_over=start_over)
        places.follows(app, again.run_id)
        if app.orchestrator.is_durable:
            return again, None
        with progress(f"{again.pipe} ({again.run_id})", is_silent=is_json):
            return again, await _ended(again)

    handle, result = with_places(ctx, server, work)
    where = "where it failed" if start_over is None else f"'{start_over}'"
    if result is None:
        words = f"Run {handle.run_id} continues from {where}. Follow it with: pipelex runs watch {handle.run_id}"
        if is_json:
            print_json({"pipeline_run_id": handle.run_id, "state": "restarted"})
        else:
            tell_out(words)
        return
    if is_json:
        print_json({"pipeline_run_id": handle.run_id, "state": "completed", "output": bare_json(result.value)})
    else:
        print_result(result, None)
        say_files(result)
        say(f"Run {handle.run_id} continued from {where}, and completed.")
    end_with_failures(result)


async def _ended(handle: "RunHandle") -> "RunResult":
    try:
        return await handle.result()
    except PipelexError as failed:
        raise RunFailed(failed, handle.run_id) from failed


def retry_many(
    ctx: typer.Context, wanted: RunFilter, start_over: str | None, *, server: str | None, is_json: bool
) -> None:
    """Continue every run that a filter finds, and report the outcome of each.

    Raises:
        typer.Exit: one of the runs could not be continued, or failed again.
    """

    async def work(places: RunPlaces) -> list[dict[str, Json]]:
        found = await places.list(wanted)
        for note in places.notes:
            say(note)
        told: list[dict[str, Json]] = []
        for app, run in found:
            places.asks(app, run.run_id)
            done = f"{len(told):,} of {len(found):,} runs were retried; repeat the command for the others."
            places.if_interrupted = f"{places.if_interrupted}\n{done}"
            told.append(await _retried(app, run.run_id, start_over))
        return told

    told = with_places(ctx, server, work)
    if is_json:
        print_json({"runs": list(told)})
    elif not told:
        say("No runs.")
    else:
        rows = [[str(each["pipeline_run_id"]), str(each["state"]), str(each.get("detail", ""))] for each in told]
        out(table(rows, ["run", "now", "why"], paint_out(), has_ids=True))
    if any(each["state"] == "failed" for each in told):
        raise typer.Exit(ExitCode.FAILED)


async def _retried(app: "Pipelex", run_id: str, start_over: str | None) -> dict[str, Json]:
    try:
        again = await (await app.attach(run_id)).retry(start_over=start_over)
        if app.orchestrator.is_durable:
            return {"pipeline_run_id": run_id, "state": "restarted"}
        await again.result()
    except PipelexError as failed:
        return {"pipeline_run_id": run_id, "state": "failed", "code": failed.code, "detail": failed.report.detail}
    return {"pipeline_run_id": run_id, "state": "completed"}


def is_retryable(state: RunState | None) -> bool:
    """Whether runs in a state may be retried together; successful and running ones may not."""
    return state not in (None, RunState.RUNNING, RunState.COMPLETED)
