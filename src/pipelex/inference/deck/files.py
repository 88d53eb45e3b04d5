"""TOML files of model configuration, and errors that name their file, line and key."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelex.errors import ConfigurationError, Fault, Location, near_names
from pipelex.inference.deck.schema import ModelTable

Table = dict[str, Any]
Keys = tuple[str | int, ...]
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True)
class TomlFile:
    """A TOML file that was read, and where its keys stand."""

    path: Path
    text: str
    data: Table

    @classmethod
    def read(cls, path: Path) -> "TomlFile":
        """Read and parse a file.

        Raises:
            ConfigurationError: the file cannot be read, or is not TOML.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}", location=Location(file=str(path))) from error
        try:
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            line = _line_of(error)
            location = Location(file=str(path), line=line)
            raise ConfigurationError(f"{path} is not valid TOML: {error}", location=location) from error

    @property
    def shown(self) -> str:
        """The file as messages name it: relative to the working directory when it lies below."""
        here = Path.cwd()
        return str(self.path.relative_to(here)) if self.path.is_relative_to(here) else str(self.path)

    def fault(self, detail: str, *places: Keys, advice: str | None = None) -> ConfigurationError:
        """An error about a key of this file.

        Args:
            detail: what is wrong, without the file's name.
            *places: paths of keys; the first one the file has gives the line.
            advice: what to do.
        """
        location = self.location(*places)
        where = f"{self.path}, line {location.line}" if location.line else str(self.path)
        return ConfigurationError(f"{where}: {detail}", advice=advice, location=location)

    def location(self, *places: Keys) -> Location:
        """The place of the first of these paths of keys that the file has; it is named after the first one."""
        from pipelex.config._positions import TomlPositions

        positions = TomlPositions(self.text)
        span = next((found for keys in places if (found := positions.key(keys)) is not None), None)
        line, column = (span[0], span[1]) if span else (None, None)
        return Location(file=str(self.path), line=line, column=column, field=dotted(places[0]) if places else None)


def _line_of(error: tomllib.TOMLDecodeError) -> int | None:
    words = str(error).split("at line ")
    return int(words[1].split(",")[0]) if len(words) == 2 and words[1].split(",")[0].isdigit() else None


def dotted(keys: Iterable[str | int]) -> str:
    """`("llm", "aliases", "best.one", 2)` → `llm.aliases."best.one"[2]`."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = key.replace("-", "").replace("_", "").isalnum()
            text += ("." if text else "") + (key if plain else f'"{key}"')
    return text


def parse(
    model: type[_M],
    data: Mapping[str, Any],
    sources: Sequence[tuple[TomlFile, Keys]],
    warnings: list[Fault] | None = None,
) -> _M:
    """The table as a model.

    Args:
        model: a closed pydantic model.
        data: the table's content.
        sources: the files the table was made of, with its place in each; the first that has a wrong key is blamed.
        warnings: what is not understood goes here and is left out: unknown keys, and unknown words of a list. When
            None, it is an error, too.

    Raises:
        ConfigurationError: the first finding, with file, line, key and the nearest known name.
    """
    left: Table = deepcopy(dict(data))
    while True:
        try:
            return model.model_validate(left)
        except ValidationError as error:
            findings = error.errors(include_url=False)
        unknown = [] if warnings is None else [finding for finding in findings if _is_unknown(finding)]
        if not unknown:
            raise _fault_of(min(findings, key=gravity), model, sources)
        # From the end, so that the places in a list of those before stay what they are.
        for keys, finding in reversed({_toml_keys(finding): finding for finding in unknown}.items()):
            _drop(left, keys)
            if warnings is not None:
                warnings.append(_warning(_fault_of(finding, model, sources)))


def _warning(told: ConfigurationError) -> Fault:
    advice = f"; {told.report.advice}" if told.report.advice else ""
    detail = f"{told.report.detail}; it has no effect{advice}"
    return Fault(told.code, detail, location=told.report.location, severity="warning")


def _is_unknown(finding: ErrorDetails) -> bool:
    in_list = bool(finding["loc"]) and isinstance(finding["loc"][-1], int)
    return finding["type"] == "extra_forbidden" or (finding["type"] == "literal_error" and in_list)


def _drop(table: Table, keys: Keys) -> None:
    here: Any = table
    for key in keys[:-1]:
        here = here[key]
    del here[keys[-1]]


def _fault_of(
    finding: ErrorDetails, model: type[BaseModel], sources: Sequence[tuple[TomlFile, Keys]]
) -> ConfigurationError:
    keys = _toml_keys(finding)
    file, prefix = _blamed(sources, keys)
    detail, advice = describe(finding, model, dotted((*prefix, *keys)))
    return file.fault(detail, (*prefix, *keys), (*prefix, *keys[:-1]), prefix, advice=advice)


def gravity(finding: ErrorDetails) -> int:
    """Unknown keys first: a misspelt key explains the missing one beside it."""
    return 0 if finding["type"] == "extra_forbidden" else 1


def _toml_keys(finding: ErrorDetails) -> Keys:
    """The error's path without the names pydantic puts in for members of a union and keys of a table."""
    kept = [part for part in finding["loc"] if not (isinstance(part, str) and _is_branch(part))]
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


def describe(finding: ErrorDetails, model: type[BaseModel], key: str) -> tuple[str, str | None]:
    """A pydantic finding as a sentence, and advice when there is any."""
    kind, given = finding["type"], finding["input"]
    name = str(finding["loc"][-1]) if finding["loc"] else ""
    if kind == "extra_forbidden":
        near = near_names(name, _names_beside(model, finding["loc"][:-1]))
        return f"unknown key {key!r}", f"did you mean {near[0]!r}?" if near else None
    if kind == "missing":
        return f"the key {key!r} is missing", None
    if kind == "literal_error":
        expected = finding.get("ctx", {}).get("expected", "")
        near = near_names(str(given), expected.replace("'", "").replace(" or ", ", ").split(", "))
        return f"{key!r} cannot be {given!r}: expected {expected}", f"did you mean {near[0]!r}?" if near else None
    message = finding["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return f"in {key!r}: {message}" if key else message, None
    return f"{key!r}: {message[:1].lower()}{message[1:]}, not {given!r}", None


def _names_beside(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys the table at `loc` may have."""
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
    """Deep merge, key by key; the second one wins."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            result[key] = merged(cast("Table", known), cast("Table", value))
        else:
            result[key] = value
    return result
