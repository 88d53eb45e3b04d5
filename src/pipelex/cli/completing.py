"""Completions for a shell: commands, options, pipes, run ids, profiles. Nothing heavy is imported.

A shell sets `_PIPELEX_COMPLETE` and calls `pipelex` with the words typed so far; the last word is incomplete. The
shell offers the printed lines, or files if nothing is printed.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer

VARIABLE: Final = "_PIPELEX_COMPLETE"
_PIPE: Final = re.compile(r"^\s*\[\s*pipe\s*\.\s*([a-z][a-z0-9_]*)\s*\]", re.MULTILINE)
_MOST_FILES: Final = 200
_OF_RUNS: Final = ("show", "watch", "result", "cancel", "terminate", "retry", "replay", "open", "diff")


def candidates(root: Any, words: Sequence[str]) -> list[str]:
    """The words that may complete the last one.

    Args:
        root: the whole command.
        words: what was typed after the program's name; the last one may be empty.
    """
    *before, partial = words or [""]
    command, path, is_placed = root, list[str](), False
    waiting: Any = None
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-") and len(word) > 1:
            waiting = None if "=" in word else _valued(command, word)
        elif (inner := _inner(command, word)) is not None:
            command, path = inner, [*path, word]
        else:
            is_placed = True
            command = _inner(command, getattr(command, "short_form", "")) or command
    found = _offered(command, path, waiting, partial, is_placed=is_placed)
    return sorted({each for each in found if each.startswith(partial)})


def _offered(command: Any, path: list[str], waiting: Any, partial: str, *, is_placed: bool) -> Iterator[str]:
    if waiting is not None:
        yield from _values(waiting)
    elif partial.startswith("-"):
        owner = _inner(command, getattr(command, "short_form", "")) or command
        yield from ("--help", *(name for each in owner.params for name in (*each.opts, *each.secondary_opts)))
    elif not is_placed:
        yield from _commands(command)
        if path[:1] == ["runs"] and path[1:] and path[1] in _OF_RUNS:
            yield from run_ids()
        elif path in (["run"], ["run", "pipe"], ["validate"], ["validate", "pipe"], ["show", "pipe"], ["which"]):
            yield from pipes()


def _commands(command: Any) -> Iterator[str]:
    known = getattr(command, "commands", {})
    return (name for name in known if not known[name].hidden)


def _inner(command: Any, word: str) -> Any:
    """The named command of a group; its module is imported if the group knows only the module."""
    entry = getattr(command, "table", {}).get(word)
    if entry is not None:
        return typer.main.get_command(import_module(entry.module).app)
    return getattr(command, "commands", {}).get(word)


def _valued(command: Any, word: str) -> Any:
    """The option of that name if it takes a value; else None."""
    owner = _inner(command, getattr(command, "short_form", "")) or command
    found = next((each for each in owner.params if word in each.opts), None)
    return None if found is None or getattr(found, "is_flag", False) else found


def _values(option: Any) -> Iterator[str]:
    known: dict[str, Callable[[], Iterator[str]]] = {"--pipe": pipes, "--run-id": run_ids, "--profile": profiles}
    for name in option.opts:
        yield from known.get(name, lambda: iter(()))()
    yield from _choices(getattr(getattr(option, "type_descriptor", None), "annotation", None))


def _choices(annotation: Any) -> Iterator[str]:
    """The values of a `Literal`, even inside a union such as `Literal[…] | None`."""
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
        return
    for part in get_args(annotation):
        yield from _choices(part)


def pipes() -> Iterator[str]:
    """The codes of pipes declared by files in the working directory, or at most two levels below it."""
    files = (file for pattern in ("*.mthds", "*/*.mthds", "*/*/*.mthds") for file in Path().glob(pattern))
    for file in islice(files, _MOST_FILES):
        yield from _PIPE.findall(file.read_text(encoding="utf-8", errors="replace"))


def run_ids() -> Iterator[str]:
    """The ids of runs that have files here, of runs with a record, and of durable runs started from this machine."""
    for file in islice(Path("results").glob("*/usage.json"), _MOST_FILES):
        try:
            found = json.loads(file.read_text(encoding="utf-8")).get("id")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(found, str):
            yield found
    home = os.environ.get("PIPELEX_HOME") or Path.home() / ".pipelex"
    yield from (folder.name for folder in islice(Path(home, "runs").glob("[!.]*"), _MOST_FILES))
    try:
        yield from _remembered().read_text(encoding="utf-8").split()
    except OSError:
        return


def remember(run_id: str) -> None:
    """Keep the id of a durable run for completion. Only the last hundred ids are kept."""
    file = _remembered()
    from pipelex.config.own_files import write_own_text

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        known = file.read_text(encoding="utf-8").split() if file.exists() else []
        write_own_text(file, "\n".join([*(each for each in known if each != run_id), run_id][-100:]))
    except OSError:  # only completion uses it, so a failure does not matter
        return


def _remembered() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "pipelex" / "runs"


def profiles() -> Iterator[str]:
    """The names of worker profiles in the settings of the working directory and of the user."""
    yield "default"
    for folder in (Path(".pipelex"), Path.home() / ".pipelex"):
        for file in folder.glob("pipelex*.toml"):
            try:
                found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
                yield from found["temporal"]["worker_runtime_profiles"]["profiles"]
            except (OSError, ValueError, KeyError, TypeError):
                continue
