"""The work behind the commands of `pipelex schedule`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from pipelex.cli._shared.attributes import attributes_of
from pipelex.cli._shared.console import json_text, one_line, out, paint_out, say, table, tell_out
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.results import print_json
from pipelex.cli._shared.session import open_app
from pipelex.cli._shared.targets import detect, open_target
from pipelex.cli.run.corrected import corrected
from pipelex.cli.run.inputs import RawInputs, gather_inputs
from pipelex.cli.schedule.flags import MethodFlags, OverlapName, moment
from pipelex.orchestration.jobs import Attributes

if TYPE_CHECKING:
    from pipelex.content.stuff import Json, Stuff
    from pipelex.library import Library, Pipe
    from pipelex.orchestration import RunRequest
    from pipelex.runner import Method, Pipelex
    from pipelex.temporal.client.schedules import Schedules, ScheduleView

T = TypeVar("T")

_MOST_CHARACTERS: Final = 80
"""The most characters of one input that are shown."""


def with_schedules(ctx: typer.Context, server: str | None, work: "Callable[[Pipelex, Schedules], Awaitable[T]]") -> T:
    """Do some work with the schedules of the selected server."""
    return _on_server(opened_app(ctx, server), work)


def opened_app(ctx: typer.Context, server: str | None) -> "Pipelex":
    """The runtime that knows schedules; it does not connect to a server yet.

    Raises:
        PipelexError: the extra for Temporal is not installed.
    """
    from pipelex.temporal.factory import FACTORY

    FACTORY.require()
    return open_app(ctx, server=server, orchestrator="temporal", connects=True)


def _on_server(app: "Pipelex", work: "Callable[[Pipelex, Schedules], Awaitable[T]]") -> T:
    from pipelex.temporal.client.cluster import Cluster
    from pipelex.temporal.client.schedules import Schedules
    from pipelex.temporal.factory import FACTORY

    async def run() -> T:
        async with app:
            cluster = await Cluster.open(app.settings, FACTORY.config_of(app.settings))
            return await work(app, Schedules(cluster))

    return asyncio.run(run())


@dataclass(frozen=True)
class _Wanted:
    """The method and the inputs that a command names, read before a server is asked."""

    ctx: typer.Context
    """The context of the command, which holds its arguments as they were typed."""
    method: "Method"
    pipe: "Pipe"
    inputs: RawInputs
    attributes: Attributes

    @classmethod
    def of(
        cls, ctx: typer.Context, app: "Pipelex", target: str, flags: MethodFlags, *, needs_inputs: bool
    ) -> "_Wanted":
        """The method and inputs that the flags name.

        Args:
            ctx: the context of the command, which holds its arguments as they were typed.
            app: the runtime.
            target: the method.
            flags: the flags of the command.
            needs_inputs: whether the given inputs must be complete; if not, they are laid over the schedule's own.
        """
        attributes = attributes_of(flags.attribute or (), flags.tag or ())
        dirs = flags.library_dir or []
        found = detect(target, flags.pipe, dirs)
        method = open_target(app, found, dirs)
        pipe = method.pipe(found.pipe)
        inputs: RawInputs = None
        with corrected(ctx, pipe, method.library):
            if flags.inputs or needs_inputs:
                inputs = gather_inputs(flags.inputs or (), found.folder, pipe, method.library)
            if needs_inputs:
                method.read_inputs(inputs, pipe.ref)
        return cls(ctx, method, pipe, inputs, attributes)

    async def request(self, schedule: str, kept: "Mapping[str, Stuff] | None" = None) -> "RunRequest":
        """The request that each run of a schedule makes: a method with inputs.

        Args:
            schedule: the schedule's id.
            kept: the schedule's inputs so far, for those that are not given. Inputs that the method no longer has are
                left out.
        """
        with corrected(self.ctx, self.pipe, self.method.library):
            inputs = self.inputs if kept is None else _above(kept, self.inputs, self.pipe, self.method.library)
        return await self.method.request(inputs, pipe=self.pipe.ref, run_id=schedule, attributes=self.attributes)


def _above(kept: "Mapping[str, Stuff]", given: RawInputs, pipe: "Pipe", library: "Library") -> "Mapping[str, Json]":
    """The inputs of a schedule, with the given ones replacing its own."""
    from pipelex.pipes.calls import PipeCall
    from pipelex.runner import read_inputs_of

    call = PipeCall(pipe=pipe.ref, inputs={name: kept[name] for name in kept if name in pipe.inputs})
    values = {**call.inputs, **read_inputs_of(library, call, given)}
    return {name: stuff.to_json() for name, stuff in values.items()}


def create(ctx: typer.Context, schedule: str, target: str, flags: MethodFlags) -> None:
    """Make a schedule."""
    app = opened_app(ctx, flags.server)
    timing = flags.timing()
    asked = _Wanted.of(ctx, app, target, flags, needs_inputs=True)

    async def work(_: "Pipelex", schedules: "Schedules") -> "ScheduleView":
        await schedules.create(schedule, await asked.request(schedule), timing, is_paused=flags.paused, note=flags.note)
        return await schedules.show(schedule)

    report(_on_server(app, work), f"Schedule {schedule} was created.", is_json=flags.json)


def update(ctx: typer.Context, schedule: str, target: str | None, flags: MethodFlags) -> None:
    """Bring a newer method, other inputs or other times to a schedule."""
    if flags.paused or flags.note:
        raise Misuse(f"--paused and --note come with: pipelex schedule pause {schedule} --note TEXT")
    if target is None and (flags.attribute or flags.tag or flags.pipe):
        raise Misuse(f"--pipe, --attribute and --tag come with a method: pipelex schedule update {schedule} TARGET …")
    if not flags.has_times and flags.of_times:
        raise Misuse(f"{flags.of_times[0]} comes with the times of the schedule: --cron, --every or --calendar")
    app = opened_app(ctx, flags.server)
    timing = flags.timing() if flags.has_times else None
    asked = None if target is None else _Wanted.of(ctx, app, target, flags, needs_inputs=False)

    async def work(_: "Pipelex", schedules: "Schedules") -> "ScheduleView":
        request = await _newer(ctx, schedules, schedule, asked, flags.inputs or ())
        await schedules.update(schedule, request, timing)
        return await schedules.show(schedule)

    report(_on_server(app, work), f"Schedule {schedule} was updated.", is_json=flags.json)


async def _newer(
    ctx: typer.Context, schedules: "Schedules", schedule: str, asked: _Wanted | None, inputs: Sequence[str]
) -> "RunRequest | None":
    """The request that the schedule's runs make from now on; None if only its times change."""
    if asked is None and not inputs:
        return None
    scheduled = await schedules.call(schedule)
    if asked is None:
        return scheduled.request(read(ctx, scheduled, inputs), schedule)
    return await asked.request(schedule, scheduled.job.call.inputs)


