"""Each example, as `pipelex new` writes it, runs on its own inputs; the wheel carries them all."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from PIL import Image

from pipelex.tooling.examples import examples
from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub, Reply

ROOT = Path(__file__).parent.parent.parent
NAMES = [example.name for example in examples()]


def picture() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (96, 64), "navy").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def run(cli: Cli, name: str) -> Any:
    """Write an example under another name and run it with the command that `new` names."""
    written = cli("new", "mine", "--from", name)
    assert (written.code, (cli.root / "mine/mine.mthds").is_file()) == (0, True), written.err
    assert cli("validate", "mine").code == 0
    command = written.err.strip().splitlines()[-1].split()
    assert command == ["pipelex", "run", "mine"]
    ended = cli(*command[1:], "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_a_summary(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("in English", text="- a ferry\n- a bridge")
    assert run(cli, "summary") == {"text": "- a ferry\n- a bridge"}


def test_an_invoice_is_read_from_its_file(cli: Cli, stub: OpenAIStub) -> None:
    invoice = {
        "supplier": "Maren & Sons Ropemakers", "number": "2025-0147", "issued_on": "2025-03-12", "due_on": "2025-04-11",
        "currency": "GBP", "total": 1438.8, "lines": [{"label": "Fender, large", "quantity": 10, "unit_price": 36.5}],
    }  # fmt: skip
    stub.on(matches="Mooring line, 24 mm, 20 m.*1,438.80", object=invoice)
    assert run(cli, "invoice") == invoice


def test_two_versions_are_compared(cli: Cli, stub: OpenAIStub) -> None:
    change = {"subject": "rent", "before": "840 euros", "after": "910 euros", "importance": "high"}
    stub.on(matches="old version:.*840 euros.*new version:.*910 euros.*the tenant", object={"items": [change]})
    assert run(cli, "compare") == {"items": [change]}


def test_tickets_come_from_a_csv_file_and_go_into_one(cli: Cli, stub: OpenAIStub) -> None:
    for name in ("Ada", "Bo", "Cyd"):
        sorted_ = {"customer": name, "topic": "payment", "urgency": 3, "reply": f"Dear {name}"}
        stub.on(f"{name} wrote to our shop", object=sorted_)
    assert [item["reply"] for item in run(cli, "tickets")["items"]] == ["Dear Ada", "Dear Bo", "Dear Cyd"]
    assert cli("run", "mine", "--save-csv", "sorted.csv").code == 0
    assert (cli.root / "sorted.csv").read_text(encoding="utf-8").splitlines()[1] == "Ada,payment,3,Dear Ada"


@pytest.mark.parametrize(
    ("mood", "answer"),
    [("happy", "Thank you! We passed it on to the team: cold shower."), ("unhappy", "So sorry.")],
)
def test_a_review_is_answered_by_its_mood(cli: Cli, stub: OpenAIStub, mood: str, answer: str) -> None:
    stub.on("How does the author", object={"mood": mood, "reason": "cold shower"})
    stub.on("minds this: cold shower", text="So sorry.")
    assert run(cli, "reply") == {"text": answer}


@pytest.mark.slow
def test_a_photo_becomes_a_postcard(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Describe in two sentences", text="A red boat.")
    stub.on("It shows: A red boat.", Reply(body={"created": 1, "data": [{"b64_json": picture()}]}))
    found = run(cli, "postcard")
    assert (found["width"], found["height"]) == (96, 64)
    assert "four flat colours" in found["source_prompt"]


def test_expenses_are_added_up_by_a_function(cli: Cli, stub: OpenAIStub) -> None:
    expenses = [
        {"label": "train", "amount": 92.4, "category": "travel"},
        {"label": "taxi", "amount": 21.5, "category": "travel"},
        {"label": "lunch", "amount": 47, "category": "meals"},
    ]
    stub.on("List every expense", object={"items": expenses})
    text = run(cli, "expenses")["text"]
    assert "Total: **160.90 EUR**\n- travel: 113.90\n- meals: 47.00" in text


def test_a_book_is_reported_on(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Write a one-sentence summary", object={"headline": "A light", "mood": "calm", "people": ["Ana"]})
    stub.on("Say in two sentences", text="A lamp is kept.")
    stub.on("Write one sentence that invites", text="Read it.")
    text = run(cli, "lighthouse")["text"]
    assert text.startswith("# The Keeper of Saltmere Point\n")
    assert "> Read it." in text


def test_every_example_has_a_test_of_its_own_and_says_what_it_does() -> None:
    assert NAMES == ["compare", "expenses", "invoice", "lighthouse", "postcard", "reply", "summary", "tickets"]
    assert all(example.description for example in examples())


def test_the_wheel_carries_the_examples(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    inside = zipfile.ZipFile(wheel).namelist()
    carried = {name.removeprefix("pipelex/_examples/") for name in inside if name.startswith("pipelex/_examples/")}
    assert carried == {str(Path(example.name) / path) for example in examples() for path in example.files()}
    assert "pipelex/py.typed" in inside


def test_new_names_what_it_cannot_do(cli: Cli) -> None:
    (cli.root / "taken").mkdir()
    (cli.root / "taken/file").touch()

    assert "'taken' already exists" in cli("new", "taken").err
    unknown = cli("new", "mine", "--from", "invoise")
    assert (unknown.code, "did you mean 'invoice'" in unknown.err) == (2, True)
    assert not (cli.root / "mine").exists()
    assert cli("new").code == 2


def test_new_lists_the_examples(cli: Cli) -> None:
    listed = json.loads(cli("new", "--list", "--json").out)["examples"]
    assert [each["name"] for each in listed] == NAMES
    assert "Sum a text up" in cli("new", "--list").out
