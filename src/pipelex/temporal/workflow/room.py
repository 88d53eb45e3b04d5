"""Room in a request: the commands of one workflow task go to the server together, which takes so many bytes at once."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import workflow

from pipelex.temporal.workflow.limits import TASK_LIMIT


class Room:
    """What the workflow is about to send, in bytes; for all that runs in it."""

    def __init__(self) -> None:
        self._taken = 0

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncGenerator[None]:
        """Send something in the block; it waits until enough of what was sent before has been accepted."""
        while not self._has(size):
            await workflow.wait_condition(lambda: self._has(size))
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size

    def _has(self, size: int) -> bool:
        return self._taken == 0 or self._taken + size <= TASK_LIMIT
