"""Long lists that a runtime holds by reference, with their items in a store until they are read.

Controllers pass such a list on like any other value. Code that reads its content first asks the runtime port to `load`
it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from pipelex.content.stuff import Stuff
from pipelex.errors.json import Json, as_objects, exactly


@dataclass(frozen=True, slots=True)
class ListPart:
    """Consecutive items of a long list that are kept in a store."""

    key: Json
    """The key of the part in its store."""
    count: int
    """The number of items in the part."""


@dataclass(frozen=True, slots=True)
class ListReference(Stuff):
    """A list without its content, but with the places of its items in a store, in order."""

    parts: tuple[ListPart, ...] = ()

    @classmethod
    def of(cls, concept: str, parts: Iterable[ListPart]) -> Self:
        """The list that consists of some parts.

        Args:
            concept: the concept of the items.
            parts: the places of the items, in order.
        """
        return cls(concept, None, is_list=True, parts=tuple(parts))

    @property
    def items(self) -> list[Json]:
        """Not available: a runtime's `load` returns the list with its items."""
        raise TypeError(f"this list of {self.concept} is held by reference; load it first")

    @property
    def count(self) -> int:
        """The number of items of the list."""
        return sum(part.count for part in self.parts)

    def to_json(self) -> dict[str, Json]:
        """The wire form, which `read_value` distinguishes from that of a value with its content."""
        return {"concept": self.concept, "parts": [{"key": part.key, "count": part.count} for part in self.parts]}


def read_value(wire: Mapping[str, Json]) -> Stuff:
    """The inverse of a value's `to_json`, whether it is held by reference or not."""
    if "parts" not in wire:
        return Stuff.from_json(wire)
    parts = (ListPart(part["key"], exactly(part["count"], int)) for part in as_objects(wire["parts"]))
    return ListReference.of(exactly(wire["concept"], str), parts)


def parts_of(value: Stuff) -> tuple[ListPart, ...]:
    """The places of a value's items; empty for a value with its content."""
    return value.parts if isinstance(value, ListReference) else ()
