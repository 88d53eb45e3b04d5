import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

BROKEN = """\
domain = "harbour"
main_pipe = "greet"

[pipe.greet]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $nam"
"""

DRAFT = """\
domain = "harbour"

[pipe.plan]
description = "To be written"
inputs = { name = "Text" }
output = "Text"
"""

DISHONEST = """\
domain = "harbour"
main_pipe = "both"

[pipe.both]
type = "PipeSequence"
description = "Greets"
inputs = { name = "Text" }
output = "Text"
steps = [{ pipe = "greet", result = "greeting" }]

[pipe.greet]
type = "PipeCompose"
description = "Divides by zero"
inputs = { name = "Text" }
output = "Text"
template = "{{ 1 // 0 }} $name"
"""


def write(root: Path, name: str, text: str) -> str:
    (root / name).write_text(text, encoding="utf-8")
    return name


def test_a_valid_bundle(cli: Cli) -> None:
    ended = cli("validate", "greet.mthds")

    assert (ended.code, ended.out, ended.err) == (0, "✓ greet.mthds: valid, 1 pipe\n", "")


def test_a_fault_has_place_excerpt_code_and_sentence(cli: Cli) -> None:
    ended = cli("validate", "bundle", write(cli.root, "broken.mthds", BROKEN))

    assert ended.code == 1
    lines = ended.out.splitlines()
    at = lines.index("  at broken.mthds:9:17")
    assert lines[at + 2] == '  9 │ prompt = "Hello $nam"'
    assert lines[at + 3].index("^") - lines[at + 2].index("p") == 16
    assert "method.input_undeclared" in ended.out


def test_json_is_one_object_a_line(cli: Cli) -> None:
    broken = write(cli.root, "broken.mthds", BROKEN)

    ended = cli("validate", "greet.mthds", broken, "--json")

    good, bad = map(json.loads, ended.out.splitlines())
    assert ended.code == 1
    assert good == {
        "path": "greet.mthds", "is_valid": True, "is_runnable": True,
        "errors": [], "warnings": [], "pending_signatures": [],
    }  # fmt: skip
    assert [error["code"] for error in bad["errors"]] == ["method.input_undeclared"]
    assert bad["errors"][0]["location"]["line"] == 9


def test_a_path_that_is_not_there_ends_with_2_and_the_others_have_their_verdict(cli: Cli) -> None:
    ended = cli("validate", "nowhere.mthds", "greet.mthds", "--json")

    assert ended.code == 2
    assert json.loads(ended.out)["path"] == "greet.mthds"
    assert json.loads(ended.err)["code"] == "method.not_found"


@pytest.mark.parametrize("others", [(), ("--json",)], ids=["words", "JSON"])
def test_a_word_that_names_nothing_is_refused_before_any_verdict(cli: Cli, others: tuple[str, ...]) -> None:
    ended = cli("validate", "greet.mthds", "farewell", *others)

    assert (ended.code, ended.out) == (2, "")
    assert "'farewell' is neither a file nor a folder" in ended.err
    assert cli("validate", "greet.mthds", "greet").code == 0


def test_pending_signatures_are_accepted_only_when_allowed(cli: Cli) -> None:
    draft = write(cli.root, "draft.mthds", DRAFT)

    assert cli("validate", draft).code == 1
    assert "only declared: harbour.plan" in cli("validate", draft).out
    assert cli("validate", draft, "--allow-signatures").code == 0


def test_files_named_separately_are_separate_methods(cli: Cli) -> None:
    other = write(cli.root, "other.mthds", (cli.root / "greet.mthds").read_text(encoding="utf-8"))

    assert cli("validate", "greet.mthds", other).code == 0


def test_a_dry_run_finds_what_reading_cannot(cli: Cli) -> None:
    bundle = write(cli.root, "dishonest.mthds", DISHONEST)

    ended = cli("validate", bundle, "--json")

    (error,) = json.loads(ended.out)["errors"]
    assert ended.code == 1
    assert error["code"] == "pipe.template_render_failed"
    assert (error["location"]["file"], error["location"]["line"]) == ("dishonest.mthds", 11)
    assert cli("validate", bundle, "--no-dry-run").code == 0


def test_a_pipe_is_judged_without_its_neighbours(cli: Cli) -> None:
    write(cli.root, "broken.mthds", BROKEN.replace("harbour", "elsewhere"))

    assert cli("validate", "pipe", "harbour.greet", "-L", ".").code == 0
    assert cli("validate", "pipe", "elsewhere.greet", "-L", ".").code == 1
    assert cli("validate", "--all").code == 1


def test_an_installed_method(cli: Cli) -> None:
    folder = cli.root / ".pipelex" / "methods" / "welcome"
    folder.mkdir(parents=True)
    (cli.root / "greet.mthds").rename(folder / "greet.mthds")

    assert cli("validate", "method", "welcome").code == 0
    missing = cli("validate", "method", "welcom")
    assert missing.code == 2
    assert "did you mean 'welcome'" in missing.err


@pytest.mark.slow
def test_the_command_as_a_process(cli: Cli) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("pipelex"), "validate", "greet.mthds"],
        cwd=cli.root, env=cli.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "✓ greet.mthds: valid, 1 pipe\n")


@pytest.mark.parametrize(
    ("command", "name", "code", "said"),
    [
        ("validate", "huge.mthds", 2, "it has more than"),
        ("validate", "huge.bin", 2, "is a data file, not a method"),
        ("fmt", "huge.json", 2, "is a JSON file, not a method"),
        ("explain", "huge.json", 2, "it has more than"),
    ],
)
def test_a_huge_file_is_not_read_whole(cli: Cli, command: str, name: str, code: int, said: str) -> None:
    with (cli.root / name).open("wb") as file:
        file.truncate(3_000_000_000)

    tracemalloc.start()
    try:
        ended = cli(command, name)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (ended.code, said in ended.err) == (code, True), ended.err
    assert most < 400_000_000
