"""Which test shows the effect of which key of a settings table."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from pipelex.config import inert_keys, known_keys


def below(table: str, *keys: str) -> tuple[str, ...]:
    """Keys of one table, in full."""
    return tuple(f"{table}.{key}" for key in keys)


def compared(
    model: type[BaseModel], shown_by: Mapping[str, Iterable[str]], others: Iterable[str] = ()
) -> tuple[set[str], set[str]]:
    """The keys that no test shows, and those shown that there are not.

    Args:
        model: the table.
        shown_by: `module:test` below `tests` → the keys it shows.
        others: keys shown otherwise.
    """
    inert = {path for path, _ in inert_keys(model)}
    keys = {".".join(path) for path in known_keys(model) if path not in inert}
    tables = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    shown = {key for keys_of_test in shown_by.values() for key in keys_of_test} | set(others)
    return keys - tables - shown, shown - keys


def find_test(name: str) -> Callable[..., Any]:
    """The test that `module:test` names."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"tests.{module}"), function)
    return found
