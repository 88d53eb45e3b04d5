"""The files in `deck/`, and the names that they declare."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from pipelex.config.toml_files import Table, TomlFile
from pipelex.inference.deck.files import read_file
from pipelex.inference.deck.schema import PRESETS
from pipelex.language.blueprints import ModelFamily

Name = tuple[ModelFamily, str, str]
"""A name in a deck: its family, its kind (`aliases`, `waterfalls`, `presets` or `default`), and the name itself."""


def own_deck_files(dirs: Sequence[Path]) -> list[TomlFile]:
    """The deck files of the first `inference` directory that has any, sorted by name.

    Raises:
        ConfigurationError: a file cannot be read, or is not TOML.
    """
    for directory in dirs:
        if files := deck_files(directory):
            return [TomlFile(file.path, file.text, _with_waterfalls(file.data)) for file in files]
    return []


def deck_files(directory: Path) -> list[TomlFile]:
    """The deck files of one `inference` directory, sorted by name."""
    return [read_file(path) for path in sorted((directory / "deck").glob("*.toml"))]


def _with_waterfalls(data: Table) -> Table:
    """The tables, with the lists of models that earlier releases allowed as aliases turned into waterfalls."""
    return {family: _section_with_waterfalls(section) for family, section in data.items()}


def _section_with_waterfalls(section: object) -> Any:
    table = cast("Table", section) if isinstance(section, dict) else Table()
    aliases = table.get("aliases")
    if not isinstance(aliases, dict):
        return cast("Any", section)
    named = cast("Table", aliases)
    lists: Table = {name: value for name, value in named.items() if isinstance(value, list)}
    if not lists:
        return cast("Any", section)
    renamed = {name: f"~{name}" for name in lists}
    return {**table, "aliases": {**named, **renamed}, "waterfalls": {**table.get("waterfalls", {}), **lists}}


def names_of(file: TomlFile) -> Iterable[Name]:
    """The names that a deck file declares."""
    for family in PRESETS:
        section = file.data.get(family)
        if not isinstance(section, dict):
            continue
        table = cast("Table", section)
        for kind in ("aliases", "waterfalls", "presets"):
            for name in table.get(kind, {}):
                yield (family, kind, name)
        for name in (*table.get("choice_defaults", {}), *(["choice_default"] if "choice_default" in table else [])):
            yield (family, "default", name)
        for name, value in table.get("choice_overrides", {}).items():
            if value != "disabled":
                yield (family, "default", name)
