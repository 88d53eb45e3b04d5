"""The page of all commands, made from the same texts as their `--help`."""

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any, Final

import typer

from pipelex.cli._shared.group import LazyGroup, help_record, is_example
from pipelex.cli.main import app
from pipelex.exits import exit_codes_table

_HEAD: Final = """# Commands

What `--help` prints, for every command. Results go to standard output, everything else to standard error; `--json` is for
programs.
"""


def commands_page() -> str:
    """The page as Markdown."""
    root: Any = typer.main.get_command(app)
    parts = [_HEAD, f"{exit_codes_table()}\n"]
    for section, names in root.sections(None).items():
        parts.append(f"## {section}\n")
        for name in names:
            parts.extend(_command(real_command(root, name), ("pipelex", name), names))
    return "\n".join(parts)


def real_command(group: Any, name: str) -> Any:
    """A command of a group; one that the group loads lazily is imported first."""
    entry = group.table.get(name) if isinstance(group, LazyGroup) else None
    if entry is None:
        return group.commands[name]
    found: Any = typer.main.get_command(import_module(entry.module).app)
    found.name = name
    return found


def _command(command: Any, path: Sequence[str], siblings: Sequence[str]) -> Iterator[str]:
    """A command and its subcommands: the text, the arguments, the options, the examples."""
    title = " ".join(path)
    yield f"### `{title}` {{ #{'-'.join(path[1:])} }}\n"
    yield "\n\n".join(_paragraphs(command.help)) + "\n"
    below: dict[str, Any] = getattr(command, "commands", {})
    context = typer.Context(command, info_name=title)
    yield f"```text\n{title} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    parameters = [each for each in command.get_params(context) if each.name != "help"]
    yield from _table("Argument", [_row(each, context) for each in parameters if each.param_type_name == "argument"])
    yield from _table("Option", [_row(each, context) for each in parameters if each.param_type_name == "option"])
    others = [name for name in siblings if name != path[-1]]
    yield from _examples(command.epilog, title, list(below) or others)
    for name in below:
        child = real_command(command, name)
        if not child.hidden and name != getattr(command, "short_form", None):
            yield from _command(child, (*path, name), list(below))


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", cleandoc(text or "").replace("\b", ""))]


def _table(kind: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    if rows:
        lines = [f"| {kind} | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]
        yield "\n".join(lines) + "\n"


def _row(parameter: Any, context: Any) -> tuple[str, str]:
    names, text = help_record(parameter, context)
    return f"`{names}`".replace("|", "\\|"), _cell(text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _examples(epilog: str | None, path: str, others: Sequence[str]) -> Iterator[str]:
    own = [line.strip() for line in (epilog or "").splitlines() if is_example(line, path, others)]
    if own:
        yield "```console\n" + "\n".join(f"$ {line}" for line in own) + "\n```\n"
