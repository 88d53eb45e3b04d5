"""What workflow code knows of lists by reference; `pipelex.temporal.codec` stores and loads them."""

from typing import Final

from pipelex.content.stuff import ListPart
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.references import StoredPayload

STORE_LIST: Final = "store_list"
LOAD_LIST: Final = "load_list"

PART_BYTES: Final = 1_500_000
"""Bytes of JSON in one part of a list, unless it is one item: a part is what a slice of a batch holds at a time."""


class StoredList(Wire):
    """A list in the store."""

    parts: tuple[StoredPayload, ...]
    """In order."""


def stored_payload(part: ListPart) -> StoredPayload:
    """Where a part of a list is."""
    return StoredPayload.model_validate(part.key)
