"""`--help` of every command: nothing of it is cut at any width, and each has examples of its own."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer

from pipelex.cli.main import PipelexGroup, app
from tests.cli.conftest import Cli

Path = tuple[str, ...]


def _inside(command: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _inside(child, (*path, name))


def commands() -> dict[Path, Any]:
    """Every command that is shown, by the words it is called with."""
    found: dict[Path, Any] = {(): typer.main.get_command(app)}
    for name, entry in PipelexGroup.table.items():
        found |= dict(_inside(typer.main.get_command(import_module(entry.module).app), (name,)))
    return found


COMMANDS = commands()


def _words(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_of_the_help_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for path, command in COMMANDS.items():
        context = typer.Context(command, info_name=" ".join(("pipelex", *path)), max_content_width=100)
        shown = command.get_help(context)
        assert max(map(len, shown.splitlines())) <= max(width, _longest_example(command)), shown
        assert not re.search(r"(?<![A-Z\]])\.\.\.|<list|<path>|<str>", shown), shown
        options = [each for each in command.params if not each.hidden]
        assert [each.name for each in options if _words(each.help or "") not in _words(shown)] == [], shown


def _longest_example(command: Any) -> int:
    return max((len(line) + 2 for line in (command.epilog or "").splitlines()), default=0)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_examples_of_its_own(cli: Cli, path: Path) -> None:
    _, found, examples = cli(*path, "--help").out.partition("Examples:\n")
    assert found
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert lines
    assert [line for line in lines if " ".join(("pipelex", *path)) not in line] == []
