from collections.abc import Callable, Iterable
from contextvars import ContextVar
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MOST_COMPARED = 50_000
"""The names that are compared while one text is read; thousands of wrong names would be compared to thousands of right ones."""
_LONGEST = 200
"""The characters of a name up to which another one may be meant by it."""

_left: ContextVar[list[int] | None] = ContextVar("names_left", default=None)


def near_names(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> tuple[str, ...]:
    """The known names a person may have meant by `name`, best first, at most `most` of them; alike by `cutoff` at least."""
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
    """Have a function that reads what others wrote, with all that it calls, look for near names within one budget."""

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
