"""Inputs on the command line: typed, from files, from standard input, and the rows of a table."""

import codecs
import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import pipelex
from pipelex.cli.run.inputs import read_once
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


ECHO = """\
domain = "echo"
main_pipe = "say"

[concept.Boat]
description = "A boat"
[concept.Boat.structure]
name = { type = "text", description = "Name", required = true }
crew = { type = "integer", description = "Crew" }
length = { type = "number", description = "Metres" }

[pipe.say]
type = "PipeCompose"
description = "Say it"
inputs = { name = "Text" }
output = "Text"
template = "<$name>"

[pipe.count]
type = "PipeCompose"
description = "Say a number"
inputs = { n = "Number" }
output = "Text"
template = "<$n>"

[pipe.date]
type = "PipeCompose"
description = "Say a date"
inputs = { d = "Date" }
output = "Text"
template = "<$d>"

[pipe.fleet]
type = "PipeCompose"
description = "Say boats"
inputs = { b = "Boat[]" }
output = "Text"
template = "{% for each in b %}<{{ each.name }}|{{ each.crew }}|{{ each.length }}>{% endfor %}"
"""
_QUIET = ("--no-save-main-stuff", "--no-save-working-memory", "--no-graph")
_HEAD = "name,crew,length\n"


def said(cli: Cli, *args: str) -> str:
    """What the method said, or how the command failed."""
    (cli.root / "echo.mthds").write_text(ECHO, encoding="utf-8")
    ended = cli("run", "echo.mthds", *args, *_QUIET)
    assert "Unexpected" not in ended.err
    return ended.out.removesuffix("\n") if ended.code == 0 else ended.err


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(
    ("pipe", "typed", "shown"),
    [
        ("say", "name=", "<>"),
        ("say", "name=12", "<12>"),
        ("say", "name=2026-01-31", "<2026-01-31>"),
        ("say", 'name={"a": 1}', '<{"a": 1}>'),
        ("say", "name=null", "<null>"),
        ("say", "name=@@home", "<@home>"),
        ("say", "name= a\nb ", "< a\nb >"),
        ("say", "name=@", "no file is named after the @"),
        ("say", "name=@gone.txt", "there is no file 'gone.txt'"),
        ("say", "name =x", "--pipe say -i name=x"),
        ("say", "name:x", "--pipe say -i name=x"),
        ("say", "--name=x", "--pipe say -i name=x"),
        ("say", "nam", "--pipe say -i name=VALUE"),
        ("say", "=x", "--pipe say -i name=x"),
        ("count", "n=007", "<7>"),
        ("count", "n=1e3", "<1000>"),
        ("count", "n=1,000", "n must be a number, not the text '1,000'"),
        ("count", "n=nan", "--pipe count -i n=1234.5"),
        ("date", "d=2026-01-31", "<2026-01-31>"),
        ("date", "d=2026-02-30", "d must be a date written YYYY-MM-DD"),
        ("date", "d=31/01/2026", "--pipe date -i d=2026-01-31"),
        ("fleet", "b=[{'name': 'Ata'}]", "JSON needs double quotes around names and texts"),
        ("fleet", 'b=[{"name": "Ata", "crew": 2.0}]', "<Ata|2|>"),
        ("fleet", 'b=[{"name": "Ata", "crew": 2.5}]', "b[0].crew must be a whole number, not the number 2.5"),
    ],
)
def test_what_is_typed_is_the_value_or_told_what_to_type(cli: Cli, pipe: str, typed: str, shown: str) -> None:
    assert shown in said(cli, "--pipe", pipe, "-i", typed)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (codecs.BOM_UTF8 + "Zoë".encode(), "<Zoë>"),
        ("Zoë".encode("utf-16"), "<Zoë>"),
        (codecs.BOM_UTF16_BE + "Zoë".encode("utf-16-be"), "<Zoë>"),
        ("Zoë".encode("utf-32"), "<Zoë>"),
        ("a\nZoë".encode("latin-1"), "'it.txt', line 2, is not UTF-8 text: byte 4 is 0xEB"),
        ("Zoë is".encode("utf-16-le"), "looks like UTF-16 without a byte order mark"),
        (b"a\nb\0c", "line 2, has a null character"),
        (b"", "'it.txt' is empty"),
    ],
)
def test_a_text_file_of_any_encoding(cli: Cli, content: bytes, shown: str) -> None:
    (cli.root / "it.txt").write_bytes(content)
    assert shown in said(cli, "-i", "name=@it.txt")


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (codecs.BOM_UTF8 + f"{_HEAD}Zoë,3,\n".encode(), "<Zoë|3|>"),
        (f"{_HEAD}Zoë,3,\n".encode("utf-16"), "<Zoë|3|>"),
        (f"{_HEAD}Ata,1,\nZoë,3,\n".encode("latin-1"), "it.csv, line 3 is not UTF-8 text"),
        (f"{_HEAD}Ata,3,4.5\n".replace("\n", "\r\n").encode(), "<Ata|3|4.5>"),
        (f"{_HEAD}Ata,3,4.5\n".replace("\n", "\r").encode(), "<Ata|3|4.5>"),
        (f'{_HEAD}"A ""big""\nboat, red",3,\n'.encode(), '<A "big"\nboat, red|3|>'),
        (f'{_HEAD}"Ata,3,\n'.encode(), "it.csv, line 2 is not valid CSV: unexpected end of data"),
        (b"name;length\nAta;3.5\n", "<Ata||3.5>"),
        (b"name\tcrew\nAta\t3\n", "<Ata|3|>"),
        (b"name,crew,,\nAta,1,,\n", "<Ata|1|>"),
        (b"name,crew\nAta\n", "<Ata||>"),
        (b"name,crew\nAta,1,2\n", "it.csv, line 2 has 3 cells, the header 2"),
        (b"name,name\nA,B\n", "it.csv, line 1 the column 'name' appears twice"),
        (b"Name\nA\n", "the column 'Name' is not a field of Boat; did you mean 'name'?"),
        (f"{_HEAD}Ata,three,\n".encode(), "it.csv, line 2, column 'crew' must be a whole number, not the text 'three'"),
        (f"{_HEAD},,\n".encode(), "it.csv, line 2, column 'name' is required"),
        (b"\n\n", "it.csv is empty: the first row must name the fields"),
        (b"PK\x03\x04\0\0", "has a null character"),
    ],
)
def test_a_table_as_programs_write_them(cli: Cli, content: bytes, shown: str) -> None:
    (cli.root / "it.csv").write_bytes(content)
    assert shown in said(cli, "--pipe", "fleet", "-i", "b=@it.csv")


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("a.yaml", codecs.BOM_UTF8 + "name: Zoë\n".encode(), "<Zoë>"),
        ("a.yaml", "name: Zoë\n".encode("utf-16"), "<Zoë>"),
        ("a.yaml", b"name: |\r\n  a\r\n  b\r\n", "<a\nb"),
        ("a.yaml", b"name: no\n", "<no>"),
        ("a.yaml", b"name: 012\n", "<012>"),
        ("a.yaml", b"name: 2026-01-31\n", "<2026-01-31>"),
        ("a.yaml", b"name: 12\n", "put the value of 'name' into quotes"),
        ("a.yaml", b"name: a: b\n", "line 1, column 8 is not valid YAML"),
        ("a.yaml", b"name:\n\t- a\n", "indent lines with spaces, not tabs"),
        ("a.yaml", "name: Zoë\n".encode("latin-1"), "line 1 is not UTF-8 text"),
        ("a.json", '{"name": "Zoë"}'.encode("utf-16"), "<Zoë>"),
        ("a.json", b'{"name": "Ana",}', "column 16 is not valid JSON: remove the comma after the last entry"),
        ("a.json", b'// x\n{"name": "Ana"}', "JSON has no comments"),
        ("a.json", b"{'name': 'Ana'}", "names and texts need double quotes"),
        ("a.json", b"", "it is empty"),
        ("a.toml", b"name = Ana", "Invalid value: a text needs quotes"),
        ("a.toml", b"name = 2026-01-31", "must be a text, not the date 2026-01-31"),
    ],
)
def test_a_file_of_inputs_as_people_write_them(cli: Cli, name: str, content: bytes, shown: str) -> None:
    (cli.root / name).write_bytes(content)
    assert shown in said(cli, "-i", name)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"name\n\n", "name,result"),
        (b"Name\nA\n", "the column 'Name' is not an input; did you mean 'name'?"),
        (b"name,name\nA,B\n", "names the column 'name' twice"),
        (b"id,,\n1,2,3\n", "has several columns without a name"),
        (b"id;name\n1;Ana\n", "1,Ana,<Ana>"),
    ],
)
def test_rows_as_programs_write_them(cli: Cli, content: bytes, shown: str) -> None:
    (cli.root / "rows.csv").write_bytes(content)
    assert shown in said(cli, "--inputs-csv", "rows.csv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirect", "options", "shown"),
    [
        ("<&-", "-i -", "standard input is closed"),
        ("<&-", "-i name=@-", "standard input is closed"),
        ("<&-", "", "the input 'name' (native.Text) is missing"),
        ("</dev/null", "-i -", "standard input is empty"),
        ("<latin", "", "standard input, line 1, is not UTF-8 text"),
        ("<utf16", "", "<Zoë>"),
        ("<utf16", "-i name=@-", "<Zoë>"),
        (">&-", "-i name=Ana", "completed successfully"),
        ("2>&- </dev/null", "-i name=Ana", "<Ana>"),
    ],
)
def test_standard_streams_in_any_state(cli: Cli, redirect: str, options: str, shown: str) -> None:
    (cli.root / "echo.mthds").write_text(ECHO, encoding="utf-8")
    (cli.root / "latin").write_bytes("Zoë".encode("latin-1"))
    (cli.root / "utf16").write_bytes("Zoë\n".encode("utf-16"))
    command = f"{sys.executable} -m pipelex.cli run echo.mthds {' '.join(_QUIET)} {options}"
    ended = subprocess.run(
        ["sh", "-c", f"{command} {redirect}"],
        cwd=cli.root,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Unexpected" not in ended.stderr


def test_every_value_that_does_not_fit_is_replaced_in_the_command_to_type(cli: Cli) -> None:
    (cli.root / "n.json").write_text('{"n": "x"}', encoding="utf-8")
    (cli.root / "n.csv").write_text("n\n1\nx\n", encoding="utf-8")
    assert "--pipe count -i n.json" in said(cli, "--pipe", "count", "-i", "n.json")
    assert " -i n=1234.5\n" in said(cli, "--pipe", "count", "-i", "n.json")
    assert "write a value such as 1234.5." in said(cli, "--pipe", "count", "--inputs-csv", "n.csv")


@pytest.mark.parametrize(
    ("name", "content", "pipe"),
    [
        ("in.toml", 'boat = { name = "Ata" }', "rate"),
        ("in.json", '{"picture": "sea.png"}', "look"),
        ("in.yaml", "picture: {url: sea.png}", "look"),
        ("sea.png", "", "look"),
    ],
)
def test_what_is_checked_of_a_file_is_what_is_run(docks: Cli, name: str, content: str, pipe: str) -> None:
    """The file is read once, and may change afterwards."""
    folder = docks.root / "inputs"
    folder.mkdir()
    picture = folder / "sea.png"
    Image.new("RGB", (4, 4)).save(picture)
    if content:
        (folder / name).write_text(content, encoding="utf-8")
    method = docks.project.app("direct").load(docks.root / "docks.mthds")
    kept = read_once(folder / name, method.pipe(pipe), method.library)
    checked = method.read_inputs(kept, pipe)
    for file in folder.iterdir():
        if file != picture:
            file.unlink()
    assert method.read_inputs(kept, pipe) == checked
    assert read_once(kept, method.pipe(pipe), method.library) is kept
