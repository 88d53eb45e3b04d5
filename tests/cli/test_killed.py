"""In-process runs whose process is killed: what was answered is in the record, is shown, and is not paid for again."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.support.methods import DESCRIBE_ALL, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import kill, process

pytestmark = pytest.mark.slow

SECONDS = 60.0
HELD = Reply(text="too late", delay=60)
"""An answer that whoever asked does not live to hear."""
AT_ONCE = 0.4
"""Seconds of an answer: long enough for a run to have a record by then, as a model's is."""


def side_by_side(*names: str) -> str:
    pipes = "\n".join(
        f"""[pipe.{name}]
type = "PipeLLM"
description = "Say {name}"
inputs = {{ text = "Text" }}
output = "Text"
prompt = "Say {name} of $text"
"""
        for name in names
    )
    branches = ", ".join(f'{{ pipe = "{name}", result = "{name}" }}' for name in names)
    return f"""
domain = "harbour"
main_pipe = "all"

[pipe.all]
type = "PipeParallel"
description = "Side by side"
inputs = {{ text = "Text" }}
output = "Composite"
branches = [{branches}]

{pipes}"""


@dataclass(frozen=True)
class Shape:
    """A method, of which one call is not answered before its process is killed."""

    method: str
    inputs: dict[str, object]
    held: str
    """The prompt of that call."""
    answered: int
    left: int
    """The calls that nobody answered, that one among them."""


SHAPES = {
    "sequence": Shape(chain_of(6), {"text": "sea"}, "Do number 4 ", 3, 3),
    "batch": Shape(DESCRIBE_ALL, {"words": ["a", "b", "c", "d", "e"]}, "Describe d", 4, 1),
    "parallel": Shape(side_by_side("one", "two", "three"), {"text": "sea"}, "Say two", 2, 1),
}


def killed(cli: Cli, method: str, inputs: dict[str, object], is_so: Callable[[], bool]) -> None:
    """Run a method in a process of its own, which is killed as soon as something is so."""
    cli.project.method(method)
    (cli.root / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    command = ["-m", "pipelex.cli", "run", "method.mthds", "-i", "inputs.json", "--run-id", "killed", "--json"]
    with process(command, cwd=cli.root, environ=cli.environ, log=cli.root / "run.log") as child:
        until = time.monotonic() + SECONDS
        while not is_so():
            assert child.poll() is None, (cli.root / "run.log").read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.005)
        kill(child)


def record(cli: Cli) -> Path:
    return cli.root / "home" / ".pipelex" / "runs" / "killed"


def journal(cli: Cli) -> bytes:
    file = record(cli) / "journal.jsonl"
    return file.read_bytes() if file.exists() else b""


def results(cli: Cli) -> int:
    return journal(cli).count(b'"result":')


