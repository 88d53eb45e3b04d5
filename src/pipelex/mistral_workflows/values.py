"""Large values, which are kept in the storage and travel as references of about a hundred bytes.

A value is kept under the SHA-256 of its JSON, so every reader of a reference gets the same bytes at any time.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, cast

from pipelex.content.stuff import Json, Stuff, WorkingMemory
from pipelex.durable.large import WrittenInputs
from pipelex.durable.stored import PART_BYTES, StoredList, StoredPayload, list_in_store
from pipelex.errors.json import as_array
from pipelex.mistral_workflows.carried import CarriedValue, plain, reference_to, stored_in, written
from pipelex.pipes.batches import cut
from pipelex.pipes.references import ListReference
from pipelex.pipes.window import together
from pipelex.storage import MOST_KEPT, Storage

_JSON: Final = "application/json"
_AT_ONCE: Final = 8


class CarriedValues:
    """Reads and writes the values of runs, outside workflow code.

    Args:
        storage: returns the storage that keeps large values.
        stored_above: the size in bytes above which a value is kept in the storage.
    """

    def __init__(self, storage: Callable[[], Storage], stored_above: int) -> None:
        self._storage = storage
        self.stored_above = stored_above

    async def put(self, data: bytes) -> StoredPayload:
        """Put the JSON of a value into the storage.

        Raises:
            PipelexError: the storage does not take it.
        """
        blob = await self._storage().put(data, mime_type=_JSON)
        return StoredPayload(key=blob.uri, size=blob.size)

    async def get(self, stored: StoredPayload) -> bytes:
        """The JSON of a value in the storage.

        Raises:
            PipelexError: the storage does not have the value or cannot be read, or the value is larger than 128 MiB.
        """
        return await self._storage().get(stored.key, most=MOST_KEPT)

    async def carried(self, data: bytes) -> CarriedValue:
        """A value as it travels, from its JSON. A large value is put into the storage."""
        return (
            cast("CarriedValue", plain(data)) if len(data) <= self.stored_above else reference_to(await self.put(data))
        )

    async def carried_text(self, data: bytes) -> CarriedValue | str:
        """A value that travels as JSON text. A large value is put into the storage."""
        return data.decode() if len(data) <= self.stored_above else reference_to(await self.put(data))

    async def carried_inputs(self, large: WrittenInputs | None) -> Mapping[str, CarriedValue] | None:
        """The large inputs that a job leaves out, as they travel."""
        return None if large is None else {name: await self.carried(data) for name, data in large.values.items()}

    async def value(self, carried: Json) -> Json:
        """The inverse of `carried`."""
        stored = stored_in(carried)
        return carried if stored is None else plain(await self.get(stored))

    async def data(self, carried: CarriedValue | str) -> bytes:
        """The JSON of a value that travelled whole or by reference."""
        if isinstance(carried, str):
            return carried.encode()
        stored = stored_in(carried)
        return written(carried) if stored is None else await self.get(stored)

    async def by_reference(self, value: Stuff, *, most_items: int) -> Stuff:
        """The value, with the items of a long list put into the storage. Any other value is unchanged.

        Args:
            value: the value.
            most_items: the most items of a list that stays whole, and of each part in the storage.
        """
        if not value.is_list or isinstance(value, ListReference):
            return value
        pieces = cut(value.items, most_items=most_items, most_bytes=PART_BYTES)
        if len(pieces) < 2:
            return value
        keys = await together([partial(self.put, written(piece)) for piece in pieces], limit=_AT_ONCE)
        return list_in_store(value.concept, zip(keys, map(len, pieces), strict=True))

    async def loaded(self, value: Stuff) -> Stuff:
        """A value with its content, which is loaded if the value is a list by reference."""
        if not isinstance(value, ListReference):
            return value
        parts = StoredList.of(value).parts
        found = await together([partial(self.get, part) for part in parts], limit=_AT_ONCE)
        return Stuff.of_list(value.concept, [item for data in found for item in as_array(plain(data))])

    async def loaded_memory(self, memory: WorkingMemory) -> WorkingMemory:
        """A memory in which every value has its content."""
        root = {name: await self.loaded(stuff) for name, stuff in memory.root.items()}
        return WorkingMemory(root, memory.aliases, memory.absences)
