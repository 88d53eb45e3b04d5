"""The options of `pipelex schedule create` and `update`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelex.cli._shared.attributes import AttributeOption, TagOption
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.session import JsonFlag, ServerOption

if TYPE_CHECKING:
    from pipelex.temporal.client.timing.times import Timing

OverlapName = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--inputs", "-i", metavar="INPUTS", help="The inputs, as `pipelex run` takes them; repeatable."),
]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="A note for people.")]


@dataclass(frozen=True)
class TimingFlags:
    """The options that say when a schedule starts runs."""

    cron: Annotated[
        list[str] | None,
        typer.Option("--cron", metavar="EXPR", help="A cron expression: '0 9 * * MON-FRI'; repeatable."),
    ] = None
    every: Annotated[
        list[str] | None, typer.Option("--every", metavar="TIME", help="An interval, such as 30m or 2h; repeatable.")
    ] = None
    calendar: Annotated[
        list[str] | None,
        typer.Option("--calendar", metavar="FIELDS", help="'hour=9 minute=30 day_of_week=MON-FRI'; repeatable."),
    ] = None
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="NAME",
            help="The time zone of crons and calendars, such as Europe/Paris; UTC by default.",
        ),
    ] = None
    jitter: Annotated[
        str | None, typer.Option("--jitter", metavar="TIME", help="Delay each start by a random part of this time.")
    ] = None
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="Start nothing before this time: 2026-12-01T00:00.")
    ] = None
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Start nothing after this time.")] = None
    overlap: Annotated[
        OverlapName, typer.Option("--overlap", help="The reaction if the previous run is still running.")
    ] = "skip"
    catchup: Annotated[
        str | None,
        typer.Option("--catchup", metavar="TIME", help="Make up for starts that were missed, up to this long ago."),
    ] = None
    pause_on_failure: Annotated[bool, typer.Option("--pause-on-failure", help="Pause after a run that failed.")] = False

    @property
    def has_times(self) -> bool:
        """Whether the options name a time to run."""
        return bool(self.cron or self.every or self.calendar)

    @property
    def of_times(self) -> list[str]:
        """The given options that only refine times, and so are useless without any."""
        given = {
            "--time-zone": self.time_zone,
            "--jitter": self.jitter,
            "--start": self.start,
            "--end": self.end,
            "--catchup": self.catchup,
            "--overlap": self.overlap != "skip",
            "--pause-on-failure": self.pause_on_failure,
        }
        return [option for option, value in given.items() if value]

    def timing(self) -> "Timing":
        """The timing that the flags describe.

        Raises:
            Misuse: a duration or a point in time cannot be read.
            PipelexError: a cron, a calendar or the time zone is not valid, or no time is named.
        """
        from pipelex.temporal.client.timing.times import Timing

        found = Timing(
            crons=self.cron or (),
            intervals=[length("--every", each) for each in self.every or ()],
            calendars=self.calendar or (),
            time_zone=self.time_zone,
            jitter=None if self.jitter is None else length("--jitter", self.jitter),
            start=None if self.start is None else moment("--start", self.start),
            end=None if self.end is None else moment("--end", self.end),
            overlap=self.overlap,
            catchup=None if self.catchup is None else length("--catchup", self.catchup),
            pause_on_failure=self.pause_on_failure,
        )
        found.spec()  # raises if something cannot be read, before the server is asked
        return found


@dataclass(frozen=True)
class MethodFlags(TimingFlags):
    """The options of `create` and `update`: the timing options, and those for the method and its inputs."""

    pipe: Annotated[
        str | None, typer.Option("--pipe", metavar="CODE", help="The pipe to use instead of the main one.")
    ] = None
    inputs: InputsOption = None
    attribute: AttributeOption = None
    tag: TagOption = None
    paused: Annotated[
        bool, typer.Option("--paused", help="Create it paused: it starts nothing until you resume it.")
    ] = False
    note: NoteOption = ""
    library_dir: Annotated[
        list[Path] | None,
        typer.Option("--library-dir", "-L", metavar="DIR", help="Another folder of bundles; repeatable."),
    ] = None
    server: ServerOption = None
    json: JsonFlag = False


def length(option: str, text: str) -> timedelta:
    """A duration, in the form that settings use.

    Raises:
        Misuse: the text is not a duration.
    """
    from pydantic import TypeAdapter, ValidationError

    from pipelex.config.durations import RequiredLimit

    try:
        found: timedelta = TypeAdapter(RequiredLimit).validate_python(text)
    except ValidationError:
        raise Misuse(f"{option} {text}: give a length of time, such as 30m or 2h") from None
    return found


def moment(option: str, text: str) -> datetime:
    """A point in time; without a zone, it is taken as local time.

    Raises:
        Misuse: the text is not a point in time.
    """
    parse: Callable[[str], datetime] = datetime.fromisoformat
    try:
        found = parse(text)
    except ValueError:
        raise Misuse(f"{option} {text}: give a point in time, such as 2026-12-01T09:00") from None
    return found if found.tzinfo is not None else found.astimezone()
