"""Pages of the documentation typed on a pseudo-terminal, and recorded as asciinema does (asciicast, version 2)."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Final

from tests.support.openai_server import OpenAIStub
from tests.support.pages import SECONDS, Session

COLUMNS: Final = 120
ROWS: Final = 40
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[()][A-Za-z0-9]|[=>78])")
"""A sequence that moves the cursor, erases or colours."""


class TerminalSession(Session):
    """A reader at a terminal of 120 columns and 40 rows, with colours; every command and its output is recorded."""

    def __init__(self, folder: Path, stub: OpenAIStub) -> None:
        super().__init__(folder, stub)
        del self.environ["NO_COLOR"], self.environ["COLUMNS"]
        self.environ["TERM"] = "xterm-256color"
        self._events: list[tuple[float, str]] = []
        self._began = time.monotonic()

    def _ran(self, command: list[str]) -> tuple[int, str]:
        if command[:2] == ["bash", "-c"]:
            self._record(f"$ {command[2]}\n".replace("\n", "\r\n"))
        leader, follower = pty.openpty()
        try:
            fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdin=follower,
                stdout=follower,
                stderr=follower,
                start_new_session=True,
            )
        finally:
            os.close(follower)
        try:
            printed = self._read(leader)
            return process.wait(timeout=SECONDS), readable(printed)
        finally:
            process.kill()
            process.wait()
            os.close(leader)

    def _is_shown(self, shown: str, printed: str) -> bool:
        """Whether the words of a text were printed, in their order: a terminal gets results in a frame."""
        at = 0
        for word in re.findall(r"[^\s…#*`]+", shown):
            at = printed.find(word, at)
            if at < 0:
                return False
            at += len(word)
        return True

    def _read(self, leader: int) -> str:
        end = time.monotonic() + SECONDS
        said = bytearray()
        while time.monotonic() < end:
            if not select.select([leader], [], [], 1.0)[0]:
                continue
            try:
                part = os.read(leader, 65_536)
            except OSError:  # on Linux, the end of whoever wrote there
                break
            if not part:
                break
            said += part
            self._record(part.decode("utf-8", "replace"))
        return said.decode("utf-8", "replace")

    def _record(self, text: str) -> None:
        self._events.append((time.monotonic() - self._began, self.without_places(text)))

    def without_places(self, text: str) -> str:
        """A text without the folders and ports of this run, which are others each time."""
        return text.replace(str(self.folder.parent), "/home/reader").replace(f":{self.port}", ":7233")

    def recording(self, title: str) -> str:
        """Everything so far, as an asciicast."""
        head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title, "env": {"TERM": "xterm-256color"}}
        lines = [head, *([round(at, 3), "o", text] for at, text in self._events)]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def readable(printed: str) -> str:
    """What was printed on a terminal, without colours and without what was written over in its line."""
    lines = _SEQUENCE.sub("", printed).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r")[2] for line in lines)


def typed(recording: str) -> list[str]:
    """The commands of a recording."""
    events = [json.loads(line) for line in recording.splitlines()[1:]]
    return [text.removeprefix("$ ").replace("\r\n", "\n").strip() for _, _, text in events if text.startswith("$ ")]
