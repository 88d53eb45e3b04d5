"""Pages, explanations and messages name what there is: commands, their options, tables of settings, files."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import typer

from docsite.commands import real_command
from docsite.pages import DOCS, MADE, ROOT
from docsite.providers import provider_pages
from docsite.settings import settings_page
from pipelex.cli.main import app
from pipelex.errors.explanations import explanations

EVERYWHERE = {"--help", "--version", "--debug", "--trust-project"}
"""Options of the program itself."""

OTHERS = {"--api-key", "--sa"}
"""Options of other programs that a page names alone."""

SECTIONS = "runtime|inference|interpreter|temporal|run|mistral_workflows"


@cache
def options() -> Mapping[tuple[str, ...], frozenset[str]]:
    """The options of every command, by its path."""
    found: dict[tuple[str, ...], frozenset[str]] = {}

    def visit(command: Any, path: tuple[str, ...]) -> None:
        parameters = command.get_params(typer.Context(command, info_name=path[-1]))
        found[path] = frozenset(name for each in parameters for name in (*each.opts, *each.secondary_opts))
        for name in getattr(command, "commands", {}):
            visit(real_command(command, name), (*path, name))

    root: Any = typer.main.get_command(app)
    for names in root.sections(None).values():
        for name in names:
            visit(real_command(root, name), (name,))
    return found


def texts() -> dict[str, str]:
    """Everything that tells a reader what to type, by where it stands."""
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "deploy/README.md", ROOT / "CONTRIBUTING.md"]
    found = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in pages}
    found |= {f"explain {each.code}": each.to_markdown() for each in explanations()}
    found |= {f"docs/{place}": page() for place, page in provider_pages().items()}
    found["docs/reference/commands.md"] = MADE["reference/commands.md"]()
    return found


def sources() -> dict[str, str]:
    files = (ROOT / "src/pipelex").rglob("*.py")
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


def invocations(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The command lines of a text: the path of each command, and the options behind it."""
    for found in re.finditer(r"\bpipelex ((?:[a-z-]+ ?)+)([^`\n]*)", text):
        path: tuple[str, ...] = ()
        for word in found[1].split():
            if (*path, word) not in options():
                break
            path = (*path, word)
        if path:
            line = re.split(r" \| | && |\\n", found[0])[0]
            yield path, re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)


def wrong_options(text: str) -> list[str]:
    """Options that neither their command nor one below it has."""
    wrong: list[str] = []
    for path, named in invocations(text):
        known = {name for each, names in options().items() if each[: len(path)] == path for name in names}
        wrong += [f"pipelex {' '.join(path)} {name}" for name in named if name not in known | EVERYWHERE]
    return wrong


def test_commands_have_the_options_that_texts_give_them() -> None:
    found = {place: wrong for place, text in {**texts(), **sources()}.items() if (wrong := wrong_options(text))}
    assert found == {}


def test_options_that_are_named_alone_exist() -> None:
    known = {name for names in options().values() for name in names} | EVERYWHERE | OTHERS
    for place, text in texts().items():
        named = re.findall(r"`(--[a-z][a-z-]+)", text)
        assert [name for name in named if name not in known] == [], place


def test_commands_that_are_named_exist() -> None:
    known = {path[0] for path in options()}
    for place, text in texts().items():
        named = re.findall(r"`pipelex ([a-z][a-z-]+)(?= |`)", text)
        assert [name for name in named if name not in known] == [], place


def test_tables_and_keys_of_settings_exist() -> None:
    settings = settings_page()
    for place, text in texts().items():
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for table, key in re.findall(rf"`\[((?:{SECTIONS})(?:\.[a-z_0-9]+)*)\](?: ([a-z_]+))?", prose):
            parent = table.rpartition(".")[0]
            assert f"[{table}" in settings or f"[{parent}.<" in settings, f"{place}: [{table}]"
            assert not key or f"`{key}`" in settings, f"{place}: [{table}] {key}"


def test_the_environment_variables_that_are_read_have_a_row() -> None:
    page = (DOCS / "reference/environment.md").read_text(encoding="utf-8")
    defaults = [path.read_text(encoding="utf-8") for path in (ROOT / "src/pipelex").rglob("defaults/**/backends.toml")]
    addresses = [line for text in defaults for line in text.splitlines() if line.startswith("endpoint_variables")]
    read = {
        *re.findall(r"""["'{]((?:PIPELEX|TEMPORAL|OTEL)_[A-Z_]+[A-Z])["'}:]""", "\n".join(sources().values())),
        *re.findall(r"[A-Z_]{6,}", "\n".join(addresses)),
    }
    assert len(read) > 20
    assert {name for name in read if name not in page} == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`pipelex run book.mthds --timeout 60`", ["pipelex run --timeout"]),
        ("`pipelex run book.mthds --dry-run`", []),
        ("pipelex runs show ID --failed | less --raw", []),
        ("pipelex runs show ID --durable", ["pipelex runs show --durable"]),
    ],
)
def test_a_wrong_option_is_found(text: str, wrong: list[str]) -> None:
    assert wrong_options(text) == wrong
