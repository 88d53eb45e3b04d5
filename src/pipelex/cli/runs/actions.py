"""The work behind the commands of `pipelex runs`."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import duration, moment, out, paint_out, say, since, table, tell_out
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.results import end_with_failures, print_json
from pipelex.cli.runs.endings import ending_text
from pipelex.cli.runs.places import RunPlaces, with_places, with_run
from pipelex.errors import Json
from pipelex.orchestration import RunDescription, RunFilter, RunState
from pipelex.orchestration.refusals import goes_on

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunResult


def list_runs(ctx: typer.Context, wanted: RunFilter, *, server: str | None, is_json: bool) -> None:
    """Print runs, newest first."""

    async def work(places: RunPlaces) -> list[RunDescription]:
        found = [run for _, run in await places.list(wanted)]
        for note in () if is_json else places.notes:
            say(note)
        return found

    found = with_places(ctx, server, work)
    if is_json:
        print_json({"runs": [_to_json(run) for run in found]})
        return
    if not found:
        say("No runs.")
        return
    has_costs = any(run.cost is not None for run in found)
    rows = [
        [
            run.run_id,
            run.pipe_code,
            run.words,
            moment(run.started),
            duration(since(run.started, run.ended)) if run.ended or not run.state.has_ended else "",
            *(["" if run.cost is None else f"${run.cost:.4f}"] if has_costs else []),
        ]
        for run in found
    ]
    headings = ["run", "pipe", "status", "started", "time", *(["cost"] if has_costs else [])]
    out(table(rows, headings, paint_out(), right=(4, 5) if has_costs else (4,), has_ids=True))


def _to_json(run: RunDescription) -> dict[str, Json]:
    found: dict[str, Json] = {
        "pipeline_run_id": run.run_id,
        "workflow_id": run.workflow_id,
        "pipe_code": run.pipe_code,
        "pipe_type": run.pipe_type,
        "status": run.state,
        "created_at": run.started.isoformat(),
    }
    more: dict[str, Json] = {
        "finished_at": None if run.ended is None else run.ended.isoformat(),
        "domain": run.domain,
        "user": run.user,
        "attributes": {
            name: value if isinstance(value, str) else list(value) for name, value in run.attributes.items()
        },
        "cost_usd": run.cost,
        "replay_of": run.replay_of,
        "place": run.place,
        "interrupted": run.is_interrupted or None,
    }
    return found | {name: value for name, value in more.items() if value not in (None, "", {})}


def show_run(ctx: typer.Context, run_id: str, *, only_failed: bool, server: str | None, is_json: bool) -> None:
    """Print a run's tree, or only the parts that did not succeed."""
    from dataclasses import replace

    from pipelex.cli.runs.tree import RunView, read_view, view_text
    from pipelex.errors import PipelexError
    from pipelex.runner.replays import replays_of

    async def work(places: RunPlaces) -> RunView:
        app, handle = await places.attach(run_id)
        view = await read_view(handle)
        try:
            found = await replays_of(app, handle.run_id)
        except PipelexError:  # the orchestrator cannot list replays
            return view
        return replace(view, replays=[run.run_id for run in found])

    view = with_places(ctx, server, work)
    if only_failed:
        view = view.of_failed()
    if is_json:
        print_json(view.to_json())
    else:
        tell_out(view_text(view, paint_out()))


def print_run_result(
    ctx: typer.Context, run_id: str, *, server: str | None, is_json: bool, wait: bool, output_dir: Path | None = None
) -> None:
    """Wait for a run's end, and print its main result or write it with its files.

    Raises:
        RunFailed: the run failed.
        PipelexError: there is no such run, it is still running and `wait` is false, or a file cannot be written.
    """
    from pipelex.cli._shared.progress import progress
    from pipelex.cli.run.files import check_folder, writing
    from pipelex.cli.runs.attached import follow
    from pipelex.cli.runs.results import show_result, write_result
    from pipelex.errors import PipelexError

    if output_dir is not None:
        with writing():
            check_folder(output_dir)

    async def work(places: RunPlaces) -> "tuple[Pipelex, RunResult]":
        app, handle = await places.attach(run_id)
        state = await handle.status()
        if not state.has_ended and not wait:
            raise goes_on(run_id)
        try:
            if state.has_ended:
                return app, await handle.result()
            leave = f"Run {handle.run_id} continues. Get its result: pipelex runs result {handle.run_id}"
            places.if_interrupted = leave  # even if the run is in another process of this machine
            with progress(handle.run_id, is_silent=is_json) as shown:
                return app, await follow(handle, shown)
        except PipelexError as failed:
            raise RunFailed(failed, run_id) from failed

    app, result = with_places(ctx, server, work)
    if output_dir is not None:
        write_result(app, result, output_dir, is_json=is_json)
    else:
        show_result(result, is_json=is_json)
    end_with_failures(result)


def cancel_run(ctx: typer.Context, run_id: str, seconds: float, *, server: str | None, is_json: bool) -> None:
    """Ask a run to end, and report whether it has ended within so many seconds."""
    within = timedelta(seconds=seconds)

    async def work(places: RunPlaces) -> RunState:
        _, handle = await places.attach(run_id)
        places.if_interrupted = f"Run {handle.run_id} was asked to end. See: pipelex runs show {handle.run_id}"
        return await handle.cancel(within=within)

    state = with_places(ctx, server, work)
    _report(run_id, "cancel requested", ending_text(run_id, state), is_json=is_json, status=state)


def terminate_run(ctx: typer.Context, run_id: str, reason: str, *, server: str | None, is_json: bool) -> None:
    """End a run at once."""
    with_run(ctx, server, run_id, lambda handle: handle.terminate(reason))
    _report(run_id, "terminated", f"Run {run_id} was terminated.", is_json=is_json)


def _report(run_id: str, state: str, words: str, *, is_json: bool, status: RunState | None = None) -> None:
    if is_json:
        print_json({"pipeline_run_id": run_id, "state": state} | ({"status": status} if status else {}))
    else:
        tell_out(words)
