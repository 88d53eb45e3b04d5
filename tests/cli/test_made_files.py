"""The files that runs make: in their results, and fetched from the storage."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_durable import worker
from tests.support.openai_server import OpenAIStub, Reply

pytestmark = pytest.mark.slow

LETTERS = """
domain = "quay"
main_pipe = "letters"

[pipe.letters]
type = "PipeBatch"
description = "A letter to each"
inputs = { names = "Text[]" }
output = "Document[]"
branch_pipe_code = "letter"
input_list_name = "names"
input_item_name = "name"

[pipe.letter]
type = "PipeDocGen"
description = "A letter"
inputs = { name = "Text" }
output = "Document"
format = "pdf"
filename = "Letter (final)"
template = "<p>Dear $name</p>"
"""

THEN_WORDS = """
domain = "quay"
main_pipe = "both"

[pipe.both]
type = "PipeSequence"
description = "A letter, then words about it"
inputs = { name = "Text" }
output = "Text"
steps = [{ pipe = "letter", result = "printed" }, { pipe = "say", result = "words" }]

[pipe.say]
type = "PipeLLM"
description = "Say something"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"

[pipe.letter]
type = "PipeDocGen"
description = "A letter"
inputs = { name = "Text" }
output = "Document"
format = "docx"
filename = "Letter"
"""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_documents_are_in_the_results_and_linked(cli: Cli) -> None:
    cli.project.method(LETTERS, "letters.mthds")
    ended = cli("run", "letters.mthds", "-i", '{"names": ["Ana", "Bo"]}')
    assert ended.code == 0, ended.err
    folder = cli.root / "results/letters_output_01"
    names = ["Letter (final).pdf", "Letter (final)_2.pdf"]
    assert sorted(file.name for file in (folder / "files").iterdir()) == sorted(names)
    assert all((folder / "files" / name).read_bytes().startswith(b"%PDF") for name in names)
    assert [item["url"] for item in read(folder / "main_stuff.json")["items"]] == [f"files/{name}" for name in names]
    text = (folder / "main_stuff.md").read_text(encoding="utf-8")
    assert "(files/Letter%20%28final%29_2.pdf)" in text
    assert "files/Letter%20%28final%29.pdf" in (folder / "main_stuff.html").read_text(encoding="utf-8")
    page = (folder / "run.html").read_text(encoding="utf-8")
    assert '"href":"files/Letter%20%28final%29_2.pdf"' in page
    assert f"  File: results/letters_output_01/files/{names[0]}" in ended.err
    # What was written is an input again, from its own folder.
    memory = read(folder / "working_memory.json")
    assert all(
        item["url"].startswith("pipelex-storage://") for item in memory["root"]["main_stuff"]["content"]["items"]
    )


def test_files_of_steps_in_between_and_of_failed_runs(cli: Cli, stub: OpenAIStub) -> None:
    cli.project.method(THEN_WORDS, "both.mthds")
    stub.on("Hello Ana", text="Hi")
    stub.on("Hello Bo", Reply(status=400, text="refused"))
    assert cli("run", "both.mthds", "-i", "name=Ana").code == 0
    assert cli("run", "both.mthds", "-i", "name=Bo").code == 1
    for number in ("01", "02"):
        (file,) = (cli.root / f"results/both_output_{number}/files").iterdir()
        assert (file.name, file.read_bytes()[:2]) == ("Letter.docx", b"PK")
    cli("run", "greet.mthds", "-i", "name=Ana")
    assert not (cli.root / "results/greet_output_01/files").exists()


def test_files_of_rows(cli: Cli) -> None:
    cli.project.method(LETTERS, "letters.mthds")
    (cli.root / "rows.csv").write_text("name\nAna\nBo\n", encoding="utf-8")
    ended = cli("run", "letters.mthds", "--pipe", "letter", "--inputs-csv", "rows.csv")
    assert ended.code == 0, ended.err
    folder = cli.root / "results/letter_rows_01"
    urls = [row["result"]["url"] for row in read(folder / "rows.json")]
    assert urls == ["files/Letter (final).pdf", "files/Letter (final)_2.pdf"]
    assert all((folder / url).is_file() for url in urls)
    assert urls[1] in (folder / "rows.csv").read_text(encoding="utf-8")


def test_a_stored_file_is_fetched(cli: Cli) -> None:
    cli.project.method(LETTERS, "letters.mthds")
    made = cli("run", "letters.mthds", "--pipe", "letter", "-i", "name=Ana", "--json", "--no-save-main-stuff")
    address = json.loads(made.out)["url"]
    here = cli("storage", "get", address)
    assert (here.code, here.out.strip()) == (0, f"{address.partition('://')[2][:12]}.pdf")
    named = cli("storage", "get", address, "-o", "out/letter.pdf", "--json")
    assert json.loads(named.out) == {
        "path": "out/letter.pdf",
        "mime_type": "application/pdf",
        "size": (cli.root / "out/letter.pdf").stat().st_size,
    }
    into = cli("storage", "get", address, "-o", "out")
    assert Path(into.out.strip()).parent == Path("out")
    assert (cli.root / here.out.strip()).read_bytes() == (cli.root / "out/letter.pdf").read_bytes()
    gone = cli("storage", "get", address.replace(address[20:28], "0" * 8))
    assert (gone.code, "there is no file" in gone.err) == (1, True)
    mistaken = cli("storage", "get", "letter.pdf")
    assert mistaken.code == 1
    assert all("pipelex-storage://…" in ended.err for ended in (gone, mistaken))


def test_a_result_is_written_later_with_its_files(cli: Cli) -> None:
    cli.project.method(LETTERS, "letters.mthds")
    cli("run", "letters.mthds", "-i", '{"names": ["Ana", "Bo"]}', "--run-id", "mail", "--json")
    told = cli("runs", "result", "mail")
    assert "pipelex runs result mail --output-dir results" in told.err
    assert "pipelex storage get pipelex-storage://" in told.err
    written = cli("runs", "result", "mail", "--output-dir", "later")
    folder = cli.root / written.out.strip()
    assert folder == cli.root / "later/letters_output_01"
    assert [item["url"] for item in read(folder / "main_stuff.json")["items"]] == [
        "files/Letter (final).pdf",
        "files/Letter (final)_2.pdf",
    ]
    assert len(list((folder / "files").iterdir())) == 2


def test_durable_runs_have_their_files_too(durable_cli: Cli) -> None:
    cli = durable_cli
    cli.project.method(LETTERS, "letters.mthds")
    with worker(cli):
        ended = cli.command("run", "letters.mthds", "--durable", "-i", '{"names": ["Ana", "Bo"]}', "--run-id", "mail")
        assert ended.code == 0, ended.err
        folder = cli.root / "results/letters_output_01"
        assert [(folder / item["url"]).read_bytes()[:4] for item in read(folder / "main_stuff.json")["items"]] == [
            b"%PDF"
        ] * 2
        later = cli.command("runs", "result", "mail", "-o", "later", "--json")
        assert len(json.loads(later.out)["files"]) == 2
        # A machine that does not share the storage says so, and keeps the addresses.
        (cli.root / ".pipelex/storage").rename(cli.root / "elsewhere")
        away = cli.command("runs", "result", "mail", "-o", "away")
        assert (away.code, away.err.count("Not fetched: Letter (final).pdf")) == (0, 2)
        assert "give this machine the same [runtime.storage]" in away.err
        assert "pipelex-storage://" in (cli.root / "away/letters_output_01/main_stuff.json").read_text(encoding="utf-8")
