"""Ends a worker's process in time, even if its event loop, an SDK or a thread is stuck."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final

GAVE_UP: Final = 1
"""The exit status of a process that had to be ended because it did not end in time."""


def end_within(limit: timedelta, on_giving_up: Callable[[], None]) -> None:
    """End this process after a time limit, unless it has ended before.

    A separate thread watches the time, so neither a blocked event loop nor a clean-up that never returns can stop it.

    Args:
        limit: the time limit.
        on_giving_up: called just before the process is ended.
    """

    def give_up() -> None:
        try:
            on_giving_up()
        finally:
            os._exit(GAVE_UP)

    watching = threading.Timer(limit.total_seconds(), give_up)
    watching.daemon = True
    watching.start()
