"""JSON that is valid but that many readers reject: unpaired surrogates, and values that are nested too deeply."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from pipelex.errors.json import Json

DEEPEST: Final = 200
"""The maximum depth of nested lists and objects, in levels."""


def is_encodable(value: object) -> bool:
    """Whether every text in a JSON value can be written as UTF-8."""
    return all(_is_text(each) for each, _ in _walk(value) if isinstance(each, str))


def is_too_deep(value: object) -> bool:
    """Whether a JSON value has more levels than `DEEPEST`."""
    return any(depth > DEEPEST for _, depth in _walk(value))


def _walk(value: object) -> Iterator[tuple[object, int]]:
    """Every value inside a JSON value, keys included, with its depth."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        yield each, depth
        if isinstance(each, Mapping):
            members = cast("Mapping[object, object]", each)
            waiting += [(inner, depth + 1) for member in members.items() for inner in member]
        elif isinstance(each, list | tuple):
            waiting += [(item, depth + 1) for item in cast("list[object]", each)]


def mended(text: str) -> str:
    """The text with surrogate pairs joined, and each unpaired surrogate replaced by U+FFFD."""
    return text if _is_text(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def mended_json(value: Json) -> Json:
    """A JSON value with each of its texts mended; None if the value is nested too deeply."""
    if is_too_deep(value):
        return None
    return value if is_encodable(value) else json.loads(mended(json.dumps(value, ensure_ascii=False)))


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
