"""The budgets of one workflow: the bytes it may still send, and the events it may still add to its history."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pipelex.durable.host import Host
from pipelex.pipes.rendering import is_used_up, share
from pipelex.templating import Budget


class RequestBudget:
    """The bytes that a workflow's next request may hold, because all commands of one task go to the server together.

    Args:
        host: the workflow; its pipes share the budget.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._taken = 0

    @asynccontextmanager
    async def taking(self, size: int) -> AsyncGenerator[None]:
        """Reserve bytes for something that the block sends; wait until the server has accepted enough earlier requests.

        Args:
            size: the size in bytes.
        """
        while not self._allows(size):
            await self._host.wait_until(lambda: self._allows(size))
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size

    def _allows(self, size: int) -> bool:
        return self._taken == 0 or self._taken + size <= self._host.limits.request_bytes


class HistoryBudget:
    """The children that still fit into this run of a workflow.

    The server's counts are known only as of the last workflow task. So children under way are counted with the largest
    arguments and results seen so far. All of these numbers are the same at every replay.

    Args:
        host: the workflow.
        is_bounded: whether to check the budget; False if all children are already known to fit.
    """

    def __init__(self, host: Host, *, is_bounded: bool = True) -> None:
        self._host = host
        self._is_bounded = is_bounded
        self._under_way = 0
        self._largest = 0
        self._held = 0

    @property
    def allows_one_more(self) -> bool:
        """Whether one more child fits. The first child always does, or the workflow would make no progress."""
        if not self._is_bounded or self._largest == 0:
            return True
        return self._held < self._host.limits.held_bytes and fits(self._host, self._under_way + 1, self._largest)

    def begin(self, size: int) -> None:
        """Note that a child begins, with arguments of `size` bytes."""
        self._under_way += 1
        self._largest = max(self._largest, size)

    def end(self, arguments: int, result: int, held: int) -> None:
        """Note that a child ended.

        Args:
            arguments: the bytes of its arguments in the history.
            result: the bytes of its result in the history.
            held: the bytes of its result in memory.
        """
        self._under_way -= 1
        self._largest = max(self._largest, arguments + result)
        self._held += held


def fits(host: Host, count: int, size: int) -> bool:
    """Whether `count` children, each with arguments and a result of `size` bytes, fit into this run of a workflow."""
    limits, history = host.limits, host.history()
    events = history.events + count * limits.child_events
    return events <= limits.run_events and history.size + count * (size + limits.child_bytes) <= limits.run_bytes


class RenderingBudget:
    """The budget for rendering templates in each workflow task, shared by all pipes of the workflow.

    Args:
        host: the workflow.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._task = -1
        self._share = share()

    async def share(self) -> Budget:
        """The rest of the current task's share; once it is used up, the share of the next task."""
        while True:
            # The length of the history identifies the task: it stays the same during the task, and at every replay.
            task = self._host.history().events
            if task != self._task:
                self._task, self._share = task, share()
            if not is_used_up(self._share):
                return self._share
            await self._host.end_task()
