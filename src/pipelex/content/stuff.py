"""The values of a run: stuffs, recorded absences, and the working memory that names them.

Source: MTHDS 8.0.0, sections 8 and 10.3 of the language reference.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self, cast

from pipelex.errors.json import Json, as_object, exactly, maybe

MAIN_STUFF: Final = "main_stuff"
"""The reserved name of the current main result."""


@dataclass(frozen=True, slots=True)
class Stuff:
    """A value with its concept; a list is `{"items": [...]}` under the concept of its items."""

    concept: str
    """The concept with its domain, for example `native.Text`."""
    content: Json
    """The concept's content as plain JSON; for a list `{"items": [content, ...]}`."""
    is_list: bool = False

    @classmethod
    def of_list(cls, concept: str, items: Iterable[Json]) -> Self:
        return cls(concept, {"items": list(items)}, is_list=True)

    @property
    def items(self) -> list[Json]:
        """The contents of a list."""
        if not self.is_list:
            raise TypeError(f"a single {self.concept} has no items")
        return cast("list[Json]", as_object(self.content)["items"])

    @property
    def count(self) -> int:
        """The number of items of a list."""
        return len(self.items)

    def to_json(self) -> dict[str, Json]:
        """The wire form. A single value that looks like a list has `is_list: false`, which other readers ignore."""
        wire: dict[str, Json] = {"concept": self.concept, "content": self.content}
        if not self.is_list and _looks_like_list(self.content):
            wire["is_list"] = False
        return wire

    @classmethod
    def from_json(cls, wire: Mapping[str, Json]) -> Self:
        content = wire["content"]
        concept = exactly(wire["concept"], str)
        if isinstance(content, list):  # a bare array is accepted on input
            return cls(concept, {"items": content}, is_list=True)
        return cls(concept, content, exactly(wire.get("is_list", _looks_like_list(content)), bool))


def _looks_like_list(content: Json) -> bool:
    return isinstance(content, dict) and content.keys() == {"items"} and isinstance(content["items"], list)


AbsenceKind = Literal["declared_absent", "skipped", "not_provided"]


@dataclass(frozen=True, slots=True)
class Absence:
    """The absence of a value, and its reason: a condition continued, a pipe was skipped, or an input was left out."""

    kind: AbsenceKind
    pipe: str | None = None
    """The pipe that returned the absence."""
    cause: str | None = None
    """The name of the absent input because of which the pipe was skipped."""

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {"kind": self.kind}
        if self.pipe is not None:
            found["pipe"] = self.pipe
        if self.cause is not None:
            found["cause"] = self.cause
        return found

    @classmethod
    def from_json(cls, wire: Mapping[str, Json]) -> Self:
        return cls(cast("AbsenceKind", wire["kind"]), maybe(wire.get("pipe"), str), maybe(wire.get("cause"), str))


@dataclass(frozen=True, slots=True)
class WorkingMemory:
    """The named values of a run. Immutable: each change returns a new memory that shares the values."""

    root: Mapping[str, Stuff] = field(default_factory=dict[str, Stuff])
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    absences: Mapping[str, Absence] = field(default_factory=dict[str, Absence])

    def get(self, name: str) -> Stuff | None:
        """The value under a name or an alias; None when there is none."""
        return self.root.get(name) or self.root.get(self.aliases.get(name, ""))

    def absence_of(self, name: str) -> Absence | None:
        return self.absences.get(name) or self.absences.get(self.aliases.get(name, ""))

    @property
    def main(self) -> Stuff | None:
        return self.get(MAIN_STUFF)

    def with_value(self, name: str, value: Stuff | Absence) -> Self:
        """A memory with a value or an absence under a name, in place of any earlier one."""
        root = {key: stuff for key, stuff in self.root.items() if key != name}
        absences = {key: absence for key, absence in self.absences.items() if key != name}
        aliases = {key: target for key, target in self.aliases.items() if key != name}
        if isinstance(value, Stuff):
            root = {**self.root, name: value} if name in self.root else {**root, name: value}
        else:
            absences[name] = value
        return replace(self, root=root, aliases=aliases, absences=absences)

    def with_result(self, name: str | None, value: Stuff | Absence) -> Self:
        """A memory with a step's result, under its name and as the main result."""
        if name is None or name == MAIN_STUFF:
            return self.with_value(MAIN_STUFF, value)
        named = self.with_value(MAIN_STUFF, value).with_value(name, value)
        root = {key: stuff for key, stuff in named.root.items() if key != MAIN_STUFF}
        absences = {key: absence for key, absence in named.absences.items() if key != MAIN_STUFF}
        return replace(named, root=root, absences=absences, aliases={**named.aliases, MAIN_STUFF: name})

    def to_json(self) -> dict[str, Json]:
        """The wire form: `root`, `aliases`, `absences`."""
        return {
            "root": {name: stuff.to_json() for name, stuff in self.root.items()},
            "aliases": dict(self.aliases),
            "absences": {name: absence.to_json() for name, absence in self.absences.items()},
        }

    @classmethod
    def from_json(cls, wire: Mapping[str, Json], read: Callable[[Mapping[str, Json]], Stuff] = Stuff.from_json) -> Self:
        """The inverse of `to_json`.

        Args:
            wire: the wire form.
            read: the function that reads one value.
        """
        aliases, absences = as_object(wire.get("aliases", {})), as_object(wire.get("absences", {}))
        return cls(
            {name: read(as_object(stuff)) for name, stuff in as_object(wire["root"]).items()},
            {name: exactly(target, str) for name, target in aliases.items()},
            {name: Absence.from_json(as_object(absence)) for name, absence in absences.items()},
        )
