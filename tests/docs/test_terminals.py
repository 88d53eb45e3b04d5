"""The first hour of a newcomer at a terminal: the tutorial, typed on a pseudo-terminal, and its recordings.

`PIPELEX_RECORD=1 python -m pytest tests/docs/test_terminals.py` writes `recordings/*.cast`, which `asciinema play` shows.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.openai_server import OpenAIStub, Rule
from tests.support.pages import blocks_of, commands_of
from tests.support.terminal_sessions import TerminalSession, readable, typed

RECORDINGS = Path(__file__).parent / "recordings"
PAGES = {
    "first-method": "tutorial/first-method.md",
    "first-hour": "tutorial/first-hour.md",
    "durable": "tutorial/durable.md",
    "production": "tutorial/production.md",
}
DURABLE = {"first-hour", "durable"}


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[TerminalSession]:
    answers = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))
    with ExitStack() as stack:
        stub = stack.enter_context(OpenAIStub([Rule.from_json(rule) for rule in answers]))
        folder = tmp_path / "work"
        folder.mkdir()
        found = TerminalSession(folder, stub)
        stack.callback(found.close)
        yield found


@pytest.mark.timeout(400)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.server] if name in DURABLE else []) for name in PAGES]
)
def test_the_tutorial_at_a_terminal(terminal: TerminalSession, name: str) -> None:
    blocks = blocks_of(PAGES[name])
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.reason is None:
            terminal.perform(block, following)
    recording = terminal.recording(PAGES[name])
    assert "Traceback" not in recording
    if os.environ.get("PIPELEX_RECORD"):
        RECORDINGS.mkdir(exist_ok=True)
        (RECORDINGS / f"{name}.cast").write_text(recording, encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_recordings_are_of_the_pages(name: str) -> None:
    recorded = typed((RECORDINGS / f"{name}.cast").read_text(encoding="utf-8"))
    shown = [
        command
        for block in blocks_of(PAGES[name])
        if block.language == "console" and block.reason is None and block.background is None
        for command, _ in commands_of(block)
        if not re.fullmatch(r"export (\w+)=.+", command)
    ]
    assert recorded == shown


def test_what_was_written_over_is_not_read() -> None:
    assert readable("\x1b[32m✓\x1b[0m done\r\nhalf\rwhole\r\n") == "✓ done\nwhole\n"
