"""Limits that a reading process sets itself: memory, open files, and a life no longer than that of its starter."""

import os
import sys
import threading
import time
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_EVERY: Final = 0.05
"""The seconds between two looks of the watch."""
TOOK_TOO_MUCH: Final = 77
"""The exit code of a process whose memory went beyond the limit."""


class MemoryWatch:
    """Ends the process when its memory goes beyond a limit, or when whoever started it is gone.

    The system's own limit makes most libraries say that memory is short; the watch is for those that look away, and for
    systems without such a limit.
    """

    def __init__(self) -> None:
        self._starter = os.getppid()
        self._most: int | None = None
        threading.Thread(target=self._look, name="memory", daemon=True).start()

    def allow(self, size: int) -> None:
        """Let the process take so many bytes more than it has now."""
        self._most = resident() + size
        _limit_data(_data() + size)

    def rest(self) -> None:
        """Lift the limit of memory: nothing is read now."""
        self._most = None
        _limit_data(None)

    def _look(self) -> None:
        while True:
            time.sleep(_EVERY)
            most = self._most
            if most is not None and resident() > most:
                os._exit(TOOK_TOO_MUCH)
            if os.getppid() != self._starter:
                os._exit(0)


def deny_files() -> None:
    """Have the process write no file and leave no image of its memory."""
    limit_files(0)


def limit_files(size: int) -> None:
    """Have the process write no file beyond a size, in bytes, and leave no image of its memory."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def resident() -> int:
    """The memory that the process has, in bytes."""
    if sys.platform == "linux":
        return _statm(1)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _data() -> int:
    return _statm(5) if sys.platform == "linux" else 0


def _statm(field: int) -> int:
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(200).split()[field]) * _PAGE


def _limit_data(size: int | None) -> None:
    if sys.platform != "linux":
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard if size is None else size, hard))
