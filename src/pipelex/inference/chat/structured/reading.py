"""Finding the JSON in an answer, whatever the model wraps around it.

pydantic-ai reads the arguments of a tool as JSON and strips one Markdown fence from a text. Models write more than
that: a sentence before the object, an example in another fence, a string that contains a fence, a thought that never
ends. So every object and list in a text is a candidate here, the most likely first, and the caller takes the first
that fits. json-repair finds fewer of them, and it makes up values for broken JSON, for which the model should be asked
again.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, cast

from pipelex.content.stuff import Json

_FENCE: Final = re.compile(r"```[ \t]*(json\w*)?[ \t]*\s*(?=[\[{])", re.IGNORECASE)
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_DEEPEST_WRAPPER: Final = 3
_MOST_STARTS: Final = 500
"""The number of places in a text that may turn out not to be JSON before the search stops."""

_DECODER: Final = json.JSONDecoder(strict=False)
"""Also accepts line breaks inside strings."""


def read_candidates(text: str) -> Iterator[Json]:
    """The objects and lists in a text, the most likely one first."""
    stripped = text.lstrip("\ufeff").strip()
    whole = _decoded(stripped)
    if isinstance(whole, str):  # an object written as a JSON string
        yield from read_candidates(whole)
    elif isinstance(whole, dict | list):
        yield cast("Json", whole)
    else:
        unthought = _THOUGHT.sub("", stripped)
        yield from _inside(unthought)
        if unthought != stripped:
            yield from _inside(stripped)


def unwrapped(value: Json, fields: Collection[str]) -> Iterator[Json]:
    """The value, then what it wraps: models put an object under the name of its tool or its type, or under `data`.

    Args:
        value: an object or list of an answer.
        fields: the names of the fields of the object that is wanted; a member of such a name is no wrapper.
    """
    for _ in range(_DEEPEST_WRAPPER):
        yield value
        if not isinstance(value, Mapping) or len(value) != 1:
            return
        ((name, inner),) = value.items()
        value = as_json(inner) if isinstance(inner, str) else inner
        if name in fields or not isinstance(value, Mapping | list):
            return


def as_json(text: str) -> Json | None:
    """The object or list that makes up a whole text; None if the text is anything else."""
    found: Json = _decoded(text.strip())
    return found if isinstance(found, dict | list) else None  # pyright: ignore[reportUnknownVariableType]


def _decoded(text: str) -> Any:
    """The JSON value that makes up a whole text; None if it is not valid JSON."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _inside(text: str) -> Iterator[Json]:
    """The objects and lists in a text: those in fences marked as JSON, those in other fences, then the rest."""
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