def told(cli: Cli, *args: str) -> dict[str, object]:
    ended = cli("runs", *args, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def effects(trace: dict[str, object]) -> list[dict[str, object]]:
    below = [each for child in trace.get("children", []) for each in effects(child)]  # type: ignore[attr-defined]
    return [*trace.get("activities", []), *below]  # type: ignore[misc]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_was_answered_is_shown_and_not_paid_again(cli: Cli, stub: OpenAIStub, shape: Shape) -> None:
    stub.on(shape.held, HELD, Reply(text="mended"))
    stub.on(matches="Do number|Describe|Say", text="sea", delay=AT_ONCE)
    asked = shape.answered + 1
    killed(cli, shape.method, shape.inputs, lambda: (results(cli), len(stub.completions)) == (shape.answered, asked))
    paid = len(stub.completions)
    shown = told(cli, "show", "killed")
    assert (shown["status"], shown["interrupted"]) == ("CANCELLED", True)
    ended = [effect for effect in effects(shown["trace"]) if effect["status"] == "COMPLETED"]  # type: ignore[arg-type]
    assert len(ended) == shape.answered
    assert sum(effect["usage"]["models"][0]["input_tokens"] for effect in ended) == 11 * shape.answered  # type: ignore[index]
    assert shown["error"]["code"] == "run.cancelled"  # type: ignore[index]
    assert "interrupted" in cli("runs", "list").out
    (listed,) = told(cli, "list", "--cost-above", "0.000001")["runs"]  # type: ignore[misc]
    assert (listed["interrupted"], "finished_at" in listed) == (True, True)
    page = cli("runs", "open", "killed", "--no-browser", "-o", "page.html")
    assert (page.code, "ended before the run did" in (cli.root / "page.html").read_text(encoding="utf-8")) == (0, True)
    replayed = cli("runs", "replay", "killed", "--yes", "--json")
    assert replayed.code == 0, replayed.err
    assert len(stub.completions) == paid + shape.left
    # The replay left the killed run as it was.
    retried = told(cli, "retry", "killed")
    assert retried["state"] == "completed"
    assert len(stub.completions) == paid + 2 * shape.left
    assert told(cli, "show", "killed")["status"] == "COMPLETED"
    assert not (record(cli) / "journal.jsonl").exists()


def test_killed_again_and_again(cli: Cli, stub: OpenAIStub) -> None:
    stub.on(matches="Do number [246] ", text="sea", delay=AT_ONCE)
    for number in (3, 5):
        stub.on(f"Do number {number} ", HELD, Reply(text="mended", delay=AT_ONCE))
    stub.on(matches="Do number", text="sea", delay=AT_ONCE)
    killed(cli, chain_of(6), {"text": "sea"}, lambda: (results(cli), len(stub.completions)) == (2, 3))
    command = ["-m", "pipelex.cli", "runs", "retry", "killed", "--json"]
    with process(command, cwd=cli.root, environ=cli.environ, log=cli.root / "retry.log") as child:
        until = time.monotonic() + SECONDS
        while (results(cli), len(stub.completions)) != (4, 6):
            assert child.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        kill(child)
    assert told(cli, "retry", "killed")["state"] == "completed"
    # Six steps, and the two calls that were under way when a process was killed.
    assert len(stub.completions) == 6 + 2


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_line_that_is_not_whole_counts_for_nothing(cli: Cli, stub: OpenAIStub, cut: int) -> None:
    stub.on("Do number 4 ", HELD, Reply(text="mended"))
    stub.on(matches="Do number", text="sea", delay=AT_ONCE)
    killed(cli, chain_of(4), {"text": "sea"}, lambda: (results(cli), len(stub.completions)) == (3, 4))
    paid = len(stub.completions)
    file = record(cli) / "journal.jsonl"
    file.write_bytes(journal(cli)[:-cut])
    left = 4 - sum(line.count(b'"result":') for line in journal(cli).split(b"\n")[:-1])
    assert told(cli, "retry", "killed")["state"] == "completed"
    assert len(stub.completions) == paid + left


@pytest.mark.parametrize("many", [0, 1, 30, 200])
def test_while_answers_are_written(cli: Cli, stub: OpenAIStub, many: int) -> None:
    stub.on(matches=r"Describe (w\d+)\.", text=r"about \1 " + "and more " * 20, expand=True)
    words = [f"w{number}" for number in range(300)]
    killed(cli, DESCRIBE_ALL, {"words": words}, lambda: bool(journal(cli)) and results(cli) >= many)
    time.sleep(0.5)  # what was on its way arrives
    paid = len(stub.completions)
    kept = sum(line.count(b'"result":') for line in journal(cli).split(b"\n")[:-1])
    shown = told(cli, "show", "killed")
    assert shown["interrupted"] is True
    assert told(cli, "retry", "killed")["state"] == "completed"
    assert len(stub.completions) == paid + 300 - kept
    assert json.loads(cli("runs", "result", "killed", "--json").out)["items"][299]["text"].startswith("about w299 ")


def test_a_run_under_way_is_shown_from_elsewhere(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Do number 3 ", HELD)
    stub.on(matches="Do number", text="sea", delay=AT_ONCE)
    found: list[dict[str, object]] = []

    def is_shown() -> bool:
        if results(cli) == 2:
            found.append(told(cli, "show", "killed"))
        return bool(found) and len(found[-1]["trace"].get("children", [])) == 3  # type: ignore[attr-defined]

    killed(cli, chain_of(3), {"text": "sea"}, is_shown)
    trace = found[-1]["trace"]
    assert found[-1]["status"] == "RUNNING"
    assert [effect["status"] for effect in effects(trace)] == ["COMPLETED", "COMPLETED", "RUNNING"]  # type: ignore[arg-type]
