"""Faults of a document, first located by the keys of tables; their places in the text are looked up at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Literal, TypeAlias, TypeGuard

from pipelex.errors import Json, SuggestedFix

Keys: TypeAlias = tuple[str | int, ...]
"""A path in the TOML document: keys of tables and indexes of arrays."""

SCHEMA: str = "method.schema_violation"
BLUEPRINT: str = "blueprint_validation"


@dataclass(frozen=True, slots=True)
class UnplacedFault:
    """A fault before its keys are turned into a line and a column."""

    code: str
    detail: str
    keys: Keys
    params: Mapping[str, Json]
    category: str | None = BLUEPRINT
    suggestions: tuple[str, ...] = ()
    fix: SuggestedFix | None = None
    severity: Literal["error", "warning"] = "error"
    on_key: bool = False
    """Whether the fault is at the key rather than at its value."""
    offset: int | None = None
    """A character offset inside the string value."""


@dataclass(slots=True)
class Report:
    """Collects faults about one table of the document."""

    base: Keys
    faults: list[UnplacedFault] = field(default_factory=list[UnplacedFault])

    def schema(
        self,
        kind: str,
        detail: str,
        *keys: str | int,
        on_key: bool = False,
        offset: int | None = None,
        suggestions: tuple[str, ...] = (),
        fix: SuggestedFix | None = None,
    ) -> None:
        """Add a `method.schema_violation`; `keys` are relative to the table."""
        path = (*self.base, *keys)
        self.faults.append(
            UnplacedFault(
                SCHEMA,
                detail,
                path,
                {"field_path": render_path(path), "finding": kind},
                suggestions=suggestions,
                fix=fix,
                on_key=on_key,
                offset=offset,
            )
        )

    @property
    def has_errors(self) -> bool:
        return any(fault.severity == "error" for fault in self.faults)


def render_path(keys: Sequence[str | int]) -> str:
    """`("pipe", "x", "steps", 2, "pipe")` as `pipe.x.steps[2].pipe`."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key.replace("_", "").replace("-", "")
            shown = key if plain.isascii() and plain.isalnum() else f'"{shorten(key)}"'
            text += f".{shown}" if text else shown
    return text


def place(keys: Keys) -> str:
    """A table of the document in words: `'steps[2]' of pipe 'plan_day'`."""
    if not keys:
        return "the bundle"
    if keys[0] in ("pipe", "concept") and len(keys) > 1:
        owner = f"{keys[0]} '{shorten(str(keys[1]))}'"
        return owner if len(keys) == 2 else f"'{render_path(keys[2:])}' of {owner}"
    return f"'{render_path(keys)}'"


def shorten(text: str, most: int = 80) -> str:
    """The text on one line, cut when it is long: for quoting in a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value of the document is a table."""
    return isinstance(value, dict)


def kind_of(value: Any) -> str:
    """The kind of a TOML value, in words."""
    if isinstance(value, bool):
        return "a boolean"
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (str, "a string"),
        (int, "an integer"),
        (float, "a number"),
        (datetime, "a date-time"),
        (date, "a date"),
        (time, "a time"),
        (Mapping, "a table"),
        ((list, tuple), "an array"),
    )
    return next((name for known, name in names if isinstance(value, known)), "something else")


def did_you_mean(names: Sequence[str]) -> str:
    """`: did you mean 'prompt'?`, or nothing."""
    return f": did you mean {' or '.join(repr(name) for name in names)}?" if names else ""


def table_path(keys: Keys) -> list[str | int]:
    """A table's address in the operations of a suggested fix."""
    return list(keys)


def set_key(table: Keys, key: str, value: Json) -> dict[str, Json]:
    return {"op": "set_key", "table": table_path(table), "key": key, "value": value}


def delete_key(table: Keys, key: str) -> dict[str, Json]:
    return {"op": "delete_key", "table": table_path(table), "key": key}


def rename_key(table: Keys, key: str, new_key: str) -> dict[str, Json]:
    return {"op": "rename_table_key", "table": table_path(table), "key": key, "new_key": new_key}
