"""Values that stay in a payload store, as far as workflow code knows them: where they are, never what they say."""

from collections.abc import Iterable
from typing import Final

from pipelex.pipes.references import ListPart, ListReference
from pipelex.pipes.wire import Wire

STORE_LIST: Final = "store_list"
"""The activity that puts items of a list into the store."""
LOAD_LIST: Final = "load_list"
"""The activity that takes the items of a list out of the store."""

PART_BYTES: Final = 1_500_000
"""The most bytes of JSON in one part of a list, unless it is one item: a part is what a slice of a batch holds at a time."""


class StoredPayload(Wire):
    """A value in the payload store, small enough to be carried inside other values.

    Workflow code never loads one. It hands it to a child workflow or an activity, whose worker fetches the value before
    that code runs.
    """

    key: str
    """The key under which the store keeps it; it ends in the SHA-256 of the stored bytes."""
    size: int
    """The number of bytes that are stored."""

    def as_part(self, count: int) -> ListPart:
        """The part of a list whose items it holds.

        Args:
            count: the number of items.
        """
        return ListPart(self.model_dump(), count)

    @classmethod
    def of_part(cls, part: ListPart) -> "StoredPayload":
        """The inverse of `as_part`."""
        return cls.model_validate(part.key)


class StoredList(Wire):
    """A list in the store."""

    parts: tuple[StoredPayload, ...]
    """The places of its items, in order."""

    @classmethod
    def of(cls, value: ListReference) -> "StoredList":
        """The list that a value stands for."""
        return cls(parts=tuple(map(StoredPayload.of_part, value.parts)))


def list_in_store(concept: str, stored: Iterable[tuple[StoredPayload, int]]) -> ListReference:
    """A list by reference.

    Args:
        concept: the concept of the items.
        stored: consecutive pieces of the list, each with the number of its items.
    """
    return ListReference.of(concept, (payload.as_part(count) for payload, count in stored))
