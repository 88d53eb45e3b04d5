"""The JSON of an answer, in whatever a model wraps it.

pydantic-ai reads the arguments of a tool as JSON and strips one Markdown fence from a text. Models say more: a sentence
before the object, an example in another fence, a string that holds a fence, a thought whose end they forget. So every
object and list that a text holds is a candidate here, the most likely first, and whoever asked takes the first one that
fits. json-repair reads fewer of them, and makes values of what is broken: that is asked for again instead.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, cast

from pipelex.content.stuff import Json

_FENCE: Final = re.compile(r"```[ \t]*(json\w*)?[ \t]*\s*(?=[\[{])", re.IGNORECASE)
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_MOST_STARTS: Final = 500
"""Places of one text at which JSON is looked for in vain, before no more are tried."""

_DECODER: Final = json.JSONDecoder(strict=False)
"""Reads line breaks inside of strings, too."""


def read_candidates(text: str) -> Iterator[Json]:
    """The objects and lists that a text holds, the most likely one first."""
    stripped = text.lstrip("\ufeff").strip()
    whole = _decoded(stripped)
    if isinstance(whole, str):  # an object that was written as a JSON string
        yield from read_candidates(whole)
    elif isinstance(whole, dict | list):
        yield cast("Json", whole)
    else:
        unthought = _THOUGHT.sub("", stripped)
        yield from _inside(unthought)
        if unthought != stripped:
            yield from _inside(stripped)


def as_json(text: str) -> Json | None:
    """The object or the list that a text is, and nothing besides; None when it is none."""
    found: Json = _decoded(text.strip())
    return found if isinstance(found, dict | list) else None  # pyright: ignore[reportUnknownVariableType]


def _decoded(text: str) -> Any:
    """The JSON value a whole text is; None when it is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _inside(text: str) -> Iterator[Json]:
    """The texts inside fences first, those marked as JSON before others."""
    fences = [(match.end(), bool(match[1])) for match in _FENCE.finditer(text)]
    starts = [at for at, is_json in fences if is_json] + [at for at, is_json in fences if not is_json]
    seen: list[tuple[int, int]] = []
    left = _MOST_STARTS
    for start in (*starts, *(match.start() for match in re.finditer(r"[\[{]", text))):
        if any(begin <= start < end for begin, end in seen):
            continue
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            left -= 1
            if left == 0:
                return
            continue
        seen.append((start, end))
        yield value
