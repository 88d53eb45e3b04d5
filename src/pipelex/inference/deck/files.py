"""Reading tables of TOML files into models, with errors that name the file, the line and the key."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelex.config import dotted
from pipelex.config.toml_files import Keys, Table, TomlFile
from pipelex.config.trust.backends import PACKAGED
from pipelex.errors import ConfigurationError, Fault, Location, near_names
from pipelex.inference.deck.schema import ModelTable

_SLIP = 0.8
"""The similarity, from 0 to 1, above which one word counts as a misspelling of another."""
_M = TypeVar("_M", bound=BaseModel)


def read_file(path: Path) -> TomlFile:
    """A file in an `inference` directory. A process reads each packaged file only once.

    Raises:
        ConfigurationError: the file cannot be read, or is not TOML.
    """
    return _packaged(path) if path.is_relative_to(PACKAGED) else TomlFile.read(path)


def without_effect(paths: Iterable[Path]) -> Iterator[Fault]:
    """Warnings of what has the name of a file in an `inference` directory, but is none, and so is not read.

    Args:
        paths: the names of files; most of them may not exist.
    """
    for path in paths:
        if path.is_file() or not os.path.lexists(path):
            continue
        what = "not a file, but a device, a pipe, a socket or a folder" if path.exists() else "a link to no file"
        detail = f"{TomlFile(path, '', {}).shown} is {what}; it has no effect"
        yield Fault("runtime.misconfigured", detail, location=Location(file=str(path)), severity="warning")


@cache
def _packaged(path: Path) -> TomlFile:
    return TomlFile.read(path)


def parse(
    model: type[_M],
    data: Mapping[str, Any],
    sources: Sequence[tuple[TomlFile, Keys]],
    warnings: list[Fault] | None = None,
) -> _M:
    """Validate a table as a model.

    Args:
        model: a closed pydantic model.
        data: the table's content.
        sources: the files that the table was merged from, with the table's place in each. A fault is reported for the
            first file that has the wrong key.
        warnings: the list that warnings about unknown keys and unknown words are added to. These keys and words are
            left out of the table. When None, they are errors.

    Raises:
        ConfigurationError: the first fault, with the file, the line, the key and the nearest known name.
    """
    left: Table = dict(data)
    while True:
        try:
            return model.model_validate(left)
        except ValidationError as error:
            faults = error.errors(include_url=False)
        unknown = [] if warnings is None else [fault for fault in faults if _is_unknown(fault)]
        if not unknown:
            raise _fault_of(min(faults, key=gravity), model, sources)
        left = deepcopy(left)
        # In reverse order, so that dropping an item of a list does not move the ones before it.
        for keys, fault in reversed({_toml_keys(fault): fault for fault in unknown}.items()):
            _drop(left, keys)
            if warnings is not None:
                warnings.append(_warning(_fault_of(fault, model, sources)))


def _warning(told: ConfigurationError) -> Fault:
    advice = f"; {told.report.advice}" if told.report.advice else ""
    detail = f"{told.report.detail}; it has no effect{advice}"
    return Fault(told.code, detail, location=told.report.location, severity="warning")


def _is_unknown(fault: ErrorDetails) -> bool:
    if fault["type"] != "literal_error":
        return fault["type"] == "extra_forbidden"
    is_in_list = bool(fault["loc"]) and isinstance(fault["loc"][-1], int)
    return is_in_list or not is_slip(str(fault["input"]), _expected(fault))


def is_slip(word: str, known: Iterable[str]) -> bool:
    """Whether an unknown word is a misspelling of a known one, rather than a word of another release."""
    return bool(near_names(word, known, cutoff=_SLIP))


def _drop(table: Table, keys: Keys) -> None:
    here: Any = table
    for key in keys[:-1]:
        here = here[key]
    del here[keys[-1]]


def _fault_of(
    fault: ErrorDetails, model: type[BaseModel], sources: Sequence[tuple[TomlFile, Keys]]
) -> ConfigurationError:
    keys = _toml_keys(fault)
    file, prefix = _blamed(sources, keys)
    detail, advice = describe(fault, model, dotted((*prefix, *keys)))
    return file.fault(detail, (*prefix, *keys), (*prefix, *keys[:-1]), prefix, advice=advice)


def gravity(fault: ErrorDetails) -> int:
    """The rank of a fault, lowest first. An unknown key comes first, because its misspelling explains a missing key."""
    return 0 if fault["type"] == "extra_forbidden" else 1


def _toml_keys(fault: ErrorDetails) -> Keys:
    """The error's path, without the parts that pydantic inserts for members of a union and keys of a table."""
    kept = [part for part in fault["loc"] if not (isinstance(part, str) and _is_branch(part))]
    return tuple(kept)


def _is_branch(part: str) -> bool:
    return (
        part in {"[key]", "int", "str"}
        or part.startswith(("constrained-", "literal[", "function-", "float"))
        or (part.endswith("Preset") and part[0].isupper())
    )


def _blamed(sources: Sequence[tuple[TomlFile, Keys]], keys: Keys) -> tuple[TomlFile, Keys]:
    for length in range(len(keys), 0, -1):
        for file, prefix in sources:
            if _has(file.data, (*prefix, *keys[:length])):
                return file, prefix
    return sources[0]


def _has(data: Any, keys: Keys) -> bool:
    for key in keys:
        if isinstance(data, dict) and key in data:
            data = cast("Table", data)[cast("str", key)]
        elif isinstance(data, list) and isinstance(key, int) and key < len(cast("list[Any]", data)):
            data = cast("list[Any]", data)[key]
        else:
            return False
    return True


def describe(fault: ErrorDetails, model: type[BaseModel], key: str) -> tuple[str, str | None]:
    """A pydantic fault as a sentence, and the advice if there is any."""
    kind, given = fault["type"], fault["input"]
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    if kind == "extra_forbidden":
        near = near_names(name, _names_beside(model, fault["loc"][:-1]))
        return f"unknown key {key!r}", f"did you mean {near[0]!r}?" if near else None
    if kind == "missing":
        return f"the key {key!r} is missing", None
    if kind == "literal_error":
        near = near_names(str(given), _expected(fault))
        return (
            f"{key!r} cannot be {given!r}: expected {fault.get('ctx', {}).get('expected', '')}",
            f"did you mean {near[0]!r}?" if near else None,
        )
    message = fault["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"in {key!r}: {message}" if key else message, None
    return f"{key!r}: {message[:1].lower()}{message[1:]}, not {given!r}", None


def _expected(fault: ErrorDetails) -> list[str]:
    """The allowed words that a `literal_error` lists."""
    expected: str = fault.get("ctx", {}).get("expected", "")
    return expected.replace("'", "").replace(" or ", ", ").split(", ")


def _names_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at `loc` may have."""
    found: list[type[BaseModel]] = [model]
    for part in loc:
        named = [one for one in found if one.__name__ == part]
        fields = [one.model_fields[str(part)] for one in found if str(part) in one.model_fields]
        if fields:
            found = [inner for field in fields for inner in _models_in(field.annotation)]
        elif named:
            found = named
    names = [name for one in found for name in one.model_fields]
    return [name for name in names if not (name == "headers" and ModelTable in found)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [found for part in get_args(annotation) for found in _models_in(part)]


def merged(below: Table, above: Table) -> Table:
    """Both tables merged key by key at every depth; where they conflict, `above` wins."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            result[key] = merged(cast("Table", known), cast("Table", value))
        else:
            result[key] = value
    return result