def show_all(ctx: typer.Context, *, server: str | None, is_json: bool) -> None:
    """Print the schedules."""
    found = with_schedules(ctx, server, lambda _, schedules: schedules.list())
    if is_json:
        print_json({"schedules": [view.to_json() for view in found]})
    elif not found:
        say("No schedules.")
    else:
        rows = [
            [
                view.id,
                view.pipe.rpartition(".")[2],
                "paused" if view.is_paused else "active",
                ", ".join(view.times)[:50],
                _in_zone(view.next[0], view.time_zone) if view.next and not view.is_paused else "-",
            ]
            for view in found
        ]
        out(table(rows, ["schedule", "pipe", "state", "times", "next"], paint_out(), has_ids=True))


def report(view: "ScheduleView", words: str = "", *, is_json: bool) -> None:
    """Print a schedule."""
    if is_json:
        print_json(view.to_json())
        return
    if words:
        say(words)
    paint = paint_out()
    rows: Sequence[tuple[str, str]] = (
        ("Schedule", view.id),
        ("State", ("paused" if view.is_paused else "active") + (f": {view.note}" if view.note else "")),
        ("Pipe", f"{view.pipe} ({view.pipe_type})"),
        ("Library", view.crate),
        ("Inputs", ", ".join(f"{name}={_brief(value)}" for name, value in view.inputs.items()) or "none"),
        ("Times", f"{', '.join(view.times)} ({view.time_zone})"),
        ("Overlap", view.overlap),
        ("Next", ", ".join(_in_zone(each, view.time_zone) for each in view.next) or "none"),
        ("Running", ", ".join(view.running) or "none"),
    )
    for name, value in rows:
        tell_out(f"{paint(f'{name:<10}', 'dim')} {one_line(value)}")
    for at, run_id in view.recent:
        tell_out(f"  {at.astimezone():%Y-%m-%d %H:%M:%S}  {one_line(run_id)}")


