"""What commands print for people fits the width of the terminal: tables, trees, prose, faults, misuse."""

import re

import pytest

from pipelex.cli._shared.console import Paint, shown, table
from pipelex.cli.fitting import fitted, width_of
from tests.cli.conftest import Cli
from tests.cli.test_durable import worker
from tests.cli.test_terminal import on_a_terminal
from tests.support.openai_server import OpenAIStub

_WHOLE = re.compile(
    r"\s*(?:[→✓✗!–●○…*+-] |\d+\. )*(?:\S+|.*`[^`]*`\S*|(?:[A-Z_]+=\S+ )*(?:pipelex|pip|temporal|export) .*)"
)
"""What stays whole: a path, an address, a command to copy."""

LONG = f"""\
domain = "harbour"
main_pipe = "greet"
description = "Sentences of an author who had a lot to say about what the method is for, and who did not stop in time"

[concept.Berth]
description = "A place at the quay, of which the description goes on for longer than any terminal is wide, word by word"
refines = "Text"

[pipe.greet]
type = "PipeLLM"
description = "Greet somebody, at length, with all that belongs to it, and with whatever else may come to mind on the way"
inputs = {{ name = "Text" }}
output = "Text"
prompt = "Hello $name, and then {"and so on " * 30} $nobody"
"""

COMMANDS = [
    ["doctor"],
    ["doctor", "--server", "nowhere"],
    ["models"],
    ["models", "--all"],
    ["show", "backends"],
    ["show", "models", "openai"],
    ["show", "pipe", "--all"],
    ["show", "pipe", "greet"],
    ["show", "pipe", "gret"],
    ["show", "concept", "native.Text"],
    ["config", "show"],
    ["config", "show", "runtime", "--origin"],
    ["config", "show", "runtme"],
    ["new", "--list"],
    ["new", "mine"],
    ["new", "mine", "--from", "invoise"],
    ["init", "config", "--local"],
    ["init", "--endpoint", "http://127.0.0.1:1/v1", "--local"],
    ["init", "--endpoint", "http://127.0.0.1:1/v1", "--model", "m", "--local", "--key-variable", "A_KEY_THAT_IS_NOT_SET"],
    ["explain"],
    ["explain", "input.mising"],
    ["run", "greet.mthds"],
    ["run", "greet.mthds", "-i", "name=Ana"],
    ["run", "greet.mthds", "-i", "nam=Ana"],
    ["run", "greet.mthds", "-i", "name=Ana", "--durable"],
    ["run", "greet.mthds", "--on-item-failure", "colect"],
    ["run", "greet.mthds", "--inputs-csv", "rows.csv", "--save-csv", "out.csv"],
    ["run", "long.mthds"],
    ["run", "gret.mthds", "-i", "name=Ana"],
    ["validate", "greet.mthds", "long.mthds"],
    ["validate", "long.mthds"],
    ["lint", "long.mthds"],
    ["fmt", "--check", "long.mthds"],
    ["fix", "bundle", "long.mthds"],
    ["graph", "greet.mthds", "--out", "page.html"],
    ["build", "inputs", "greet.mthds"],
    ["which", "gret"],
    ["runs", "list"],
    ["runs", "show", "nobody"],
    ["runs", "list", "--status", "nonsense"],
    ["schedule", "create", "s", "greet.mthds", "--cron", "bad"],
    ["schedule", "list"],
    ["worker", "--profile", "nonsense"],
    ["temporal", "dispatch", "greet.mthds"],
    ["storage", "get", "pipelex-storage://nothing"],
    ["trust"],
    ["trust", "--list"],
    ["completion", "powershell"],
    ["dev", "--port", "abc"],
    ["nonsense"],
    ["methods", "nonsense", "and", "more", "of", "it"],
]  # fmt: skip


