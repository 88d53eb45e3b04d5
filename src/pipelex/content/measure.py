"""The size of a value: of its texts, an upper bound of its JSON, or exactly of its JSON."""

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
    """The weight of a key besides its characters; with None, keys do not count at all."""
    leaf: int
    """The weight of a number, a boolean or null."""


_TEXTS: Final = _Weights(character=1, text=0, key=None, leaf=8)
_JSON: Final = _Weights(character=2, text=4, key=6, leaf=24)
"""Escapes at most double ordinary text. Quotes, colons and commas count with the value beside them."""

Opened = Callable[[object], Iterable[Any] | None]


def text_size(values: Iterable[Json], *, most: int = sys.maxsize) -> int:
    """The approximate number of characters of contents when written out: their texts, and a few for each other value.

    Args:
        values: contents.
        most: counting stops beyond this number; the result then only says that there are more.
    """
    return _weigh(values, _TEXTS, most, None)


def json_bound(values: Iterable[Any], opened: Opened | None = None) -> int:
    """An upper bound of the size of some values' JSON, in characters without brackets; much faster than writing it.

    Workflows make decisions with it, so its results must never change, or a replay would decide differently.

    Args:
        values: JSON values, or objects that `opened` knows.
        opened: returns the members of an object in the tree, or None if it is a leaf.
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
