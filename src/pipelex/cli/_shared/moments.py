"""Points in time as people type them: a time ago, a date, or a date with a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pipelex.cli._shared.group import Misuse

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, option: str) -> datetime:
    """A point in time: `90s`, `30m`, `2h`, `1d` or `2w` ago; or `2026-01-31` or `2026-01-31T09:45`.

    A date without a zone is local time.

    Args:
        text: what was typed.
        option: the option's name, for the message.

    Raises:
        Misuse: the text has none of these forms.
    """
    ago = _AGO.fullmatch(text.strip().lower())
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Misuse(f"{option} {text}: give a time ago, such as 30m, 2h or 1d, or a date such as 2026-01-31") from None
    return found.astimezone()
