"""What a person at a terminal sees: a pseudo-terminal stands in for one."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

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


@pytest.mark.slow
def test_progress_is_a_live_tree_and_the_result_is_framed(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, **Ana**", delay=0.6)

    code, seen = on_a_terminal(cli, "run", "greet.mthds", "-i", '{"name": "Ana"}')

    assert code == 0, seen
    assert "0 pipes done, 1 running" in seen
    assert "LLM text · pipe=greet · model=stub" in seen
    assert "native.Text" in seen
    assert "╭─" in seen
    assert "completed successfully" in seen


def test_faults_are_coloured_on_a_terminal_only(cli: Cli) -> None:
    (cli.root / "broken.mthds").write_text("domain = \n", encoding="utf-8")

    code, seen = on_a_terminal(cli, "validate", "broken.mthds")

    assert code == 1
    assert "\x1b[31" in seen
    assert "\x1b[" not in cli.command("validate", "broken.mthds").out


ATTACK = "Hi\x1b]52;c;cm0=\x07 \x1b]0;title\x1b\\\x1b[2J\x9b8m\u009d52;c;cm0=\u009c\x1bPdevice\x1b\\\x1b[8mthere"
"""Writes to the clipboard, sets the title, clears the screen, hides what follows, in seven and in eight bits."""
_OURS = re.compile(r"\x1b\[[0-9;?]*[mABCDGHJKhl]")
"""What colours and the live display need."""


def is_tame(seen: str) -> bool:
    """Whether nothing but colours and moves of the cursor is in it, none of which clears the screen or hides text."""
    ours = set(_OURS.findall(seen))
    rest = _OURS.sub("", seen)
    wild = [character for character in rest if character in "\x1b\x07" or "\x7f" <= character <= "\x9f"]
    return not wild and ours.isdisjoint({"\x1b[2J", "\x1b[8m"})


def test_an_answer_cannot_command_the_terminal(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text=ATTACK)

    for options in ((), ("--json",), ("--json", "--with-memory")):
        code, seen = on_a_terminal(cli, "run", "greet.mthds", "-i", '{"name": "Ana"}', *options)
        assert (code, is_tame(seen)) == (0, True), repr(seen)
        assert "there" in seen


def test_json_is_the_answer_without_loss(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text=ATTACK + "漢字")

    for encoding in ("utf-8", "ascii", "cp1252"):
        ended = in_encoding(cli, encoding, "run", "greet.mthds", "-i", '{"name": "Ana"}', "--json")
        assert json.loads(ended) == {"text": ATTACK + "漢字"}


def in_encoding(cli: Cli, encoding: str, *args: str) -> str:
    """What a command writes on a standard output of some encoding."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelex.cli", *args],
        cwd=cli.root, env={**cli.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode(encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "… 漢字 – é"), ("cp1252", "… ?? – é"), ("ascii", "... ?? - ?")]
)
def test_any_encoding_shows_what_it_can(cli: Cli, stub: OpenAIStub, encoding: str, shown: str) -> None:
    stub.on("Hello Ana", text="… 漢字 – é")

    assert in_encoding(cli, encoding, "run", "greet.mthds", "-i", '{"name": "Ana"}').strip() == shown
    mark = "+" if encoding != "utf-8" else "✓"
    assert in_encoding(cli, encoding, "validate", "greet.mthds") == f"{mark} greet.mthds: valid, 1 pipe\n"


def test_an_error_of_a_provider_cannot_either(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", status=400, body={"error": {"message": ATTACK}})

    for options in ((), ("--json",)):
        code, seen = on_a_terminal(cli, "run", "greet.mthds", "-i", '{"name": "Ana"}', *options)
        assert (code, is_tame(seen)) == (1, True), repr(seen)


@pytest.mark.parametrize(
    "command", [["validate", "wild.mthds"], ["run", "wild.mthds"], ["show", "pipe", "hi", "-L", "."]]
)
def test_a_method_cannot_either(cli: Cli, command: list[str]) -> None:
    quoted = json.dumps(ATTACK)
    text = (
        f'domain = "wild"\n[pipe.hi]\ntype = {quoted}\ndescription = {quoted}\noutput = {quoted}\n# \u009b8m\u009d0;t\n'
    )
    (cli.root / "wild.mthds").write_text(text, encoding="utf-8")

    code, seen = on_a_terminal(cli, *command)

    assert (code != 0, is_tame(seen)) == (True, True), repr(seen)


def test_a_name_on_the_command_line_cannot_either(cli: Cli) -> None:
    for command in (
        ["run", ATTACK],
        ["validate", ATTACK + ".mthds"],
        ["new", "x", "--from", ATTACK],
        ["run", "--" + ATTACK],
    ):
        code, seen = on_a_terminal(cli, *command)
        assert (code, is_tame(seen)) == (2, True), repr(seen)


def test_log_lines_cannot_either(cli: Cli) -> None:
    code = (
        "import logging\n"
        "from pipelex.cli._shared.session import set_up_logging\n"
        "from pipelex.config import load_settings\n"
        "set_up_logging(load_settings())\n"
        f"logging.getLogger('pipelex').warning({ATTACK!r})\n"
    )
    for sinks in ("console", "json"):
        settings = cli.root / ".pipelex" / "pipelex.toml"
        settings.write_text(f'[runtime.log]\nsinks = ["{sinks}"]\n', encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=cli.root, env=cli.environ, capture_output=True, text=True, check=True
        )
        assert is_tame(done.stderr)
        assert "there" in done.stderr
