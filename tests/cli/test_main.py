import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer

from pipelex import __version__
from pipelex.cli.main import PipelexGroup
from tests.cli.conftest import Cli


def test_version_is_three_lines(cli: Cli) -> None:
    ended = cli("--version")

    assert ended.out.splitlines() == [f"pipelex {__version__}", "mthds-protocol 2.0.0", "mthds-standard 8.0.0"]
    assert ended.code == 0


def commands(name: str, command: Any) -> Iterator[tuple[str, ...]]:
    """The words of a command and of every command below it that is shown."""
    yield (name,)
    for below, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from ((name, *words) for words in commands(below, one))


COMMANDS = [
    words
    for name, entry in PipelexGroup.table.items()
    for words in commands(name, typer.main.get_command(import_module(entry.module).app))
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples_of_its_own(cli: Cli, words: tuple[str, ...]) -> None:
    ended = cli(*words, "--help")

    assert ended.code == 0
    _, _, examples = ended.out.partition("  Examples:\n")
    assert examples
    assert all(" ".join(("pipelex", *words)) in line for line in examples.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["60", "200"])
def test_help_is_grouped_and_never_cut(cli: Cli, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    for words in ((), ("run",), ("runs",), ("validate",)):
        text = cli.command(*words, "--help").out
        assert "..." not in text.replace("[ARGS]...", "")
        assert not [line for line in text.splitlines() if len(line) > int(columns) and "pipelex" not in line]
    everything = cli.command("--help").out
    assert [line for line in everything.splitlines() if line.endswith(":") and line[0] != " "] == [
        "Options:", "Run methods:", "Write methods:", "Durable runs on Temporal:", "Set up:",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["run", "validate", "fix", "build"])
def test_the_short_form_has_no_name(cli: Cli, command: str) -> None:
    told = [cli(command, "x.mthds", "--help"), cli(command, "x.mthds", "--fo"), cli(command, "--help")]

    assert not [ended for ended in told if "auto" in ended.out + ended.err]


def test_misuse_is_said_plainly_and_as_a_problem(cli: Cli) -> None:
    plain = cli("run", "greet.mthds", "--with-memory")
    problem = cli("run", "greet.mthds", "--json", "--mock-inputs")
    method = cli("greet.mthds")

    assert (plain.code, "Error: --with-memory needs --json" in plain.err) == (2, True)
    assert (problem.code, json.loads(problem.err)["detail"]) == (2, "--mock-inputs needs --dry-run")
    assert (method.code, "Run it with: pipelex run greet.mthds" in method.err) == (2, True)


def test_an_unknown_command_is_a_usage_error_with_a_near_name(cli: Cli) -> None:
    ended = cli("vlidate")

    assert ended.code == 2
    assert "Did you mean 'validate'" in ended.err


def test_help_and_version_import_nothing_heavy() -> None:
    program = (
        "import sys; from pipelex.cli.main import run\n"
        "code = run([sys.argv[1]])\n"
        "heavy = {'pydantic', 'rich', 'temporalio', 'jinja2', 'httpx', 'pipelex.library'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )
    for flag in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", program, flag], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_validating_imports_neither_temporal_nor_model_clients(cli: Cli) -> None:
    program = (
        "import sys; from pipelex.cli.main import run\n"
        "code = run(['validate', 'greet.mthds'])\n"
        "heavy = {'temporalio', 'pydantic_ai', 'openai', 'rich', 'httpx'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cli.root, env=cli.environ, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_failure_with_a_traceback(cli: Cli) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelex.cli", "config", "show"],
            cwd=cli.root, env=cli.environ, stdout=writing, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        _, err = child.communicate(timeout=60)
    finally:
        os.close(writing)

    assert (child.returncode, err) == (141, "")


def test_a_broken_settings_file_ends_with_2_and_its_place(cli: Cli) -> None:
    (cli.root / ".pipelex" / "pipelex.toml").write_text("[run\n", encoding="utf-8")

    ended = cli("validate", "greet.mthds")

    assert ended.code == 2
    assert ".pipelex/pipelex.toml" in ended.err
    assert "runtime.misconfigured (domain operator, retry no)" in ended.err


def test_settings_warnings_are_one_line_each_with_their_place(cli: Cli) -> None:
    (cli.root / ".pipelex" / "pipelex.toml").write_text("[run]\nexecuton = 'local'\n", encoding="utf-8")

    ended = cli("validate", "greet.mthds")

    warnings = [line for line in ended.err.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert ".pipelex/pipelex.toml:2" in warnings[0]
    assert cli("validate", "greet.mthds", "--json").err == ""


def test_a_bug_is_one_line_and_a_traceback_only_with_debug(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("pipelex.config.load_settings", broken)

    plain, debug = cli("validate", "greet.mthds"), cli("--debug", "validate", "greet.mthds")

    assert plain.code == debug.code == 2
    assert "Unexpected error: RuntimeError: a bug" in plain.err
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err


def test_log_lines_go_to_stderr_at_the_configured_level(cli: Cli) -> None:
    import logging

    settings = cli.root / ".pipelex" / "pipelex.toml"
    settings.write_text("[runtime.log]\nlevel = 'ERROR'\nsinks = ['json']\n", encoding="utf-8")
    cli("config", "show")

    assert logging.getLogger("pipelex").level == logging.ERROR
    assert logging.getLogger().level == logging.WARNING


@pytest.mark.slow
@pytest.mark.parametrize("module", ["pipelex", "pipelex.cli"])
def test_the_package_runs_as_a_module(module: str) -> None:
    shown = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, timeout=60)
    assert shown.stdout.startswith("pipelex "), shown.stderr
