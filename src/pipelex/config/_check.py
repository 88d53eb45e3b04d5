"""Reads tables of a settings file into frozen models, and reports every fault with its key."""

import inspect
import types
import typing
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from pipelex.config._keys import Path, dotted, merge
from pipelex.errors import Json, near_names


class Section(BaseModel):
    """Base of the models of settings tables: closed, strict about types, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def list_to_tuple(value: Any) -> Any:
    """A list as the tuple that a strict frozen model requires; any other value unchanged."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


Names = Annotated[tuple[str, ...], BeforeValidator(list_to_tuple)]
"""A list of strings."""


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """Marks a key that is accepted but does nothing, because existing files have it."""

    why: str


SectionT = TypeVar("SectionT", bound=Section)


@dataclass(frozen=True, slots=True)
class KeyFault:
    """Something wrong at one key."""

    path: Path
    message: str
    suggestions: tuple[str, ...] = ()
    is_unknown: bool = False
    """Whether the key itself is unknown; otherwise its value does not fit."""


def read_section(
    model: type[SectionT], data: Mapping[str, Json], at: Path, *, interpolated: Container[Path] = ()
) -> tuple[SectionT | None, list[KeyFault]]:
    """Read one table.

    Args:
        model: the model of the table.
        data: the table.
        at: the path of the table, for the faults.
        interpolated: full paths of values that variables were filled into: there, the text of a number or a
            boolean is read as one.

    Returns:
        The model, or None when a value does not fit, and the faults. Unknown keys are faults, and do not keep the
        rest from being read.
    """
    left = merge({}, data)
    faults: list[KeyFault] = []
    while True:
        try:
            return model.model_validate(left), faults
        except ValidationError as error:
            details = error.errors(include_url=False)
        invalid: list[KeyFault] = []
        is_changed = False
        for detail in details:
            local = tuple(detail["loc"])
            path = (*at, *(segment for segment in local if isinstance(segment, str)))
            if detail["type"] == "extra_forbidden":
                faults.append(_unknown(model, local, path, at, detail["input"]))
                _remove(left, local)
                is_changed = True
            elif path in interpolated and _retype(left, local, detail["type"]):
                is_changed = True
            else:
                invalid.append(
                    KeyFault(
                        path, _sentence(cast("dict[str, Any]", detail)), _expected(detail.get("ctx"), detail["input"])
                    )
                )
        if not is_changed:
            return None, [*faults, *invalid]


def known_keys(model: type[BaseModel], prefix: Path = ()) -> Iterator[Path]:
    """The paths of all keys that a model knows; in a table of named tables, `*` stands for the names."""
    for name, field in model.model_fields.items():
        yield (*prefix, name)
        inner = field.annotation
        path = (*prefix, name)
        while (table := _table_item(inner)) is not None:
            inner, path = table, (*path, "*")
        below = _as_model(inner)
        if below is not None:
            yield from known_keys(below, path)


def inert_keys(model: type[BaseModel], prefix: Path = ()) -> Iterator[tuple[Path, str]]:
    """The paths of keys that are marked as `WithoutEffect`, each with the reason."""
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, WithoutEffect):
                yield (*prefix, name), mark.why
        below = _as_model(field.annotation)
        if below is not None:
            yield from inert_keys(below, (*prefix, name))


def _unknown(model: type[BaseModel], local: Sequence[str | int], path: Path, at: Path, value: Json) -> KeyFault:
    key = path[-1]
    owner = _model_at(model, local[:-1])
    siblings = list(owner.model_fields) if owner else []
    near = near_names(key, siblings, most=1)
    if near:
        return KeyFault(path, f"unknown key {key!r}; did you mean {_choices(near)}?", near, is_unknown=True)
    elsewhere = tuple(dotted((*at, *known)) for known in _known_by_name(model).get(key, ()))
    if elsewhere:
        return KeyFault(
            path, f"unknown key {key!r} here; it belongs at {_choices(elsewhere)}", elsewhere, is_unknown=True
        )
    known = f"; known here: {', '.join(siblings)}" if 0 < len(siblings) <= 20 else ""
    return KeyFault(path, f"unknown key {key!r}{known}", is_unknown=True)


@cache
def _known_by_name(model: type[BaseModel]) -> Mapping[str, Sequence[Path]]:
    """The last segment of a key → the paths that end with it, except those in tables of named tables."""
    found: dict[str, list[Path]] = {}
    for known in known_keys(model):
        if "*" not in known:
            found.setdefault(known[-1], []).append(known)
    return found


def _choices(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _sentence(detail: dict[str, Any]) -> str:
    message: str = detail["msg"]
    if detail["type"] in ("value_error", "assertion_error"):
        return str(detail["ctx"]["error"])
    if detail["type"] == "missing":
        return "is missing"
    if message.startswith("Input should be "):
        shown = repr(detail["input"])
        return (
            f"must be {message.removeprefix('Input should be ')}, not {shown if len(shown) <= 60 else shown[:57] + '…'}"
        )
    return message


def _expected(context: Mapping[str, Any] | None, value: Any) -> tuple[str, ...]:
    expected = (context or {}).get("expected")
    if not isinstance(expected, str) or not isinstance(value, str):
        return ()
    return near_names(value, expected.replace(" or ", ", ").replace("'", "").split(", "), most=1)


def _remove(table: dict[str, Json], local: Sequence[str | int]) -> None:
    for segment in local[:-1]:
        table = cast("dict[str, Json]", table[cast("str", segment)])
    del table[cast("str", local[-1])]


_SCALARS = {"int_type": int, "float_type": float}


def _retype(table: dict[str, Json], local: Sequence[str | int], kind: str) -> bool:
    for segment in local[:-1]:
        table = cast("dict[str, Json]", table[cast("str", segment)])
    key = cast("str", local[-1])
    text = table[key]
    if not isinstance(text, str):
        return False
    if kind == "bool_type" and text.strip().lower() in ("true", "false"):
        table[key] = text.strip().lower() == "true"
        return True
    if kind in _SCALARS:
        try:
            table[key] = _SCALARS[kind](text)
        except ValueError:
            return False
        return True
    return False


def _model_at(model: type[BaseModel], local: Sequence[str | int]) -> type[BaseModel] | None:
    here: Any = model
    for segment in local:
        found = _as_model(here)
        if found is not None:
            field = found.model_fields.get(str(segment))
            here = None if field is None else field.annotation
        else:
            here = _table_item(here)
    return _as_model(here)


def _as_model(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and not typing.get_origin(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    return next((found for item in typing.get_args(annotation) if (found := _as_model(item))), None)


def _table_item(annotation: Any) -> Any:
    """The model of the tables inside a table of named tables."""
    return typing.get_args(annotation)[1] if typing.get_origin(annotation) is dict else None
