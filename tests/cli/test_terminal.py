"""What a person at a terminal sees: a pseudo-terminal stands in for one."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO

import pytest

from pipelex.cli._shared.console import Paint, json_text, one_line, shown, table
from pipelex.cli._shared.progress import progress
from pipelex.cli._shared.results import print_result
from pipelex.cli.runs.tree import RunView, view_text
from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors import ErrorReport, Location
from pipelex.orchestration import RunDescription, RunState
from pipelex.pipes.trace import EffectTrace, PipeTrace
from pipelex.runner import RunResult
from tests.cli.conftest import Cli
from tests.cli.test_durable import worker
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import kill

pytestmark = pytest.mark.slow


def on_a_terminal(
    cli: Cli,
    *args: str,
    seconds: float = 60.0,
    until: str = "",
    then: Callable[[], object] = str,
    columns: int = 100,
) -> tuple[int, str]:
    """Run a command whose standard streams are a terminal; the exit code and all it showed.

    Args:
        cli: the project.
        args: the command.
        seconds: the longest that it may take.
        until: something that it shows sooner or later.
        then: what is done when it has shown that, besides.
        columns: the terminal's width.
    """
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelex.cli", *args],
        cwd=cli.root, env={**cli.environ, "TERM": "xterm", "COLUMNS": str(columns)}, stdin=theirs, stdout=theirs, stderr=theirs,
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
            if until and until in seen.decode(errors="replace"):
                until = ""
                then()
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


@pytest.mark.parametrize(
    "hidden", ["\U000e0041", "\u2028", "\u2029", "\u202e", "\u2067", "\x9b", "\x7f", "\ud800", "\u200b", "\ufeff"]
)
def test_json_shows_what_hides_and_loses_nothing(hidden: str) -> None:
    text = json_text({"text": f"a{hidden}b"}, sys.stdout)

    assert hidden not in text
    assert json.loads(text) == {"text": f"a{hidden}b"}


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


@pytest.mark.parametrize(
    "cell",
    [
        "\nrun-2  completed",
        "\r\nrun-2  completed",
        "\u2028run-2  completed",
        "\u2029run-2  completed",
        "run-2\x1b]0;swallows the rest",
        "run-2\x90swallows the rest",
        "run-2\tfar away",
        "\U000e0001\U000e0041run-2",
        "\u200brun\ufeff-\u20602\u200d",
        "\u0e27\u0e31\u0e19 \U0001f469\u200d\U0001f467",
        ATTACK,
    ],
)
@pytest.mark.parametrize("has_ids", [True, False])
@pytest.mark.parametrize("width", ["", "60", "200"])
def test_a_cell_stays_in_its_row(cell: str, has_ids: bool, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)

    lines = shown(table([[cell, "failed"], ["run-1", "ended"]], ["run", "status"], Paint(False), has_ids=has_ids))

    rows = lines.split("\n")
    assert is_tame(lines)
    assert len(rows) == 3
    assert rows[1].endswith("failed")
    assert rows[2].startswith("run-1")
    assert {line.rindex(word) for line, word in zip(rows, ("status", "failed", "ended"), strict=True)} == {
        rows[0].index("status")
    }


class Terminal(StringIO):
    """A text in memory that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


FORGED = "x\nStatus  completed\r\n└─ ✓ all is well\u2028Code: none\tno\x0b\x85"
"""A text that would begin lines of its own."""


