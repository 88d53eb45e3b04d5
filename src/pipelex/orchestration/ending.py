"""The end of a worker's process, which comes in time whatever its event loop, an SDK or a thread is held up by."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

GAVE_UP: Final = 1
"""The status of a process that did not end by itself."""


def end_within(limit: timedelta, on_giving_up: Callable[[], None]) -> None:
    """End this process after a time, unless it ended before.

    A thread of its own watches: neither a blocked event loop nor a clean-up that waits for ever keeps it from that.

    Args:
        limit: the time.
        on_giving_up: called before the process ends.
    """

    def give_up() -> None:
        try:
            on_giving_up()
        finally:
            os._exit(GAVE_UP)

    watching = threading.Timer(limit.total_seconds(), give_up)
    watching.daemon = True
    watching.start()
