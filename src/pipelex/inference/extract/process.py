"""One process that reads documents, and the messages to and from it."""

import json
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
    """A process without the runtime's keys; whatever it is asked blocks, and ends once it is killed.

    Args:
        script: what it runs; the reader of documents by default.
    """

    def __init__(self, script: Path = _CHILD) -> None:
        self.is_worn = False
        """Whether another one is to take its place."""
        self.is_asked = False
        """Whether somebody waits for it."""
        self._max_head = 1000
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=script.parent,
            # A fixed threshold has large blocks given back once they are free: two pages take no more than one.
            env={**harmless(), "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576"},
            start_new_session=True,
        )
        paths = json.dumps([path for path in sys.path if path]).encode()
        self._stdin.write(paths + b"\n")
        self._stdin.flush()

    @property
    def is_alive(self) -> bool:
        """Whether it answers: one that was killed a moment ago does not look so yet."""
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
        """Take no message with more text than that: a character is at most six bytes of JSON, an astral one twelve."""
        self._max_head = 12 * characters + 1_000_000

    def send(self, head: dict[str, Any], blobs: list[bytes]) -> None:
        """Hand over a task.

        Raises:
            OSError: it has ended.
        """
        self.is_asked = True
        send(self._stdin, head, blobs)
        self.is_asked = False

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next message of the process.

        Raises:
            BrokenWire: it has ended, or its message is none.
        """
        self.is_asked = True
        found = receive(cast("BinaryIO", self._process.stdout), max_head=self._max_head, max_blobs=_MAX_BLOBS)
        self.is_asked = False
        if found is None:
            raise BrokenWire("it has ended")
        return found

    def kill(self) -> None:
        """End it."""
        kill_session(self._process.pid)

    def wait(self) -> int:
        """The code it ended with."""
        return self._process.wait()

    def close(self) -> None:
        """Let go of its pipes, once it is killed."""
        self.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # it was not read to its end
                    pipe.close()
