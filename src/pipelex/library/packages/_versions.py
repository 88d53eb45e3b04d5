"""Versions and constraints by SemVer 2.0.0, as packages write them."""

import re
from typing import Final

_VERSION: Final = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
_PART: Final = re.compile(r"(?P<op>\^|~|>=|<=|==|!=|=|>|<)?\s*(?P<version>[0-9][0-9A-Za-z.*+-]*|\*)")

VersionKey = tuple[int, int, int, tuple[tuple[int, int, str], ...]]


def is_version(text: str) -> bool:
    """Whether a text is a version of SemVer 2.0.0."""
    return _VERSION.fullmatch(text) is not None and not text.startswith("v")


def is_constraint(text: str) -> bool:
    """Whether a text is a version constraint: `1.2.0`, `^1.2`, `>=1.0, <2`, `1.*`, `*`."""
    return all(_bounds(part) is not None for part in text.split(","))


def satisfies(version: str, constraint: str) -> bool:
    """Whether a version fulfils every part of a constraint.

    A partial version means any version in it: `1.2` is `1.2.*`.
    """
    key = _key(version)
    for part in constraint.split(","):
        bounds = _bounds(part)
        if key is None or bounds is None:
            return False
        low, high, is_inside = bounds
        if (low <= key < high) is not is_inside:
            return False
    return True


def version_key(text: str) -> VersionKey:
    """The key that orders versions by precedence; a text that is not a version comes first."""
    return _key(text) or (-1, 0, 0, ())


def _key(text: str) -> VersionKey | None:
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    return (int(match[1]), int(match[2]), int(match[3]), _prerelease(match[4]))


_RELEASE: Final = ((9, 0, ""),)
"""Sorts after every pre-release."""
_LAST: Final[VersionKey] = (1 << 60, 0, 0, ())


def _prerelease(text: str | None) -> tuple[tuple[int, int, str], ...]:
    if text is None:
        return _RELEASE
    return tuple((1, int(part), "") if part.isdigit() else (2, 0, part) for part in text.split("."))


def _bounds(text: str) -> tuple[VersionKey, VersionKey, bool] | None:
    """The bounds that a part of a constraint sets: (from, below, whether inside)."""
    match = _PART.fullmatch(text.strip())
    if match is None:
        return None
    op, written = match["op"] or "", match["version"]
    numbers = [] if written == "*" else re.split(r"[-+]", written)[0].split(".")
    while numbers and numbers[-1] == "*":
        numbers.pop()
    if len(numbers) > 3 or not all(number.isdigit() for number in numbers):
        return None
    given = [int(number) for number in numbers]
    if len(given) == 3:
        low = _key(written)
        if low is None:
            return None
        after: VersionKey = (*low[:3], (*low[3], (0, 0, "")))
    else:
        low = _start(given)
        after = _next(given, len(given) - 1)
    if op == "^":
        changing = next((index for index, number in enumerate(given) if number), max(len(given) - 1, 0))
        return low, _next(given, changing), True
    if op == "~":
        return low, _next(given, min(1, len(given) - 1)), True
    first: VersionKey = (0, 0, 0, ())
    ranges: dict[str, tuple[VersionKey, VersionKey, bool]] = {
        "": (low, after, True),
        "=": (low, after, True),
        "==": (low, after, True),
        "!=": (low, after, False),
        ">=": (low, _LAST, True),
        ">": (after, _LAST, True),
        "<=": (first, after, True),
        "<": (first, low if low[3] != _RELEASE else (*low[:3], ()), True),  # pre-releases of the bound lie beyond it
    }
    return ranges[op]


def _start(given: list[int]) -> VersionKey:
    padded = [*given, 0, 0, 0]
    return (padded[0], padded[1], padded[2], _RELEASE if given else ())


def _next(given: list[int], changing: int) -> VersionKey:
    """The first version after every one that shares the numbers up to `changing`."""
    if not given:
        return _LAST
    raised = [*given[:changing], given[changing] + 1, 0, 0]
    return (raised[0], raised[1], raised[2], ())
