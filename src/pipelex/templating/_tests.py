"""The tests of templates (`x is …`): Jinja's own with plain values, and those for the presence of a value."""

import functools
from collections.abc import Callable
from typing import Any, Final

from jinja2.tests import TESTS as DEFAULT_TESTS

from pipelex.templating._budget import STATE
from pipelex.templating._filters import refuse_kind, seen
from pipelex.templating._missing import is_nothing, is_something
from pipelex.templating._values import bare

_OF_PRESENCE: Final[dict[str, Callable[..., Any]]] = {
    "defined": is_something,
    "none": is_nothing,
    "undefined": is_nothing,
}
"""Tests for the presence of a value. Values that were left out and values that do not exist both count as none."""

_COMPARING: Final = frozenset(
    {"!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "in", "le", "lessthan", "lt", "ne"}
)
"""Tests that are operators. They get missing values unchanged, whose own error says why they cannot be compared."""


def _guarded_test(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    skipped = 1 if hasattr(function, "jinja_pass_arg") else 0
    keeps_missing = name in _COMPARING

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        STATE.get().spend(1, f"'is {name}'")
        plain = [None if is_nothing(arg) and not keeps_missing else seen(bare(arg)) for arg in args[skipped:]]
        try:
            return function(*args[:skipped], *plain, **kwargs)
        except TypeError:
            refuse_kind(name, args[skipped])
            raise

    return guarded


def tests() -> dict[str, Callable[..., Any]]:
    """Jinja's own tests, which get plain values, with our tests of presence."""
    guarded = {name: _guarded_test(name, function) for name, function in DEFAULT_TESTS.items()}
    return guarded | {name: DEFAULT_TESTS[name] for name in ("filter", "test")} | _OF_PRESENCE
