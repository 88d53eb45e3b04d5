"""`pipelex schedule`: methods that run at times, by Temporal Schedules."""

from typing import Annotated

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption
from pipelex.cli.schedule.flags import InputsOption, MethodFlags, NoteOption, OverlapName

_EXAMPLES = """\b
Examples:
  pipelex schedule create nightly report.mthds -i inputs.json --cron '0 2 * * *' --time-zone Europe/Paris
  pipelex schedule create pulse check.mthds --every 30m --jitter 1m --overlap buffer_one
  pipelex schedule create mornings report.mthds --calendar 'hour=9 day_of_week=MON-FRI'
  pipelex schedule list
  pipelex schedule show nightly
  pipelex schedule update nightly report.mthds -i inputs.json
  pipelex schedule update nightly --cron '0 3 * * *'
  pipelex schedule pause nightly --note "provider is down"
  pipelex schedule resume nightly
  pipelex schedule trigger nightly
  pipelex schedule trigger nightly -i month=2026-10
  pipelex schedule backfill nightly --start 2026-11-01 --end 2026-11-08
  pipelex schedule delete nightly"""

app = command_app(no_args_is_help=True)

ScheduleId = Annotated[str, typer.Argument(metavar="ID", help="The schedule's id; the ids of its runs begin with it.")]


@app.callback(epilog=_EXAMPLES)
def schedule() -> None:
    """Run methods at set times, on Temporal. Method and inputs stay fixed until the schedule is updated."""


@app.command(epilog=_EXAMPLES)
@with_flags(MethodFlags)
def create(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A bundle file, a folder, or a pipe's code.")],
    flags: MethodFlags,
) -> None:
    """Create a schedule for a method."""
    from pipelex.cli.schedule.actions import create as work

    work(ctx, schedule_id, target, flags)


@app.command(epilog=_EXAMPLES)
@with_flags(MethodFlags)
def update(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    flags: MethodFlags,
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="The newer method; without it, only inputs and times change.")
    ] = None,
) -> None:
    """Give a schedule a newer method, other inputs or other times; runs already under way are not affected."""
    from pipelex.cli.schedule.actions import update as work

    work(ctx, schedule_id, target, flags)


@app.command(name="list", epilog=_EXAMPLES)
def list_schedules(ctx: typer.Context, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """List the schedules of methods."""
    from pipelex.cli.schedule.actions import show_all

    show_all(ctx, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def show(ctx: typer.Context, schedule_id: ScheduleId, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Show a schedule: its method, its next times, its last runs."""
    from pipelex.cli.schedule.actions import report, with_schedules

    report(with_schedules(ctx, server, lambda _, schedules: schedules.show(schedule_id)), is_json=is_json)


@app.command(epilog=_EXAMPLES)
def pause(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    note: NoteOption = "",
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Pause a schedule; runs already under way are not affected."""
    from pipelex.cli.schedule.actions import change

    change(ctx, schedule_id, "pause", note, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def resume(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    note: NoteOption = "",
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Let a paused schedule start runs again."""
    from pipelex.cli.schedule.actions import change

    change(ctx, schedule_id, "resume", note, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def trigger(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    inputs: InputsOption = None,
    run_id: Annotated[str | None, typer.Option("--run-id", metavar="ID", help="The run's id.")] = None,
    overlap: Annotated[
        OverlapName | None, typer.Option("--overlap", help="The reaction if a run is still running.")
    ] = None,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Start a run now; with other inputs, it is an ordinary run of the schedule's method."""
    from pipelex.cli.schedule.actions import trigger as work

    work(ctx, schedule_id, inputs or (), run_id, overlap, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def backfill(
    ctx: typer.Context,
    schedule_id: ScheduleId,
    start: Annotated[str, typer.Option("--start", metavar="TIME", help="The beginning of the period.")],
    end: Annotated[str, typer.Option("--end", metavar="TIME", help="The end of the period.")],
    overlap: Annotated[
        OverlapName, typer.Option("--overlap", help="The reaction if a run is still running.")
    ] = "buffer_all",
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Start the runs that a schedule would have started in a period."""
    from pipelex.cli.schedule.actions import backfill as work

    work(ctx, schedule_id, start, end, overlap, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def delete(ctx: typer.Context, schedule_id: ScheduleId, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Delete a schedule; its runs remain."""
    from pipelex.cli.schedule.actions import delete as work

    work(ctx, schedule_id, server=server, is_json=is_json)
