"""Reads TOML files that people write, and makes errors with the file, line and key."""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelex.config._keys import dotted
from pipelex.config._positions import TomlPositions
from pipelex.config.files.plain import read_plain_text
from pipelex.config.files.toml import read_toml
from pipelex.errors import ConfigurationError, Location

Table = dict[str, Any]
Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class TomlFile:
    """A TOML file, with its data and the places of its keys."""

    path: Path
    text: str
    data: Table

    @classmethod
    def read(cls, path: Path) -> "TomlFile":
        """Read and parse a file.

        Raises:
            ConfigurationError: the file cannot be read, or is not TOML.
        """
        try:
            text = read_plain_text(path)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}", location=Location(file=str(path))) from error
        try:
            return cls(path, text, read_toml(text))
        except tomllib.TOMLDecodeError as error:
            line = _line_of(error)
            location = Location(file=str(path), line=line)
            raise ConfigurationError(f"{path} is not valid TOML: {error}", location=location) from error

    @property
    def shown(self) -> str:
        """The file as messages name it: relative to the working directory when it lies below."""
        here = Path.cwd()
        return str(self.path.relative_to(here)) if self.path.is_relative_to(here) else str(self.path)

    def fault(self, detail: str, *places: Keys, advice: str | None = None) -> ConfigurationError:
        """An error about a key of this file.

        Args:
            detail: the fault, without the file's name.
            *places: paths of keys; the first one that the file has decides the line.
            advice: the advice.
        """
        location = self.location(*places)
        where = f"{self.path}, line {location.line}" if location.line else str(self.path)
        return ConfigurationError(f"{where}: {detail}", advice=advice, location=location)

    def location(self, *places: Keys) -> Location:
        """The place of the first of these paths that the file has; its `field` is always the first path."""
        span = next((found for keys in places if (found := self._positions.key(keys)) is not None), None)
        line, column = (span[0], span[1]) if span else (None, None)
        return Location(file=str(self.path), line=line, column=column, field=dotted(places[0]) if places else None)

    @cached_property
    def _positions(self) -> TomlPositions:
        return TomlPositions(self.text)


def _line_of(error: tomllib.TOMLDecodeError) -> int | None:
    words = str(error).split("at line ")
    return int(words[1].split(",")[0]) if len(words) == 2 and words[1].split(",")[0].isdigit() else None