def _brief(value: "Json") -> str:
    """A value on one line, cut if it is long; a text content is shown as its text."""
    match value:
        case {"text": str(text), **others} if not others:
            pass
        case _:
            text = json_text(value, sys.stdout)
    flat = " ".join(text.split())
    return flat if len(flat) <= _MOST_CHARACTERS else flat[: _MOST_CHARACTERS - 1] + "…"


def _in_zone(time: datetime, zone: str) -> str:
    """A point in time in a schedule's own time zone, or in the local one if the schedule's is unknown here."""
    try:
        there = time.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        there = time.astimezone()
    return f"{there:%Y-%m-%d %H:%M:%S %Z}"


def change(ctx: typer.Context, schedule: str, do: str, *arguments: Any, server: str | None, is_json: bool) -> None:
    """Pause or resume a schedule, and print the schedule."""

    async def work(_: "Pipelex", schedules: "Schedules") -> "ScheduleView":
        await getattr(schedules, do)(schedule, *arguments)
        return await schedules.show(schedule)

    report(with_schedules(ctx, server, work), is_json=is_json)


def trigger(
    ctx: typer.Context,
    schedule: str,
    inputs: Sequence[str],
    run_id: str | None,
    overlap: OverlapName | None,
    *,
    server: str | None,
    is_json: bool,
) -> None:
    """Start a run of a schedule now, with the schedule's inputs or with others."""
    if overlap is not None and (inputs or run_id is not None):
        raise Misuse("--overlap is for the runs of the schedule itself, not with --inputs or --run-id")

    async def work(_: "Pipelex", schedules: "Schedules") -> str | None:
        if not inputs and run_id is None:
            await schedules.trigger(schedule, overlap)
            return None
        scheduled = await schedules.call(schedule)
        values = read(ctx, scheduled, inputs)
        return (await schedules.start(schedule, scheduled, values, run_id)).run.run_id

    started = with_schedules(ctx, server, work)
    if is_json:
        print_json({"schedule_id": schedule} | ({} if started is None else {"pipeline_run_id": started}))
    elif started is None:
        tell_out(
            f"Schedule {schedule} starts a run, as its overlap policy allows. See which: pipelex schedule show {schedule}"
        )
    else:
        out(started)
        say(f"Follow it with: pipelex runs watch {started}")


def read(ctx: typer.Context, scheduled: Any, inputs: Sequence[str]) -> dict[str, Any]:
    """The typed inputs as the method of a schedule takes them, with the schedule's own inputs for the rest."""
    from pipelex.runner import read_inputs_of

    library, call = scheduled.library, scheduled.job.call
    pipe = library.pipe(call.pipe)
    with corrected(ctx, pipe, library):
        return read_inputs_of(library, call, gather_inputs(inputs, None, pipe, library))


def backfill(
    ctx: typer.Context, schedule: str, start: str, end: str, overlap: OverlapName, *, server: str | None, is_json: bool
) -> None:
    """Start the runs that a schedule would have started in a period."""
    begin, until = moment("--start", start), moment("--end", end)
    if until <= begin:
        raise Misuse(f"--end {end}: it is not later than --start {start}")

    async def work(_: "Pipelex", schedules: "Schedules") -> None:
        await schedules.backfill(schedule, begin, until, overlap)

    with_schedules(ctx, server, work)
    if is_json:
        print_json({"schedule_id": schedule, "start": begin.isoformat(), "end": until.isoformat()})
    else:
        tell_out(f"Schedule {schedule} starts its runs from {begin.isoformat()} to {until.isoformat()}.")


def delete(ctx: typer.Context, schedule: str, *, server: str | None, is_json: bool) -> None:
    """Delete a schedule."""

    async def work(_: "Pipelex", schedules: "Schedules") -> None:
        await schedules.delete(schedule)

    with_schedules(ctx, server, work)
    if is_json:
        print_json({"schedule_id": schedule, "deleted": True})
    else:
        tell_out(f"Schedule {schedule} was deleted; its runs remain.")
