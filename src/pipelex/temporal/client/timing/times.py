"""The times of a schedule, as people write them and as Temporal accepts them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import available_timezones

from temporalio.client import (
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)

from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.temporal.client.timing.cron import CRON_ADVICE, DAYS, MONTHS, fault_of, number_of

Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"]

OVERLAPS: Final[Mapping[Overlap, ScheduleOverlapPolicy]] = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE,
    "buffer_all": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel_other": ScheduleOverlapPolicy.CANCEL_OTHER,
    "terminate_other": ScheduleOverlapPolicy.TERMINATE_OTHER,
    "allow_all": ScheduleOverlapPolicy.ALLOW_ALL,
}

FIELDS: Final = ("second", "minute", "hour", "day_of_month", "month", "year", "day_of_week")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The times at which a schedule starts runs, and its behaviour while a run is still under way."""

    crons: Sequence[str] = ()
    """Cron expressions, with five to seven fields or in a short form such as `@daily`."""
    intervals: Sequence[timedelta] = ()
    """Intervals between starts, counted from the Unix epoch."""
    calendars: Sequence[str] = ()
    """`hour=9 minute=30 day_of_week=MON-FRI`: an omitted time of day is 0, and any other omitted field matches every value."""
    time_zone: str | None = None
    """The IANA name of the time zone of crons and calendars; None means UTC."""
    jitter: timedelta | None = None
    """The longest random delay of each start."""
    start: datetime | None = None
    end: datetime | None = None
    overlap: Overlap = "skip"
    catchup: timedelta | None = None
    """How late a start that was missed in an outage may still happen; None means a year."""
    pause_on_failure: bool = False

    def spec(self) -> ScheduleSpec:
        """The timing as Temporal's `ScheduleSpec`.

        Raises:
            PipelexError: a cron expression, a calendar or the time zone is not valid, or there is no time at all.
        """
        if not (self.crons or self.intervals or self.calendars):
            raise invalid("a schedule needs a time", "Give --cron, --every or --calendar.")
        for cron in self.crons:
            if (wrong := fault_of(cron)) is not None:
                raise invalid(f"'{cron}' is not a cron expression: {wrong}", CRON_ADVICE)
        _check_time_zone(self.time_zone)
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise invalid("the schedule ends before it begins", "Give an end that is later than the start.")
        return ScheduleSpec(
            cron_expressions=list(self.crons),
            intervals=[ScheduleIntervalSpec(every=every) for every in self.intervals],
            calendars=[calendar(text) for text in self.calendars],
            time_zone_name=self.time_zone,
            jitter=self.jitter,
            start_at=self.start,
            end_at=self.end,
        )

    def policy(self) -> SchedulePolicy:
        """The timing as Temporal's `SchedulePolicy`."""
        return SchedulePolicy(
            overlap=OVERLAPS[self.overlap], catchup_window=self.catchup, pause_on_failure=self.pause_on_failure
        )


def calendar(text: str) -> ScheduleCalendarSpec:
    """A calendar: fields with values, ranges and steps, such as `hour=9-17/2 day_of_week=MON,WED month=JAN-MAR`.

    Raises:
        PipelexError: the text is not a calendar.
    """
    told: dict[str, list[ScheduleRange]] = {}
    for word in text.split():
        name, equals, values = word.partition("=")
        if name not in FIELDS or not equals:
            raise invalid(f"'{word}' is not a calendar field", f"Fields are {', '.join(FIELDS)}: hour=9 minute=30")
        names = DAYS if name == "day_of_week" else MONTHS if name == "month" else ()
        told[name] = [found for value in values.split(",") for found in _ranges(value, names)]
    return ScheduleCalendarSpec(**told)  # pyright: ignore[reportArgumentType] every field is a list of ranges


def _ranges(text: str, names: Sequence[str]) -> "list[ScheduleRange]":
    """A value or a range; a range of days that passes Sunday, which is 0, becomes two."""
    found = re.fullmatch(r"(\w{1,9})(?:-(\w{1,9}))?(?:/(\d{1,9}))?", text, re.ASCII)
    if found is None:
        raise invalid(
            f"'{text}' is not a calendar value", "Values are numbers, names of days and months, 9-17, 0-59/5."
        )
    first, step = _number(found[1], names), int(found[3] or 1)
    last = _number(found[2], names) if found[2] else first
    if last < first and names is DAYS:
        return [ScheduleRange(first, 6, step), ScheduleRange(0, last, step)]
    if last < first:
        raise invalid(f"'{text}' ends before it begins", "Write the smaller value first.")
    return [ScheduleRange(first, last, step)]


def _number(text: str, names: Sequence[str]) -> int:
    number = number_of(text, names)
    if number is not None:
        return number
    raise invalid(f"'{text}' is not a calendar value", f"Write a number{' or a name' if names else ''}.")


def _check_time_zone(name: str | None) -> None:
    known = available_timezones()
    if name is None or name in known or not known:  # if this machine has no list, the server checks the name
        return
    near = near_names(name, known)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise invalid(f"'{name}' is not a time zone", f"Give an IANA name, such as Europe/Paris.{hint}")


def invalid(detail: str, advice: str) -> PipelexError:
    """The refusal of a schedule."""
    return PipelexError(
        "request.invalid", detail, category=ErrorCategory.CONTENT, params={"field": "schedule"}, advice=advice
    )
