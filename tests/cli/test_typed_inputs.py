"""Inputs on the command line: typed, from files, from standard input, and the rows of a table."""

import csv
import json
from pathlib import Path

import pytest

import pipelex
from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub

BOATS = """\
domain = "docks"
main_pipe = "rate"

[concept.Boat]
description = "A boat"
[concept.Boat.structure]
name = { type = "text", description = "Name", required = true }
crew = { type = "integer", description = "Crew" }

[concept.Mark]
description = "A mark"
[concept.Mark.structure]
mark = { type = "integer", description = "From 1 to 5", required = true }
why = { type = "text", description = "Why" }

[pipe.rate]
type = "PipeLLM"
description = "Rate a boat"
inputs = { boat = "Boat", style = "Text?" }
output = "Mark"
prompt = "Rate $boat.name ${style}"

[pipe.look]
type = "PipeLLM"
description = "Describe a picture"
inputs = { picture = "Image" }
output = "Text"
prompt = "Describe $picture"
"""


@pytest.fixture
def docks(cli: Cli) -> Cli:
    (cli.root / "docks.mthds").write_text(BOATS.replace(" ${style}", "{% if style %} $style{% endif %}"))
    (cli.root / "boats.csv").write_text("id,name,crew\n7,Ata,3\n8,Bor,\n9,Cyn,1\n", encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    "typed",
    [
        ["-i", "name=Ana"],
        ["-iname=Ana"],
        ["--inputs=name=Ana"],
        ["-i", "name=@name.txt"],
        ["-i", "name.yaml"],
        ["-i", "name.toml"],
        ["-i", "name.txt"],
        ["-i", '{"name": "Bo"}', "-i", "name=Ana"],
        ["-i", "name.yaml", "-i", "name=Ana"],
    ],
)
def test_an_input_can_be_typed(cli: Cli, stub: OpenAIStub, typed: list[str]) -> None:
    stub.on("Hello Ana", text="Good morning, Ana")
    (cli.root / "name.txt").write_text("Ana", encoding="utf-8")
    (cli.root / "name.yaml").write_text("name: Ana\n", encoding="utf-8")
    (cli.root / "name.toml").write_text('name = "Ana"\n', encoding="utf-8")

    ended = cli("run", "greet.mthds", *typed, "--json")

    assert json.loads(ended.out) == {"text": "Good morning, Ana"}, ended.err


@pytest.mark.parametrize(("stdin", "options"), [("Ana\n", []), ("Ana", ["-i", "-"]), ("Ana", ["-i", "name=@-"])])
def test_plain_text_on_standard_input(cli: Cli, stub: OpenAIStub, stdin: str, options: list[str]) -> None:
    stub.on("Hello Ana", text="Hi")

    ended = cli.command("run", "greet.mthds", *options, "--json", stdin=stdin)

    assert json.loads(ended.out) == {"text": "Hi"}, ended.err
    assert "Hello Ana'" in str(stub.completions[0].body) or '"Hello Ana"' in json.dumps(stub.completions[0].body)


@pytest.mark.parametrize(
    ("name", "data"), [("scan.pdf", b"%PDF-1.7 x"), ("empty.png", b""), ("page.png", b"<html>no</html>")]
)
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_what_is_no_image_is_refused_before_anything_is_paid(
    docks: Cli, stub: OpenAIStub, name: str, data: bytes, options: list[str]
) -> None:
    (docks.root / name).write_bytes(data)

    ended = docks("run", "docks.mthds", "--pipe", "look", "-i", f"picture={name}", *options)

    assert (ended.code, "input.file_type_unsupported" in ended.err) == (1, True), ended.err
    assert name in ended.err
    assert stub.completions == []


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_written_back_with_their_results(docks: Cli, stub: OpenAIStub) -> None:
    for name, mark in (("Ata", 5), ("Bor", 2), ("Cyn", 1)):
        stub.on(f"Rate {name} gently", object={"mark": mark})

    ended = docks(
        "run", "docks.mthds", "--inputs-csv", "boats.csv", "-i", "style=gently", "--save-csv", "out/marks.csv"
    )

    assert ended.code == 0, ended.err
    assert (docks.root / "out/marks.csv").read_text(encoding="utf-8") == (
        "id,name,crew,mark,why\n7,Ata,3,5,\n8,Bor,,2,\n9,Cyn,1,1,\n"
    )
    assert "3 of 3 rows done" in ended.err
    assert "Not inputs, and kept as they are: id" in ended.err
    assert ended.out == ""
    folder = docks.root / "results/rate_rows_01"
    assert rows_of(folder / "rows.csv")[0]["mark"] == "5"
    assert json.loads((folder / "usage.json").read_text(encoding="utf-8"))["models"][0]["calls"] == 3


def test_a_failing_row_ends_it_all_or_is_told_beside_the_others(docks: Cli, stub: OpenAIStub) -> None:
    stub.on("Rate Ata", object={"mark": 5}).on("Rate Cyn", object={"mark": 1})
    stub.on("Rate Bor", status=400, body={"error": {"message": "no"}}, cycle=True)

    collected = docks(
        "run", "docks.mthds", "--inputs-csv", "boats.csv", "--save-csv", "all.csv", "--on-item-failure", "collect"
    )
    as_json = docks(
        "run", "docks.mthds", "--inputs-csv", "boats.csv", "--json", "--on-item-failure", "collect", "--run-id", "r"
    )
    failed = docks("run", "docks.mthds", "--inputs-csv", "boats.csv", "--save-csv", "some.csv")

    assert collected.code == failed.code == as_json.code == 1
    written = rows_of(docks.root / "all.csv")
    assert [row["mark"] for row in written] == ["5", "", "1"]
    assert [bool(row["error"]) for row in written] == [False, True, False]
    assert "2 of 3 rows done" in collected.err
    assert "boats.csv, line 3" in collected.err
    found = json.loads(as_json.out)
    assert [row["pipeline_run_id"] for row in found] == ["r-1", "r-2", "r-3"]
    assert found[1]["error"]["pipeline_run_id"] == "r-2"
    assert "Error: boats.csv, line 3: " in failed.err
    assert len(rows_of(docks.root / "some.csv")) == 3


def test_rows_that_have_ended_are_not_paid_twice(docks: Cli, stub: OpenAIStub) -> None:
    stub.on("Rate Ata", object={"mark": 5}).on("Rate Bor", object={"mark": 2}).on("Rate Cyn", object={"mark": 1})
    command = ("run", "docks.mthds", "--inputs-csv", "boats.csv", "--run-id", "again")

    first, second = docks(*command), docks(*command)

    assert first.out == second.out == "id,name,crew,mark,why\n7,Ata,3,5,\n8,Bor,,2,\n9,Cyn,1,1,\n"
    assert len(stub.completions) == 3


async def test_many_rows_from_python(docks: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="A").on("Hello Bo", text="B")
    method = pipelex.load("greet.mthds")
    ended: list[int] = []

    rows = await method.run_many([{"name": "Ana"}, {"name": "Bo"}], on_row=lambda row: ended.append(row.index))

    assert [row.result.text for row in rows if row.result is not None] == ["A", "B"]
    assert sorted(ended) == [0, 1]
    with pytest.raises(pipelex.InputError, match="row 2: the input 'name'"):
        await method.run_many([{"name": "Ana"}, {}])
    await method.app.aclose()