@pytest.mark.parametrize("width", ["", "60", "200"])
def test_a_name_begins_no_line_of_its_own(width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    now = datetime.now(UTC)
    run = RunDescription(FORGED, FORGED, FORGED, FORGED, RunState.FAILED, now, now, FORGED, replay_of=FORGED)
    effect = EffectTrace(FORGED, summary=FORGED, status=RunState.FAILED)
    trace = PipeTrace(FORGED, FORGED, FORGED, now, now, RunState.FAILED, effects=[effect])
    place = Location(pipe=FORGED, input=FORGED)
    error = ErrorReport(FORGED, "broken", provider=FORGED, model=FORGED, request_id=FORGED, location=place)

    text = shown(view_text(RunView(run, trace, error, replays=[FORGED]), Paint(False)))

    assert "all is well" in text
    assert [line for line in text.split("\n") if re.match(r"Status  completed|└─ ✓|Code: none", line)] == []


@pytest.mark.parametrize(
    "text", [FORGED, ATTACK, "[red]x[/red] [link=http://evil.example]y[/link]", "x[/dim][/bold]", "x\\"]
)
def test_a_live_tree_shows_names_as_they_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(sys, "stderr", written := Terminal())
    child = PipeTrace(text, text, text, effects=[EffectTrace(text, text)])
    root = PipeTrace(text, text, text, effects=[EffectTrace(text, text)], children=[child])
    with progress(text, is_silent=False) as live:
        live.trace(root)
        time.sleep(0.5)
    seen = written.getvalue()
    assert is_tame(seen), repr(seen)
    lines = _OURS.sub("", seen).splitlines()
    assert one_line(text) in "\n".join(lines)
    assert [line for line in lines if re.match(r"Status|└─ ✓|Code", line)] == []


@pytest.mark.parametrize("text", [FORGED, ATTACK, "x[/bold]", "[link=http://evil.example]y[/link]"])
def test_a_frame_shows_its_concept_as_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(sys, "stdout", written := Terminal())
    print_result(RunResult("one", "a.b", Stuff(concept=text, content={"text": "Good day"}), WorkingMemory()), None)
    seen = written.getvalue()
    assert is_tame(seen), repr(seen)
    assert f"╭─ {one_line(text)} ─" in _OURS.sub("", seen)
    assert "Good day" in seen


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


# --- a run that is watched late ---------------------------------------------------------------------------------------

FIGURES = re.compile(r"([\d,]+) pipes? done, (\d+) running(?:, (\d+) failed)?")


def detached(cli: Cli, run_id: str, words: list[str]) -> None:
    """Start a durable batch over words, and leave it."""
    cli.project.method(DESCRIBE_ALL, "all.mthds")
    (cli.root / "words.json").write_text(json.dumps({"words": words}), encoding="utf-8")
    begun = cli.command("run", "all.mthds", "-i", "words.json", "--durable", "--detach", "--run-id", run_id)
    assert begun.code == 0, begun.err


def until_done(cli: Cli, run_id: str, number: int) -> None:
    """Wait until that many pipes of a run have completed."""
    deadline = time.monotonic() + 90
    while cli("runs", "show", run_id, "--json").out.count('"COMPLETED"') < number:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def figures(seen: str) -> list[tuple[int, int, int]]:
    """The pipes done, running and failed, one after the other as they were shown."""
    found = FIGURES.findall(seen)
    return [(int(done.replace(",", "")), int(running), int(failed or 0)) for done, running, failed in found]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("count", [3, 200])
def test_a_run_that_is_watched_late(durable_cli: Cli, stub: OpenAIStub, count: int) -> None:
    stub.on(matches=r"Describe (w\d+)\.", text="about \\1", expand=True, delay=10 if count == 3 else 0.1)
    run_id = f"late-{count}-{durable_cli.root.name}"
    with worker(durable_cli):
        detached(durable_cli, run_id, [f"w{number}" for number in range(count)])
        until_done(durable_cli, run_id, count // 10)
        code, seen = on_a_terminal(durable_cli, "runs", "watch", run_id, seconds=180)
        again, at_once = on_a_terminal(durable_cli, "runs", "watch", run_id)
    assert (code, again) == (0, 0), seen
    assert f"about w{count - 1}" in seen
    assert f"about w{count - 1}" in at_once
    told = figures(seen)
    assert told, seen
    assert all(done <= count + 1 and running <= 9 and not failed for done, running, failed in told)
    assert told == sorted(told, key=lambda each: each[0]), "what is done stays done"
    assert "describe_all" in seen
    if count == 200:
        assert told[0][0] >= count // 10, "what came before it was watched counts"
        assert re.search(r"\d+ done, \d+ running", seen), "the items are folded"
    assert "RUNNING" not in durable_cli("runs", "show", run_id, "--json").out


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("count", "end"), [(3, "fails"), (40, "fails"), (3, "is cancelled"), (40, "is cancelled")])
def test_a_watched_run_that_does_not_succeed(durable_cli: Cli, stub: OpenAIStub, count: int, end: str) -> None:
    # What is cancelled must still be running when the cancel comes, however busy the machine is.
    delay = 60.0 if end == "is cancelled" else 10 if count == 3 else 0.3
    if end == "fails":
        stub.on(f"Describe w{count - 1}.", Reply(status=400, text="refused", delay=delay))
    stub.on(matches=r"Describe (w\d+)\.", text="about \\1", expand=True, delay=delay)
    run_id = f"sad-{count}-{durable_cli.root.name}"
    with worker(durable_cli):
        detached(durable_cli, run_id, [f"w{number}" for number in range(count)])
        code, seen = on_a_terminal(
            durable_cli, "runs", "watch", run_id, seconds=180, until="describe[",
            then=lambda: end == "fails" or durable_cli.command("runs", "cancel", run_id),
        )  # fmt: skip
    assert code == 1
    assert ("provider.failed" if end == "fails" else f"pipelex runs retry {run_id}") in seen
    shown = durable_cli("runs", "show", run_id, "--json")
    assert "RUNNING" not in shown.out
    assert json.loads(shown.out)["status"] == ("FAILED" if end == "fails" else "CANCELLED")
