"""Members of a provider's answer, which may be of any type: each is what it should be, or nothing."""

from typing import Any, cast

_LARGEST = 2**53
"""The largest whole number that is a position or a count; JSON holds larger ones."""


def table(value: object) -> dict[str, Any]:
    """A member that should be an object; empty when it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """A member that should be a list of objects; anything else in it is left out."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def text(value: object) -> str | None:
    """A member that should be a text; None when it is empty or something else."""
    return value if isinstance(value, str) and value.strip() else None


def whole(value: object) -> int | None:
    """A member that should be a position or a count; None when it is something else, negative or huge."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        return None
    return int(value) if value == int(value) else None


def web_address(value: object) -> str | None:
    """A member that should be an address on the web; None when it is something else."""
    return value if isinstance(value, str) and value.lower().startswith(("http://", "https://")) else None
