"""How large values go from workflow code into the storage and back, without being in the history.

Workflow code does no I/O. It lays a value out here, and has a local activity keep it, which runs in the same process;
what the history holds is where it is. To read one, a local activity brings it here first. A process that replays the
history later has nothing here: there, reading brings it again. Both give the same bytes, since a value is kept under
the hash of its bytes.
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
"""The most bytes of values that are kept in memory because they were read lately."""
_PAUSE_SECONDS: Final = 0.1
"""The pause before a value is asked for again that the storage did not give."""


class Hands:
    """The values that this process holds on their way; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out: dict[str, bytes] = {}
        self._holders: Counter[str] = Counter()
        self._read: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    @contextmanager
    def holding_out(self, digest: str, data: bytes) -> Generator[None]:
        """Lay a value out while the block runs.

        Args:
            digest: what the local activity asks for.
            data: its JSON.
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
        """A value that workflow code laid out.

        Raises:
            KeyError: nobody did, or not any more.
        """
        with self._lock:
            return self._out[digest]

    def keep(self, stored: StoredPayload, data: bytes) -> None:
        """Have a value at hand for whoever reads it next."""
        with self._lock:
            self._size -= len(self._read.pop(stored.key, b""))
            self._read[stored.key] = data
            self._size += len(data)
            while self._size > _MOST_KEPT and len(self._read) > 1:
                self._size -= len(self._read.popitem(last=False)[1])

    def kept(self, stored: StoredPayload) -> bytes | None:
        """A value that is at hand."""
        with self._lock:
            if stored.key in self._read:
                self._read.move_to_end(stored.key)
            return self._read.get(stored.key)

    async def bring(self, stored: StoredPayload) -> bytes:
        """A value out of the storage, and at hand from then on.

        Raises:
            PipelexError: the storage does not have it, or cannot be read.
        """
        found = self.kept(stored)
        if found is None:
            found = await served().values.get(stored)
            self.keep(stored, found)
        return found

    def read(self, stored: StoredPayload) -> bytes:
        """A value that was brought here before, by this process or by the one that made the history.

        Where the storage does not answer, this waits: the SDK ends a workflow task that takes too long, and has it done
        again. The value cannot be another one meanwhile.
        """
        while (found := self.kept(stored)) is None:
            try:
                self._bring_at_once(stored)
            except Exception:  # whatever it is, the history says that the value was there
                time.sleep(_PAUSE_SECONDS)
        return found

    def _bring_at_once(self, stored: StoredPayload) -> None:
        in_background(self.bring(stored))


HANDS: Final = Hands()
"""Those of this process."""


def in_background[T](work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs in a loop of its own, in a thread beside those of workflow code."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="pipelex-values", daemon=True).start()
    return loop
