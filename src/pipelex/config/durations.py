"""Durations as settings spell them."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

UNLIMITED = "unlimited"
"""The value of a time limit that means no limit."""

_SPELLINGS = 'write "H:MM:SS", "30s", "5m", "2h", "1d" or ISO 8601 ("PT5M")'
_CLOCK = re.compile(r"(?:(\d+) days?, *)?(\d+):([0-5]\d):([0-5]\d(?:\.\d{1,6})?)")
_UNITS = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)? ?(?:(\d+(?:\.\d+)?)h)? ?(?:(\d+(?:\.\d+)?)m)? ?(?:(\d+(?:\.\d+)?)s)? ?(?:(\d+)ms)?"
)
_ISO = re.compile(
    r"P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)


def parse_duration(text: str) -> timedelta:
    """A duration as settings spell it: `"0:10:00"`, `"30s"`, `"1h30m"`, `"PT5M"`.

    Raises:
        ValueError: the text is none of them, or too long a time to be represented.
    """
    written = text.strip()
    try:
        if match := _CLOCK.fullmatch(written):
            days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if written and (match := _UNITS.fullmatch(written.lower())) and any(match.groups()):
            days, hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=millis)
        if (match := _ISO.fullmatch(written.upper())) and any(match.groups()) and not written.upper().endswith("T"):
            weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        msg = f"{text!r} is too long a duration; the way to have no limit is {UNLIMITED!r}"
        raise ValueError(msg) from None
    msg = f"{text!r} is not a duration; {_SPELLINGS}"
    raise ValueError(msg)


def show_duration(duration: timedelta | None) -> str:
    """The duration as settings spell it: `"0:10:00"`, or `"unlimited"` for None."""
    if duration is None:
        return UNLIMITED
    whole, micros = divmod(duration // timedelta(microseconds=1), 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        msg = f'a bare number has no unit: write "{value}s" for {value} seconds'
        raise ValueError(msg)
    msg = f"{value!r} is not a duration; {_SPELLINGS}"
    raise ValueError(msg)


def _read_delay(value: Any) -> timedelta:
    if value == UNLIMITED:
        msg = f"{UNLIMITED!r} makes no sense for a waiting time"
        raise ValueError(msg)
    return _read(value)


def _read_required(value: Any) -> timedelta:
    if value == UNLIMITED:
        msg = f"cannot be {UNLIMITED!r}: this limit is needed"
        raise ValueError(msg)
    found = _read(value)
    if not found:
        msg = "must be longer than zero"
        raise ValueError(msg)
    return found


def _read_limit(value: Any) -> timedelta | None:
    # Zero is a common way to write "no limit".
    return None if value is None or value == UNLIMITED else _read(value) or None


_WRITTEN = WithJsonSchema(
    {
        "type": "string",
        "pattern": r"^\s*(\d|[Pp]|unlimited\s*$)",
        "examples": ["0:10:00", "30s", "5m", "2h", "PT5M", "unlimited"],
    }
)

WaitingTime = Annotated[timedelta, BeforeValidator(_read_delay), _WRITTEN]
"""A waiting time, which may be zero."""

RequiredLimit = Annotated[timedelta, BeforeValidator(_read_required), _WRITTEN]
"""A time limit that cannot be absent."""

TimeLimit = Annotated[timedelta | None, BeforeValidator(_read_limit), Field(default=None), _WRITTEN]
"""A time limit; None when there is none, written `"unlimited"`."""
