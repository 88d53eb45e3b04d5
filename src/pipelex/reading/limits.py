"""Limits that a reading process sets itself: its memory, the files it writes, and a life no longer than its parent."""

import os
import sys
import threading
import time
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_EVERY: Final = 0.05
"""The seconds between two checks of the memory."""
TOOK_TOO_MUCH: Final = 77
"""The exit code of a process whose memory exceeded the limit."""


class MemoryWatch:
    """Ends the process when its memory exceeds a limit, or when its parent is gone.

    With the system's own limit, most libraries report that memory is short. The watch is for libraries that ignore it,
    and for systems without such a limit.
    """

    def __init__(self) -> None:
        self._starter = os.getppid()
        self._most: int | None = None
        threading.Thread(target=self._look, name="memory", daemon=True).start()

    def allow(self, size: int) -> None:
        """Let the process take `size` bytes more than it has now."""
        self._most = resident() + size
        _limit_data(_data() + size)

    def rest(self) -> None:
        """Lift the memory limit while nothing is read."""
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
    """Keep the process from writing files and from dumping core."""
    limit_files(0)


def limit_files(size: int) -> None:
    """Limit the files that the process writes to a size in bytes, and keep it from dumping core."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def resident() -> int:
    """The memory that the process has, in bytes; outside Linux, the most that it has had."""
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
