"""What a person at a terminal sees: a pseudo-terminal stands in for one."""

import os
import pty
import select
import subprocess
import sys
import time

from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub
from tests.support.processes import kill


def on_a_terminal(cli: Cli, *args: str, seconds: float = 60.0) -> tuple[int, str]:
    """Run a command whose standard streams are a terminal; the exit code and all it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelex.cli", *args],
        cwd=cli.root, env={**cli.environ, "TERM": "xterm", "COLUMNS": "100"}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the terminal is closed with its last user
                break
            if not piece:
                break
            seen += piece
        return child.wait(10), seen.decode(errors="replace")
    finally:
        kill(child)
        os.close(ours)


def test_progress_is_a_live_tree_and_the_result_is_framed(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, **Ana**", delay=0.6)

    code, seen = on_a_terminal(cli, "run", "greet.mthds", "-i", '{"name": "Ana"}')

    assert code == 0, seen
    assert "0 pipes done, 1 running" in seen
    assert "LLM text · pipe=greet · model=stub" in seen
    assert "native.Text" in seen
    assert "╭─" in seen
    assert "completed successfully" in seen


def test_findings_are_coloured_on_a_terminal_only(cli: Cli) -> None:
    (cli.root / "broken.mthds").write_text("domain = \n", encoding="utf-8")

    code, seen = on_a_terminal(cli, "validate", "broken.mthds")

    assert code == 1
    assert "\x1b[31" in seen
    assert "\x1b[" not in cli.command("validate", "broken.mthds").out
