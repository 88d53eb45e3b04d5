import os
import subprocess
import sys

import pytest

from pipelex import __version__
from pipelex.cli.main import PipelexGroup
from tests.cli.conftest import Cli


def test_version_is_three_lines(cli: Cli) -> None:
    ended = cli("--version")

    assert ended.out.splitlines() == [f"pipelex {__version__}", "mthds-protocol 2.0.0", "mthds-standard 8.0.0"]
    assert ended.code == 0


@pytest.mark.parametrize("name", list(PipelexGroup.table))
def test_every_command_has_help_with_examples(cli: Cli, name: str) -> None:
    ended = cli(name, "--help")

    assert ended.code == 0
    assert "Examples:" in ended.out


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
