"""Moments as people type them: how long ago, a date, or a date with a time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pipelex.cli._shared.group import Misuse

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, option: str) -> datetime:
    """A moment: `90s`, `30m`, `2h`, `1d`, `2w` ago; or `2026-01-31`, `2026-01-31T09:45`, here where no zone is said.

    Args:
        text: what was typed.
        option: the option, for the message.

    Raises:
        Misuse: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip().lower())
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Misuse(f"{option} {text}: it is a time ago such as 30m, 2h or 1d, or a date such as 2026-01-31") from None
    return found.astimezone()
