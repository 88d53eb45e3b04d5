"""Every command and every TOML block of `docs/distributed` and `deploy`, executed or parsed."""

import ast
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from temporalio.worker import Worker
from typer.testing import CliRunner

from docsite.pages import DOCS, MADE
from pipelex.cli.main import app
from pipelex.config import load_settings
from pipelex.inference import ModelDeck
from pipelex.temporal.config import connection, parse_temporal_config
from pipelex.temporal.dev_server import DevServer, find_binary
from pipelex.temporal.worker.profiles import worker_tuning
from pipelex.temporal.worker.scopes import resolve_scope
from tests.support.processes import REPOSITORY
from tests.support.project import Project

PAGES = sorted([*(REPOSITORY / "docs" / "distributed").glob("*.md"), REPOSITORY / "deploy" / "README.md"])
EXECUTED = (
    "pipelex config show",
    "pipelex doctor",
    "pipelex runs list",
    "pipelex setup-temporal-namespace",
    "pipelex temporal routes",
)
"""What is run, in a project on a real server; starting workers and runs has tests of its own."""


class Block(NamedTuple):
    page: str
    line: int
    text: str


def blocks(language: str) -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Block(page.name, text[: found.start()].count("\n") + 2, found.group(1))


def commands() -> list[Block]:
    """The commands that consoles show; lines without a prompt are what was printed."""
    return [
        Block(block.page, block.line + number, line.removeprefix("$ "))
        for block in blocks("console")
        for number, line in enumerate(block.text.splitlines())
        if line.startswith("$ ")
    ]


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


def test_there_is_no_other_kind_of_block() -> None:
    for page in PAGES:
        languages = re.findall(r"^```(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(languages) <= {"console", "python", "toml"}, page
    assert all("$ " in block.text for block in blocks("console"))


@pytest.mark.parametrize("block", [each for each in blocks("python") if each.page == "workers.md"], ids=named)
async def test_python(
    block: Block, project: Project, temporal_server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    program = block.text.replace("localhost:7233", temporal_server.target)
    names: dict[str, Any] = {}
    waited = eval(compile(program, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307 our own page
    if waited is not None:
        await waited
    assert isinstance(names["worker"], Worker)


async def test_the_dearest_runs(project: Project, temporal_server: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (recipe,) = [each for each in blocks("python") if each.page == "recipes.md"]
    monkeypatch.chdir(project.root)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    exec(compile(recipe.text, recipe.page, "exec"), names)  # noqa: S102 our own page
    found = await names["dearest"](3)
    assert found == sorted(found, reverse=True)


BACKENDS = "# .pipelex/inference/backends.toml\n"
"""The first line of a block that is not of `pipelex.toml`."""


@pytest.mark.parametrize("block", [each for each in blocks("toml") if each.text.startswith(BACKENDS)], ids=named)
def test_backends(block: Block, tmp_path: Path) -> None:
    (tmp_path / "backends.toml").write_text(block.text, encoding="utf-8")
    deck = ModelDeck.load([tmp_path], {"GATEWAY_KEY": "k"})
    (name,) = tomllib.loads(block.text)
    assert deck.catalog.backends[name].extra["idempotency_header"] == "Idempotency-Key"


@pytest.mark.parametrize("block", [each for each in blocks("toml") if not each.text.startswith(BACKENDS)], ids=named)
def test_toml(block: Block, tmp_path: Path) -> None:
    (tmp_path / ".pipelex").mkdir()
    (tmp_path / ".pipelex" / "pipelex.toml").write_text(block.text, encoding="utf-8")
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / "certificates").mkdir(exist_ok=True)
        (tmp_path / "certificates" / name).write_text("PEM", encoding="utf-8")
    environ = {"HOME": str(tmp_path / "home"), "PIPELEX_TRUST_PROJECT": "1", "TEMPORAL_CLOUD_API_KEY": "k"}

    settings = load_settings(cwd=tmp_path, environ=environ)
    config = parse_temporal_config(settings)

    assert (list(settings.warnings), config.warnings) == ([], ())
    assert connection(config, settings).target_host == config.server.target_host
    for scope in (None, *config.worker_scopes.scopes):
        assert resolve_scope(config, scope)
    for profile in config.worker_runtime_profiles.profiles:
        assert worker_tuning(config, profile)


def before_the_shell(words: list[str]) -> list[str]:
    """The words of a command up to where the shell takes what it prints."""
    return words[: next((place for place, word in enumerate(words) if word in ("|", ">")), len(words))]


@pytest.mark.parametrize("block", commands(), ids=named)
def test_commands(block: Block, project: Project, temporal_server: DevServer, monkeypatch: pytest.MonkeyPatch) -> None:
    words = before_the_shell(shlex.split(block.text, comments=True))
    match words[0]:
        case "jq":
            assert len(words) == 3
        case "pipelex":
            check_pipelex(words[1:])
            if block.text.startswith(EXECUTED) and "--attribute" not in words:  # it is not declared here
                execute(words[1:], project, monkeypatch)
        case "temporal":
            check_temporal(words[1:])
        case "pip":
            wanted = re.fullmatch(r"(?:pipelex|\.)\[(.+)\]", words[2])
            assert wanted is not None
            extras = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
            assert all(f"\n{extra} = [" in extras for extra in wanted.group(1).split(","))
        case "make":
            makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
            assert all(f"\n{target}: " in makefile for target in words[1:])
        case "export":
            assert re.fullmatch(r"TEMPORAL_[A-Z]+=\S+", words[1])
        case "find" | "openssl":
            (project.root / ".pipelex" / "storage" / "temporal-payloads").mkdir(parents=True)
            subprocess.run(words, cwd=project.root, check=True, stdout=subprocess.DEVNULL, timeout=60)
        case script:
            assert os.access(REPOSITORY / script, os.X_OK), script
            assert words[1:] == []


def check_pipelex(words: list[str]) -> None:
    """Parse a command line to its end without doing what it says."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    rest = words
    while True:
        context = command.make_context(command.name or "pipelex", rest, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, name
        command = found


def check_temporal(words: list[str]) -> None:
    """Ask the real command whether it has this subcommand and these flags."""
    subcommand = [word for word in words if not word.startswith("-")]
    flags = [word for word in words if word.startswith("--")]
    first = words.index(flags[0]) if flags else len(words)
    done = subprocess.run(
        [str(find_binary()), *subcommand[:first], "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    every = subprocess.run([str(find_binary()), "options"], capture_output=True, text=True, check=True, timeout=60)
    assert f"temporal {' '.join(words[:first])}" in done.stdout
    for flag in flags:
        assert re.search(rf"{flag}\b", done.stdout + every.stdout), flag


def execute(words: list[str], project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    for name in os.environ:
        if name.startswith(("PIPELEX_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, words, prog_name="pipelex")

    # The doctor's verdict is about the project; what counts here is that it gives one.
    assert done.exit_code == 0 or (words[0] == "doctor" and done.exit_code == 1), done.output
    assert done.stdout or words[:2] == ["runs", "list"]


def test_links_lead_somewhere() -> None:
    made = {DOCS / page for page in MADE}
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            place = (page.parent / target).resolve()
            assert target.startswith("https://") or place.exists() or place in made, (page.name, target)
