"""Converts dotted keys and nested tables into each other, and looks up and merges tables."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from pipelex.errors import ConfigurationError, Json

Path = tuple[str, ...]
"""The path of a key, from the root of the settings."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENT = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(\.|$)""")


def dotted(path: Iterable[str | int]) -> str:
    """The path as TOML writes it: `("a", "b.c", 0)` → `a."b.c"[0]`."""
    written = ""
    for segment in path:
        if isinstance(segment, int):
            written += f"[{segment}]"
            continue
        quoted = segment if _BARE.fullmatch(segment) else '"' + segment.replace("\\", "\\\\").replace('"', '\\"') + '"'
        written += f".{quoted}" if written else quoted
    return written


def split_dotted(key: str) -> Path:
    """The segments of a dotted key; a segment that holds a dot is quoted, as in TOML.

    Raises:
        ConfigurationError: the text is not a dotted key.
    """
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(key, position)
        if match is None:
            raise ConfigurationError(
                f"{key!r} is not a dotted key", advice='Write it as in TOML, for example a.b or a."b.c".'
            )
        bare, basic, literal, end = match.groups()
        segments.append(bare or literal or re.sub(r"\\(.)", r"\1", basic or ""))
        position = match.end()
        if not end:
            return tuple(segments)


def lookup(values: Mapping[str, Json], path: Sequence[str]) -> tuple[bool, Json]:
    """Whether the nested tables have the path, and the value there."""
    here: Json = values
    for segment in path:
        if not isinstance(here, Mapping) or segment not in here:
            return False, None
        here = cast("Mapping[str, Json]", here)[segment]
    return True, here


def leaves(values: Mapping[str, Json], prefix: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Every value that is not a table, with its path, in file order; an empty table counts as a value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(cast("Mapping[str, Json]", value), (*prefix, key))
        else:
            yield (*prefix, key), value


def merge(below: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """Both tables merged, key by key; if both have a value that is not a table, `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping):
            table = cast("Mapping[str, Json]", value)
            merged[key] = merge(cast("Mapping[str, Json]", under) if isinstance(under, Mapping) else {}, table)
        else:
            merged[key] = value
    return merged


def nested(path: Sequence[str], value: Json) -> dict[str, Json]:
    """The tables that hold `value` at `path`."""
    first, *rest = path
    return {first: nested(rest, value) if rest else value}
