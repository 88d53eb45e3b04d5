"""Finding the JSON in an answer, whatever the model wraps around it.

pydantic-ai reads the arguments of a tool as JSON and strips one Markdown fence from a text. Models write more than
that: a sentence before the object, an example in another fence, a string that contains a fence, a thought that never
ends. So every object and list in a text is a candidate here, the most likely first, and the caller takes the first
that fits. json-repair finds fewer of them, and it makes up values for broken JSON, for which the model should be asked
again. The one fault that is mended is a comma before a closing bracket, which cannot mean anything else.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from pipelex.content.stuff import Json

_FENCE: Final = re.compile(r"```[ \t]*(json\w*)?[ \t]*\s*(?=[\[{])", re.IGNORECASE)
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_DEEPEST_WRAPPER: Final = 3
_MOST_STARTS: Final = 500
"""The number of places in a text that may turn out not to be JSON before the search stops."""

_MOST_MENDED: Final = 20
"""The number of places in a text from which commas before closing brackets are looked for."""
_TRAILING: Final = re.compile(r",(?=\s*[}\]])")
_STRINGS_AND_COMMAS: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]\s*,|,(?=\s*[}\]])', re.DOTALL)
_BETWEEN_LINES: Final = re.compile(r"[\s,]*")

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
    for written in (text, _without_trailing_commas(text)):
        try:
            return None if written is None else _DECODER.decode(written)
        except (ValueError, RecursionError):
            continue
    return None


def _without_trailing_commas(text: str) -> str | None:
    """A text that begins with JSON, of the same length, with a space for each comma before a closing bracket.

    It is None if the text has no such comma.
    """
    if not text.startswith(("{", "[")) or _TRAILING.search(text) is None:
        return None
    return _STRINGS_AND_COMMAS.sub(lambda found: " " if found[0] == "," else found[0], text)


def _inside(text: str) -> Iterator[Json]:
    """The objects and lists in a text: those in fences marked as JSON, those in other fences, then the rest.

    Objects that follow each other, as in JSON Lines, are a list, too, which comes last.
    """
    seen: list[tuple[int, int, Json]] = []
    left, mendable = _MOST_STARTS, _MOST_MENDED
    for start in _starts(text):
        if any(begin <= start < end for begin, end, _ in seen):
            continue
        found = _value_at(text, start, is_mended=mendable > 0)
        if found is None:
            left, mendable = left - 1, mendable - 1
            if left == 0:
                break
            continue
        seen.append((start, found[1], found[0]))
        yield found[0]
    yield from _lines(text, sorted(seen, key=lambda each: each[0]))


def _starts(text: str) -> Iterator[int]:
    """The places where a JSON value may begin, the most likely first."""
    fences = [(match.end(), bool(match[1])) for match in _FENCE.finditer(text)]
    yield from (at for at, is_json in fences if is_json)
    yield from (at for at, is_json in fences if not is_json)
    yield from (match.start() for match in re.finditer(r"[\[{]", text))


def _value_at(text: str, start: int, *, is_mended: bool) -> tuple[Json, int] | None:
    """The value that begins at a place, and where it ends; None if there is none."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        mended = _without_trailing_commas(text[start:]) if is_mended else None
    try:
        found = None if mended is None else _DECODER.raw_decode(mended)
    except (ValueError, RecursionError):
        found = None
    return None if found is None else (found[0], start + found[1])


def _lines(text: str, seen: Iterable[tuple[int, int, Json]]) -> Iterator[Json]:
    """The lists of objects between which there are only spaces, line breaks and commas."""
    row, last = list[Json](), -1
    for start, end, value in seen:
        if row and not _BETWEEN_LINES.fullmatch(text, last, start):
            yield from _several(row)
            row = []
        row, last = ([*row, value] if isinstance(value, dict) else []), end
    yield from _several(row)


def _several(row: list[Json]) -> Iterator[Json]:
    if len(row) > 1:
        yield row
