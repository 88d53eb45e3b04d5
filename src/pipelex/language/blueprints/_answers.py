"""The types of what blueprints report about themselves: called pipes, models and named files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from pipelex.language.blueprints._base import Blueprint, Keys, ModelFamily, ModelPurpose

ModelName: TypeAlias = str | Blueprint | None
"""The model of a pipe: a reference (`$preset`, `@alias`, `~waterfall`, a handle), an inline settings table, or nothing,
which leaves the choice to the runtime."""


class CalledPipe(NamedTuple):
    """A pipe that a controller may run."""

    ref: str
    keys: Keys
    """The keys under which the controller's table names it."""


@dataclass(frozen=True)
class AskedModel:
    """A model that a pipe asks for."""

    family: ModelFamily
    key: str
    """The key of the pipe's table that names the model, present or not."""
    named: ModelName
    purpose: ModelPurpose = "text"
    """The purpose whose default applies when no model is named; only language models have two."""
    document: str | None = None
    """`<format>.<source>` of a document, which picks the default of the family `doc_gen`."""
    handed: Literal["text", "templates", "input"] = "text"
    """The input of the model: text alone, the images and documents that the pipe's templates show, or the pipe's one
    input."""

    @property
    def choice(self) -> str | dict[str, Any] | None:
        """The model as it is named, in plain JSON."""
        return choice_of(self.named)


def choice_of(named: ModelName) -> str | dict[str, Any] | None:
    """A model as a pipe names it, in plain JSON."""
    return named.model_dump(mode="json", exclude_none=True) if isinstance(named, Blueprint) else named


class NamedFile(NamedTuple):
    """A file of the method tree that a pipe names."""

    kind: Literal["function", "path"]
    """Whether it is named by a function's import path, or by its own path from the bundle's folder."""
    name: str


Changes: TypeAlias = "Mapping[str | int, Changes | str]"


def changed(value: Any, changes: "Changes | str") -> Any:
    """A copy of a part of a blueprint with other texts at some keys."""
    if isinstance(changes, str):
        return changes
    if isinstance(value, tuple):
        items = enumerate(cast("tuple[Any, ...]", value))
        return tuple(changed(item, changes[index]) if index in changes else item for index, item in items)
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return {key: changed(entry, changes[key]) if key in changes else entry for key, entry in table.items()}
    blueprint = cast("Blueprint", value)
    update = {str(key): changed(getattr(blueprint, str(key)), new) for key, new in changes.items()}
    return blueprint.model_copy(update=update)