def too_wide(text: str, width: int) -> list[str]:
    """The lines that do not fit, but for those that stay whole."""
    return [line for line in text.splitlines() if width_of(line) > width and not _WHOLE.fullmatch(line)]


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_commands_print_fits(cli: Cli, stub: OpenAIStub, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.on(matches=".", text="Welcome")
    monkeypatch.setenv("COLUMNS", str(width))
    cli.project.method(LONG, "long.mthds")
    (cli.root / "rows.csv").write_text("name,note\nAda,\nBo,\n", encoding="utf-8")
    for words in COMMANDS:
        ended = cli(*words)
        assert "Traceback" not in ended.err, ended.err
        assert too_wide(ended.out + ended.err, width) == [], words


@pytest.mark.slow
@pytest.mark.parametrize(("width", "code"), [(60, "method.input_unused"), (80, "provider.rate_limited")])
def test_a_page_fits_its_terminal(cli: Cli, width: int, code: str) -> None:
    ended, seen = on_a_terminal(cli, "explain", code, columns=width)
    assert ended == 0, seen
    assert too_wide(re.sub(r"\x1b\[[0-9;]*m", "", seen), width) == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_commands_print_of_durable_runs_fits(
    durable_cli: Cli, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("Hello Ana", text="Welcome")
    stub.on("Hello Bo", status=400, body={"error": {"message": "A long story, told by a provider. " * 9}})
    name = durable_cli.root.name
    with worker(durable_cli):
        runs = [durable_cli("run", "greet.mthds", "-i", f"name={who}", "--durable", "--run-id", f"{who}-{name}")
                for who in ("Ana", "Bo")]  # fmt: skip
        assert [each.code for each in runs] == [0, 1], runs
        created = durable_cli("schedule", "create", f"s-{name}", "greet.mthds", "-i", "name=Ana", "--every", "9h")
        assert created.code == 0, created.err
        for width in (60, 80, 200):
            monkeypatch.setenv("COLUMNS", str(width))
            for words in (
                ["runs", "list"], ["runs", "show", f"Ana-{name}"], ["runs", "show", f"Bo-{name}"],
                ["runs", "watch", f"Ana-{name}"], ["runs", "watch", f"Bo-{name}"],
                ["runs", "diff", f"Ana-{name}", f"Bo-{name}"], ["runs", "retry", f"Ana-{name}"],
                ["run", "greet.mthds", "-i", "name=Ana", "--durable"], ["run", "greet.mthds", "-i", "name=Bo", "--durable"],
                ["schedule", "list"], ["schedule", "show", f"s-{name}"], ["schedule", "show", "nothing"],
                ["schedule", "pause", f"s-{name}", "--note", "a note " * 20], ["doctor"], ["temporal", "dispatch", "greet.mthds"],
            ):  # fmt: skip
                ended = durable_cli(*words)
                assert "Traceback" not in ended.err, ended.err
                assert too_wide(ended.out + ended.err, width) == [], words
        durable_cli("schedule", "delete", f"s-{name}")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("→ do this and then do that", "→ do this and then\n  do that"),
        ("  Fix: write it anew or leave", "  Fix: write it anew\n    or leave"),
        ("  /a/path/that/is/longer/than/it/may/be", "  /a/path/that/is/longer/than/it/may/be"),
        ("Type: pipelex run greet.mthds -i name=TEXT", "Type:\n  pipelex run greet.mthds -i name=TEXT"),
        ("say it with `pipelex run x` now", "say it with\n  `pipelex run x`\n  now"),
        ("`a` and `b c d e` are here", "`a` and `b c d e`\n  are here"),
        ("漢字漢字漢字 漢字漢字漢字", "漢字漢字漢字\n  漢字漢字漢字"),
        ("short\nand a line that is too long", "short\nand a line that is\n  too long"),
    ],
)
def test_a_long_line_goes_on_below_its_beginning(text: str, folded: str) -> None:
    assert fitted(text, 20) == folded
    assert fitted(text, None) == text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("size", [10, 28, 55, 128])
def test_an_id_stays_whole(width: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    row = ["r" * size, "a_pipe_of_a_long_name", "completed", "2026-11-28 15:57:35", "0.1 s", "$0.0001"]
    told = table([row, row], ["run", "pipe", "status", "started", "time", "cost"], Paint(False), has_ids=True)
    assert told.split().count("r" * size) == 2
    assert [line for line in too_wide(told, width) if line != row[0]] == []


def test_colours_take_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    paint = Paint(True)
    text = f"{paint('✓', 'green')} {paint('one two three four', 'bold')} five"
    assert shown(text, 20) == "\x1b[32m✓\x1b[0m \x1b[1mone two three four\x1b[0m\n  five"
    assert shown(text, 80).count("\x1b[") == 4
