"""Names in messages: lists of them, and those that a person may have meant by another."""

from collections.abc import Callable, Collection, Iterable
from contextvars import ContextVar
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MOST_COMPARED = 50_000
"""The most names that are compared while one text is read, because thousands of wrong names may meet thousands of right
ones."""
_LONGEST = 200
"""The length, in characters, beyond which no similar names are looked for."""

_left: ContextVar[list[int] | None] = ContextVar("names_left", default=None)


def listed(names: Collection[str], most: int, shown: Callable[[str], str] = str) -> str:
    """Names for a message, with the number of those that it leaves out: `a, b and 3 more`.

    Args:
        names: the names.
        most: the most names that are written out.
        shown: returns a name as it is written.
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(shown, islice(names, most))) + more


def near_names(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> tuple[str, ...]:
    """The known names that a person may have meant by `name`, best first.

    Args:
        name: the name that was written.
        known: the names that exist.
        most: the most names to return.
        cutoff: the least similarity, from 0 to 1.
    """
    left = _left.get()
    if len(name) > _LONGEST or (left is not None and left[0] <= 0):
        return ()
    by_folded: dict[str, str] = {}
    for candidate in islice(known, _MOST_COMPARED):
        if len(candidate) <= 2 * _LONGEST:
            by_folded.setdefault(candidate.casefold(), candidate)
    if left is not None:
        left[0] -= len(by_folded)
    return tuple(by_folded[match] for match in get_close_matches(name.casefold(), by_folded, n=most, cutoff=cutoff))


def comparing_few_names(read: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function that reads untrusted text: all its calls of `near_names` share one budget of comparisons."""

    @wraps(read)
    def within_budget(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _left.get() is not None:
            return read(*args, **kwargs)
        token = _left.set([_MOST_COMPARED])
        try:
            return read(*args, **kwargs)
        finally:
            _left.reset(token)

    return within_budget
