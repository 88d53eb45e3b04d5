"""A process that reads documents, and the messages to and from it."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pipelex.reading
from pipelex.inference.children import harmless, kill_session
from pipelex.reading.wire import BrokenWire, receive, send

_CHILD: Final = Path(pipelex.reading.__file__).with_name("child.py")
_MAX_BLOBS: Final = 1024**3


class ReadingProcess:
    """A child process that does not inherit the runtime's keys. Its methods block, and killing it unblocks them.

    Args:
        script: the script that it runs; the document reader by default.
    """

    def __init__(self, script: Path = _CHILD) -> None:
        self.is_worn = False
        """Whether it should be replaced by a new process."""
        self.is_asked = False
        """Whether a thread is waiting for it."""
        self._max_head = 1000
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=script.parent,
            # With a fixed threshold, large blocks go back to the system once they are free, so two pages take no more
            # memory than one.
            env={**harmless(), "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576"},
            start_new_session=True,
        )
        paths = json.dumps([os.path.abspath(path) for path in sys.path if path]).encode()
        self._stdin.write(paths + b"\n")
        self._stdin.flush()

    @property
    def is_alive(self) -> bool:
        """Whether it answers a message; a process that has just been killed may still look as if it were running."""
        if self._process.poll() is not None:
            return False
        try:
            self.send({"hello": True}, [])
            return "hello" in self.receive()[0]
        except (BrokenWire, OSError, ValueError):
            self.is_asked = False
            return False

    @property
    def _stdin(self) -> BinaryIO:
        return cast("BinaryIO", self._process.stdin)

    def limit_messages(self, characters: int) -> None:
        """Limit the text of a received message. A character takes at most 6 bytes of JSON, or 12 beyond U+FFFF."""
        self._max_head = 12 * characters + 1_000_000

    def send(self, head: dict[str, Any], blobs: list[bytes]) -> None:
        """Send a message to the process.

        Raises:
            OSError: the process has ended.
        """
        self.is_asked = True
        send(self._stdin, head, blobs)
        self.is_asked = False

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next message of the process.

        Raises:
            BrokenWire: the process has ended, or its message is not valid.
        """
        self.is_asked = True
        found = receive(cast("BinaryIO", self._process.stdout), max_head=self._max_head, max_blobs=_MAX_BLOBS)
        self.is_asked = False
        if found is None:
            raise BrokenWire("it has ended")
        return found

    def kill(self) -> None:
        """Kill the process and the children in its session."""
        kill_session(self._process.pid)

    def wait(self) -> int:
        """Wait for the process to end, and return its exit code."""
        return self._process.wait()

    def close(self) -> None:
        """Wait for the killed process to end, and close its pipes."""
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # buffered data could not be written
                    pipe.close()
