"""The memory through which large values pass between workflow code and the storage, without entering the history.

Workflow code does no I/O. To store a value, it holds the value out here, and a local activity in the same process puts
it into the storage; the history only contains the reference. To read a value, a local activity loads it here first.
When another process replays the history, the value is not here, so reading loads it again. The bytes are the same,
because a value is stored under the hash of its bytes.
"""

import asyncio
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, TypeVar

from pipelex.durable.stored import StoredPayload
from pipelex_mistral_workflows.deployment import served

T = TypeVar("T")

_MOST_KEPT: Final = 128_000_000
"""The most bytes of recently used values that are kept in memory."""
_PAUSE_SECONDS: Final = 0.1
"""The pause, in seconds, before a failed read from the storage is tried again."""


class Hands:
    """The values in this process's memory, on their way to or from the storage; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: dict[str, bytes] = {}
        self._holders: Counter[str] = Counter()
        self._read: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    @contextmanager
    def holding_out(self, digest: str, data: bytes) -> Generator[None]:
        """Hold a value out to a local activity while the block runs.

        Args:
            digest: the key by which the local activity asks for the value.
            data: the JSON of the value.
        """
        with self._lock:
            self._holders[digest] += 1
            self._out[digest] = data
        try:
            yield
        finally:
            with self._lock:
                self._holders[digest] -= 1
                if self._holders[digest] <= 0:
                    del self._holders[digest]
                    self._out.pop(digest, None)

    def held_out(self, digest: str) -> bytes:
        """A value that workflow code holds out.

        Raises:
            KeyError: the value is not held out, or no longer.
        """
        with self._lock:
            return self._out[digest]

    def keep(self, stored: StoredPayload, data: bytes) -> None:
        """Keep a value in memory for the next reader, and drop the least recently used ones if there are too many."""
        with self._lock:
            self._size -= len(self._read.pop(stored.key, b""))
            self._read[stored.key] = data
            self._size += len(data)
            while self._size > _MOST_KEPT and len(self._read) > 1:
                self._size -= len(self._read.popitem(last=False)[1])

    def kept(self, stored: StoredPayload) -> bytes | None:
        """A value that is in memory; None if it is not."""
        with self._lock:
            if stored.key in self._read:
                self._read.move_to_end(stored.key)
            return self._read.get(stored.key)

    async def bring(self, stored: StoredPayload) -> bytes:
        """A value from memory or from the storage, which stays in memory.

        Raises:
            PipelexError: the storage does not have it, or cannot be read.
        """
        found = self.kept(stored)
        if found is None:
            found = await served().values.get(stored)
            self.keep(stored, found)
        return found

    def read(self, stored: StoredPayload) -> bytes:
        """A value that was loaded before, in this process or in the one that recorded the history.

        If the storage does not answer, this keeps trying: the SDK ends a workflow task that takes too long, and runs it
        again. The value cannot change meanwhile.
        """
        while (found := self.kept(stored)) is None:
            try:
                self._bring_at_once(stored)
            except Exception:  # whatever failed, the history says that the value exists
                time.sleep(_PAUSE_SECONDS)
        return found

    def _bring_at_once(self, stored: StoredPayload) -> None:
        in_background(self.bring(stored))


HANDS: Final = Hands()
"""The values in the memory of this process."""


def in_background[T](work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs in its own event loop, in a thread that workflow code does not use."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="pipelex-values", daemon=True).start()
    return loop
