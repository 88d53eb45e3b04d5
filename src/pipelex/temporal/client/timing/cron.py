"""Checks cron expressions, in the syntax that Temporal accepts, before a server is asked.

Five fields (minute, hour, day of month, month, day of week), six with a year after them, seven with a second before them;
`@daily` and the like; `@every 30m`; a time zone before them (`TZ=`, `CRON_TZ=`), a comment after them (`# …`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS: Final = ("", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
CRON_ADVICE: Final = "Write minute, hour, day of month, month and day of week, in quotes: --cron '0 9 * * MON-FRI' is at 9:00 on weekdays."
_SHORT: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY: Final = re.compile(r"@every\s+(?:\d+(?:\.\d+)?(?:ms|[smhd]))+(?:/(?:\d+(?:\.\d+)?(?:ms|[smhd]))+)?")
_PART: Final = re.compile(r"(\*|\?|\w{1,9})(?:-(\w{1,9}))?(?:/(\d{1,9}))?", re.ASCII)
"""A value, a range or a step. Nine characters are enough for every name and number."""


def number_of(text: str, names: Sequence[str]) -> int | None:
    """The number that a value stands for; None if it is neither a number nor a name.

    Args:
        text: ASCII digits, or a name of a day or month, of which the first three letters count.
        names: the names, each at the place of its number.
    """
    if text.isdigit():
        return int(text)
    return names.index(text.upper()[:3]) if text.upper()[:3] in names else None


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of an expression: its name, and the values it may have."""

    name: str
    least: int
    most: int
    names: Sequence[str] = ()

    def fault_of(self, text: str) -> str | None:
        """The fault of the field's text; None if the text is valid."""
        for part in text.split(","):
            found = _PART.fullmatch(part)
            if found is None:
                return f"'{part}' is not a valid {self.name}"
            if found[3] is not None and int(found[3]) == 0:
                return f"the step of '{part}' is 0"
            if found[1] in ("*", "?"):
                if found[2] is not None:
                    return f"'{part}' is not a valid {self.name}"
                continue
            values = [self._value(each) for each in (found[1], found[2]) if each is not None]
            if None in values:
                return f"the {self.name} '{part}' is not in the range {self._range}"
            first, last = values[0], values[-1]
            if first is not None and last is not None and last < first:
                return f"'{part}' ends before it begins"
        return None

    def _value(self, text: str) -> int | None:
        number = number_of(text, self.names)
        return number if number is not None and self.least <= number <= self.most else None

    @property
    def _range(self) -> str:
        named = f" or {self.names[1]} to {self.names[-1]}" if self.names else ""
        return f"{self.least} to {self.most}{named}"


_FIVE: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 7, DAYS),
)
_YEAR: Final = _Field("year", 1970, 9999)
_FIELDS: Final = {5: _FIVE, 6: (*_FIVE, _YEAR), 7: (_Field("second", 0, 59), *_FIVE, _YEAR)}


def fault_of(cron: str) -> str | None:
    """The fault of an expression, as the end of a sentence; None if the expression is valid."""
    words = cron.partition("#")[0].split()
    if words and words[0].startswith(("TZ=", "CRON_TZ=")):
        words = words[1:]
    text = " ".join(words)
    if text.startswith("@"):
        if text.lower() in _SHORT or _EVERY.fullmatch(text):
            return None
        return f"the short forms are {', '.join(_SHORT)} and @every 30m"
    fields = _FIELDS.get(len(words))
    if fields is None:
        return f"it has {len(words)} field{'' if len(words) == 1 else 's'} instead of five to seven"
    return next((wrong for field, word in zip(fields, words, strict=True) if (wrong := field.fault_of(word))), None)
