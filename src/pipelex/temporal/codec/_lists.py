"""Stores and loads long lists by reference: each part of a list is a payload in the store."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from temporalio.converter import DataConverter

from pipelex.content.stuff import Absence, Json, Stuff, WorkingMemory
from pipelex.durable.stored import PART_BYTES, StoredList, StoredPayload, list_in_store
from pipelex.pipes.batches import cut
from pipelex.pipes.references import ListReference
from pipelex.pipes.window import together
from pipelex.temporal.codec._values import load_value, store_value

_AT_ONCE: Final = 8


async def stored_as_parts(converter: DataConverter, value: Stuff, *, most_items: int) -> Stuff:
    """The value, by reference if it is a long list; its parts are then stored.

    Raises:
        PipelexError: a part cannot be stored.
    """
    if not value.is_list or isinstance(value, ListReference):
        return value
    pieces = cut(value.items, most_items=most_items, most_bytes=PART_BYTES)
    if len(pieces) < 2:
        return value
    keys = await together([partial(store_value, converter, piece) for piece in pieces], limit=_AT_ONCE)
    return list_in_store(value.concept, zip(keys, map(len, pieces), strict=True))


async def loaded(converter: DataConverter, value: Stuff) -> Stuff:
    """The value with its content, which is loaded from the store if necessary.

    Raises:
        PipelexError: there is no store here, or it does not have the content.
    """
    if not isinstance(value, ListReference):
        return value
    return Stuff.of_list(value.concept, await load_parts(converter, StoredList.of(value).parts))


async def loaded_memory(converter: DataConverter, memory: WorkingMemory) -> WorkingMemory:
    """The memory with the content of every value; see `loaded`."""
    root = {name: await loaded(converter, stuff) for name, stuff in memory.root.items()}
    return WorkingMemory(root, memory.aliases, cast("dict[str, Absence]", memory.absences))


async def load_parts(converter: DataConverter, parts: Sequence[StoredPayload]) -> list[Json]:
    """The items of consecutive parts of a list."""
    found: list[list[Any]] = await together([partial(_load, converter, part) for part in parts], limit=_AT_ONCE)
    return [item for items in found for item in items]


async def _load(converter: DataConverter, part: StoredPayload) -> list[Any]:
    return await load_value(converter, part, list[Any])
