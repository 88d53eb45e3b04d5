"""Commands around a method's files, run as a person runs them."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pipelex.config.distribution import install_command
from pipelex.language import parse_bundle
from tests.cli.conftest import Cli
from tests.tooling.methods import EVERYTHING
from tests.tooling.test_fix_engine import OLD as OLD_FILE

OLD = OLD_FILE.replace('llm             = "gpt"\n', "")
"""Without a model of its own: the project serves none by that name."""


@pytest.fixture
def authored(cli: Cli) -> Cli:
    (cli.root / "harbour.mthds").write_text(EVERYTHING)
    (cli.root / "greet.mthds").unlink()
    return cli


def test_fix_lists_and_writes_nothing_by_default(cli: Cli) -> None:
    (cli.root / "old.plx").write_text(OLD)
    ended = cli("fix", "bundle", "old.plx", "--unsafe")
    assert ended.code == 0
    assert "rename-key (safe): write 'description'" in ended.out
    assert "nothing is written without --write" in ended.out
    assert not (cli.root / "old.mthds").exists()


def test_fix_shows_a_diff_and_writes_beside_an_older_file(cli: Cli) -> None:
    (cli.root / "old.plx").write_text(OLD)
    assert '+description = "Contracts"' in cli("fix", "old.plx", "--diff").out
    ended = cli("fix", "old.plx", "--write", "--unsafe", "--json")
    found = json.loads(ended.out)
    assert found["is_valid"] is True
    assert found["files"][0]["written"] == "old.mthds"
    assert cli("validate", "old.mthds").code == 0
    again = json.loads(cli("fix", "bundle", "old.mthds", "--json").out)
    assert again["files"][0]["rewrites"] == []


def test_fix_only_shows_what_may_change_the_meaning(cli: Cli) -> None:
    unread = 'domain = "x"\n[pipe.p]\ntype = "PipeLLM"\ndefinition = "d"\ninputs = { a = "Text" }\noutput = "Text"\nprompt = "x"\n'
    (cli.root / "unread.mthds").write_text(unread)
    ended = cli("fix", "unread.mthds", "--write")
    assert ended.code == 1
    assert "remove-input (needs --unsafe): remove the input 'a'" in ended.out
    assert (cli.root / "unread.mthds").read_text() == unread.replace("definition", "description")
    (file,) = json.loads(cli("fix", "unread.mthds", "--json").out)["files"]
    assert [rewrite["fix_code"] for rewrite in file["needs_unsafe"]] == ["remove-input"]
    assert cli("fix", "unread.mthds", "--write", "--unsafe").code == 0
    assert "a = " not in (cli.root / "unread.mthds").read_text()


def test_fix_ends_with_one_when_something_is_left_and_two_without_a_file(cli: Cli) -> None:
    bad = 'domain = "x"\n[pipe.p]\ntype = "PipeFunc"\ndefinition = "d"\noutput = "Text"\nfunction_name = "flat"\n'
    (cli.root / "bad.mthds").write_text(bad)
    ended = cli("fix", "bundle", "bad.mthds", "--write")
    assert ended.code == 1
    assert "import path" in ended.out
    assert 'description = "d"' in (cli.root / "bad.mthds").read_text()
    assert cli("fix", "bundle", "none.mthds").code == 2


def test_fix_selects_codes_and_formats(cli: Cli) -> None:
    (cli.root / "old.plx").write_text(OLD)
    ended = cli("fix", "bundle", "old.plx", "--select", "new-pipe-type", "--json")
    assert ended.code == 1
    assert {each["fix_code"] for each in json.loads(ended.out)["files"][0]["rewrites"]} == {"new-pipe-type"}
    formatted = json.loads(cli("fix", "bundle", "old.plx", "--format", "--json").out)["files"][0]["text"]
    assert 'domain      = "legal"' in formatted


def test_fmt_formats_and_checks(cli: Cli) -> None:
    file = cli.root / "a.mthds"
    file.write_text('domain="x"\n')
    assert cli("fmt", "a.mthds", "--check").code == 1
    assert '+domain = "x"' in cli("fmt", "a.mthds", "--diff").out
    assert file.read_text() == 'domain="x"\n'
    assert cli("fmt", "a.mthds").code == 0
    assert file.read_text() == 'domain = "x"\n'
    assert cli("fmt", "a.mthds", "--check", "--json").code == 0
    assert cli("fmt", "-", stdin='domain="y"\n').out == 'domain = "y"\n'
    file.write_text("domain = \n")
    assert cli("fmt", "a.mthds").code == 1


def test_lint_reports_what_the_schema_refuses(cli: Cli) -> None:
    (cli.root / "a.mthds").write_text('domain = "x"\nodd = 1\n')
    ended = cli("lint", "a.mthds")
    assert ended.code == 1
    assert "odd" in ended.out
    assert json.loads(cli("lint", "a.mthds", "--json").out)[0]["kind"] == "schema"
    (cli.root / "a.mthds").write_text('domain = "x"\n')
    assert cli("lint", "a.mthds").code == 0
    assert cli("lint", "none.mthds").code == 2


def test_lint_points_at_each_unknown_key(cli: Cli) -> None:
    (cli.root / "a.mthds").write_text(BUNDLE_WITH_UNKNOWN_KEYS)
    found: list[dict[str, Any]] = json.loads(cli("lint", "a.mthds", "--json").out)
    lines = BUNDLE_WITH_UNKNOWN_KEYS.splitlines()
    pointed: set[str] = {
        lines[each["range"]["start_line"] - 1][each["range"]["start_col"] - 1 : each["range"]["end_col"] - 1]
        for each in found
        if "unknown key" in each["message"]
    }
    assert pointed == {"colour", "unit", "minimum", "hint", "promt", "temperatur", "resul", "as"}
    for each in found:
        place = each["range"]
        text = BUNDLE_WITH_UNKNOWN_KEYS.encode()[place["start_offset"] : place["end_offset"]].decode()
        if "unknown key" in each["message"]:
            assert f"'{text}'" in each["message"]
    assert "promt" in cli("lint", "a.mthds").out
    assert "a.mthds:11:1" in cli("lint", "a.mthds").out


BUNDLE_WITH_UNKNOWN_KEYS = """domain = "d"
colour = "é"
[concept.A]
description = "x"
structure = { f = { type = "text", description = "é", unit = "kg", minimum = 3 } }
[pipe.p]
type = "PipeLLM"
description = "x"
inputs = { t = { concept = "Text", hint = "u" } }
output = "Text"
promt = "Look"
temperatur = 3
[pipe.s]
type = "PipeSequence"
description = "x"
output = "Text"
steps = [{ pipe = "p", resul = "x" }, { from = "t", result = "y", as = "z" }]
"""


@pytest.mark.slow
def test_the_schema_takes_every_bundle_that_is_valid_and_refuses_wrong_tables(cli: Cli) -> None:
    schema = json.loads(cli("schema").out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    root = Path(__file__).parent.parent.parent
    seen = refused = 0
    for file in sorted([*root.glob("examples/*/*.mthds"), *root.glob("tests/corpus/**/*.mthds")]):
        bundle = parse_bundle(file.read_bytes(), path=file.name)
        if any(fault.code == "method.syntax" for fault in bundle.faults):
            continue
        takes = validator.is_valid(tomllib.loads(file.read_text(encoding="utf-8")))  # type: ignore[reportUnknownMemberType]
        wrong = {str(fault.params.get("finding")) for fault in bundle.faults if fault.severity == "error"}
        seen += 1
        if not wrong:
            assert takes, file
        if wrong & {"unknown_key", "wrong_type", "missing_key", "wrong_value"}:
            refused += 1
            assert not takes, file
    assert seen > 400
    assert refused > 40


def test_the_schema_says_what_each_key_is_for(cli: Cli) -> None:
    assert cli("schema", "-o", "s/mthds.schema.json").code == 0
    schema = json.loads((cli.root / "s/mthds.schema.json").read_text(encoding="utf-8"))
    assert "null" not in json.dumps(schema)
    for name, definition in {"bundle": schema, **schema["$defs"]}.items():
        assert definition["additionalProperties"] is False, name
        silent = [key for key, value in definition["properties"].items() if "description" not in value]
        assert silent in ([], ["type"]), name


def test_a_new_method_names_its_schema(cli: Cli) -> None:
    assert cli("new", "mine").code == 0
    first = (cli.root / "mine/mine.mthds").read_text(encoding="utf-8").splitlines()[0]
    assert first == "#:schema ./.mthds.schema.json"
    schema = json.loads((cli.root / "mine/.mthds.schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads(cli("schema").out)
    assert cli("validate", "mine").code == 0


def test_the_formatter_says_how_it_is_installed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pipelex_tools", None)
    ended = cli("lint", "greet.mthds")
    assert ended.code == 2
    assert install_command("tools") in ended.err


def test_which_and_show_look_things_up(authored: Cli) -> None:
    assert authored("which", "read").out.startswith("harbour.mthds:")
    assert json.loads(authored("which", "harbour.Berth", "--json").out)["line"] == 8
    assert "native" in authored("which", "Image").out
    assert authored("which", "nothing_there").code == 2
    assert "did you mean" in authored("which", "Bert").err
    shown = json.loads(authored("show", "pipe", "plan", "--json").out)
    assert shown["type"] == "PipeSequence"
    assert shown["runs"][0] == "harbour.read"
    assert "harbour.tell" in authored("show", "pipe", "--all").out
    assert "takes" in authored("show", "pipe", "plan").out
    assert "A place at the quay" in authored("show", "concept", "Berth").out
    assert json.loads(authored("show", "concept", "Berth", "--json").out)["ref"] == "harbour.Berth"


def test_graph_is_written_in_three_forms(authored: Cli) -> None:
    assert authored("graph", "harbour.mthds").out.startswith("flowchart TD")
    assert authored("graph", "plan", "--direction", "left_to_right").out.startswith("flowchart LR")
    assert authored("graph", "harbour.mthds", "--out", "drawn/graph.html").code == 0
    assert (authored.root / "drawn" / "graph.html").read_text().startswith("<!DOCTYPE html>")
    assert json.loads(authored("graph", "harbour.mthds", "--pipe", "choose", "--json").out)["main_pipe"] == (
        "harbour.choose"
    )


def test_build_writes_beside_the_bundle(authored: Cli) -> None:
    assert authored("build", "inputs", "bundle", "harbour.mthds").code == 0
    assert set(json.loads((authored.root / "inputs.json").read_text())) == {"notices", "berth", "scan"}
    assert authored("build", "inputs", "pipe", "read", "--format", "toml").code == 0
    assert (authored.root / "inputs.toml").read_text() == (
        'notice = "notice_value"\nscan = "https://mock.invalid/scan"\n'
    )
    explicit = authored("build", "inputs", "pipe", "read", "--explicit", "--output", "-")
    assert json.loads(explicit.out)["notice"]["concept"] == "harbour.Notice"
    assert authored("build", "output", "harbour.mthds", "--pipe", "measure", "--json").code == 0
    assert json.loads((authored.root / "output.json").read_text()).keys() == {"number"}
    assert "class Text(BaseModel)" in authored("build", "output", "harbour.mthds", "-f", "python", "-o", "-").out
    assert authored("build", "structures", "harbour.mthds").code == 0
    assert "class Berth(BaseModel)" in Path(authored.root / "structures" / "harbour.py").read_text()


def test_built_inputs_run(authored: Cli) -> None:
    authored("build", "inputs", "pipe", "read")
    assert authored("run", "pipe", "read", "--inputs", "inputs.json", "--dry-run").code == 0
