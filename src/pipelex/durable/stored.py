"""References to values in a payload store. Workflow code knows only where such a value is, never its content."""

from collections.abc import Iterable
from typing import Final

from pipelex.pipes.references import ListPart, ListReference
from pipelex.pipes.wire import Wire

STORE_LIST: Final = "store_list"
"""The name of the activity that puts items of a list into the store."""
LOAD_LIST: Final = "load_list"
"""The name of the activity that loads the items of a list from the store."""

PART_BYTES: Final = 1_500_000
"""The most bytes of JSON in one part of a list; a single larger item is a part of its own. A slice of a batch runs the
items of one part."""


class StoredPayload(Wire):
    """A reference to a value in the payload store, small enough to travel inside other values.

    Workflow code never loads the value. It passes the reference to a child workflow or an activity, whose worker
    fetches the value before running its code.
    """

    key: str
    """The key in the store; it ends in the SHA-256 of the stored bytes."""
    size: int
    """The number of stored bytes."""

    def as_part(self, count: int) -> ListPart:
        """This value, which holds items of a list, as a part of that list.

        Args:
            count: the number of items in the part.
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
        """The list in the store that a value refers to."""
        return cls(parts=tuple(map(StoredPayload.of_part, value.parts)))


def list_in_store(concept: str, stored: Iterable[tuple[StoredPayload, int]]) -> ListReference:
    """A reference to a list in the store.

    Args:
        concept: the concept of the items.
        stored: the parts of the list in order, each with the number of its items.
    """
    return ListReference.of(concept, (payload.as_part(count) for payload, count in stored))
