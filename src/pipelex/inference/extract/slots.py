"""A semaphore that works across event loops."""

import asyncio
from collections import deque
from threading import Lock


class Slots:
    """Lets a limited number of tasks run at the same time; the others wait in order of arrival.

    Args:
        count: the number of tasks that may run at the same time.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lock = Lock()

    async def acquire(self) -> None:
        """Wait for a free slot, and take it."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                is_waiting = turn in self._waiting
                if is_waiting:
                    self._waiting.remove(turn)
            if not is_waiting:  # it was given a slot just before it was cancelled
                self.release()
            raise

    def release(self) -> None:
        """Give the slot to the next waiting task, or free it."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                turn = self._waiting.popleft()
            try:
                turn.get_loop().call_soon_threadsafe(_give, turn)
            except RuntimeError:  # its loop is closed
                continue
            return


def _give(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
