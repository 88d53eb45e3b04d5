"""The size of a value: its texts, its JSON at most, its JSON exactly. All three walk plain JSON without recursion."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

from pydantic_core import to_json

from pipelex.content.stuff import Json


class _Weights(NamedTuple):
    """The weights of the parts of a tree."""

    character: int
    """The weight of each character of a text."""
    text: int
    """The weight of a text besides its characters."""
    key: int | None
    """The weight of a key besides its characters; with None, keys count nothing."""
    leaf: int
    """The weight of a number, a boolean or null."""


_TEXTS: Final = _Weights(character=1, text=0, key=None, leaf=8)
_JSON: Final = _Weights(character=2, text=4, key=6, leaf=24)
"""Escapes at most double ordinary text; quotes, colons and commas are counted with what they surround."""

Opened = Callable[[object], Iterable[Any] | None]


def text_size(values: Iterable[Json], *, most: int = sys.maxsize) -> int:
    """About how many characters some contents are when they are written out: their texts, and a few for other values.

    Args:
        values: contents.
        most: counting ends beyond this; the number is then only known to be larger.
    """
    return _weigh(values, _TEXTS, most, None)


def json_bound(values: Iterable[Any], opened: Opened | None = None) -> int:
    """An upper bound of the characters of some values' JSON without its brackets, in a fraction of the time of writing it.

    Workflows decide by it, so it must not change: a replay would decide otherwise.

    Args:
        values: JSON values, or objects that `opened` knows.
        opened: the members of an object that stands in the tree; None for what is a leaf.
    """
    return _weigh(values, _JSON, sys.maxsize, opened)


def json_size(value: Json) -> int:
    """The bytes of a value's JSON."""
    return len(to_json(value))


def _weigh(values: Iterable[Any], weights: _Weights, most: int, opened: Opened | None) -> int:
    total = 0
    waiting: list[Any] = list(values)
    while waiting and total <= most:
        current = waiting.pop()
        if isinstance(current, str):
            total += weights.character * len(current) + weights.text
        elif isinstance(current, dict):
            table = cast("dict[str, Any]", current)
            if weights.key is not None:
                total += sum(map(len, table)) + weights.key * len(table)
            waiting.extend(table.values())
        elif isinstance(current, list | tuple):
            waiting.extend(cast("list[Any]", current))
        else:
            members = None if opened is None else opened(current)
            if members is None:
                total += weights.leaf
            else:
                waiting.extend(members)
    return total
