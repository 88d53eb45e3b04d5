"""How long a history may become before its workflow must go on in a new one."""

from typing import Final

from temporalio import workflow

EVENTS_PER_CHILD: Final = 9
"""Of a child in its parent's history: three of its own, and two workflow tasks where nothing else shares them."""
MOST_EVENTS: Final = 4_500
"""The server suggests a new run from 4,096 on, warns at 10,240 and terminates at 51,200."""
MOST_BYTES: Final = 3_500_000
"""The server suggests a new run at 4 MiB."""
MOST_HELD: Final = 8_000_000
"""Bytes of JSON that results may take in a worker's memory before they are put away."""
BYTES_PER_CHILD: Final = 2_500
"""What a child's events take beside its arguments and its result."""


class Page:
    """What children still fit into this run of the current workflow.

    A page counts children under way with the largest arguments and results seen so far: what the server counted is
    known only as of the last workflow task. All of it is the same at every replay.

    Args:
        is_bounded: False for children that were found to fit, all of them, beforehand.
    """

    def __init__(self, *, is_bounded: bool = True) -> None:
        self._is_bounded = is_bounded
        self._under_way = 0
        self._largest = 0
        self._held = 0

    @property
    def has_room(self) -> bool:
        """Whether one more child fits. The first one does, or nothing would ever be done."""
        if not self._is_bounded or self._largest == 0:
            return True
        return self._held < MOST_HELD and fits(self._under_way + 1, self._largest)

    def begin(self, size: int) -> None:
        """A child begins, whose arguments take some bytes."""
        self._under_way += 1
        self._largest = max(self._largest, size)

    def end(self, arguments: int, result: int, held: int) -> None:
        """A child ended.

        Args:
            arguments: bytes of its arguments in the history.
            result: bytes of its result in the history.
            held: bytes of its result in memory.
        """
        self._under_way -= 1
        self._largest = max(self._largest, arguments + result)
        self._held += held


def fits(count: int, size: int) -> bool:
    """Whether some children, each with arguments and a result of some bytes, fit into this run of the workflow."""
    info = workflow.info()
    events = info.get_current_history_length() + count * EVENTS_PER_CHILD
    return events <= MOST_EVENTS and info.get_current_history_size() + count * (size + BYTES_PER_CHILD) <= MOST_BYTES
