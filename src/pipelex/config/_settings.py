"""The effective settings: typed sections, the raw values, and the layer that each value comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Literal, cast

from pipelex.config._interpolation import Variables
from pipelex.config._keys import Path, dotted, leaves, lookup, split_dotted
from pipelex.config._positions import Span, TomlPositions
from pipelex.config._sections import InferenceSettings, InterpreterSettings, RunSettings, RuntimeSettings, Sections
from pipelex.config.trust import Demand, Trust
from pipelex.errors import Fault, Json, Location

LayerKind = Literal["default", "user", "project", "environment", "override", "flag"]
"""The kinds of layers, the lowest first: each layer overrides those before it."""


@dataclass(frozen=True)
class Layer:
    """One source of settings."""

    kind: LayerKind
    data: Mapping[str, Json] = field(repr=False)
    file: FilePath | None = None
    shown: str | None = None
    """The file as messages name it."""
    text: str = field(default="", repr=False)

    @cached_property
    def positions(self) -> TomlPositions:
        return TomlPositions(self.text)


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of an effective value: a file and a line, a variable, or a flag."""

    kind: LayerKind
    file: str | None = None
    line: int | None = None
    variables: tuple[str, ...] = ()
    """Environment variables named in the value."""

    def __str__(self) -> str:
        place = self.kind if self.file is None else self.file if self.line is None else f"{self.file}:{self.line}"
        return place + "".join(f" ${{{name}}}" for name in self.variables)


_SECRET_KEY = re.compile(
    r"(^|_)(api_key|access_key|account_key|secret|password|passphrase|token|sas|credentials|connection_string)$",
    re.IGNORECASE,
)
_SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")
MASK = "********"


@dataclass(frozen=True)
class Settings:
    """The effective settings, and where each one comes from. Made by `load_settings`."""

    sections: Sections = field(repr=False)
    values: Mapping[str, Json] = field(repr=False)
    """The values of all tables, merged, with variables filled in."""
    project_dir: FilePath | None
    """The project's `.pipelex` folder."""
    home_dir: FilePath
    """The user's `.pipelex` folder, which need not exist."""
    base_dir: FilePath
    """The folder that relative paths in settings start from: the one that holds the project's `.pipelex`, else the
    working directory."""
    environment: str | None
    """The name given by `PIPELEX_ENV`."""
    environ: Mapping[str, str] = field(repr=False)
    """The variables of the `.env` files, overridden by the process's environment."""
    layers: tuple[Layer, ...] = field(repr=False)
    """The layers, the lowest first."""
    variables: Variables = field(repr=False)
    trust: Trust = field(repr=False)
    """The record of the project's trusted files."""
    withheld: tuple[Demand, ...] = field(default=(), repr=False)
    """The settings of the project's `pipelex.toml` and `.env` that are withheld until the files are trusted."""
    warnings: tuple[Fault, ...] = ()

    @cached_property
    def demands(self) -> tuple[Demand, ...]:
        """Everything that the project's files would set if they were trusted. This also reads the files about models.

        Raises:
            ConfigurationError: a file about models is invalid.
        """
        from pipelex.config.trust.backends import withheld_of_project

        return (*self.withheld, *withheld_of_project(self.config_dirs, self.trust))

    @property
    def run(self) -> RunSettings:
        return self.sections.run

    @property
    def runtime(self) -> RuntimeSettings:
        return self.sections.runtime

    @property
    def inference(self) -> InferenceSettings:
        return self.sections.inference

    @property
    def interpreter(self) -> InterpreterSettings:
        return self.sections.interpreter

    @property
    def files(self) -> tuple[FilePath, ...]:
        """The files that were read, without the packaged defaults, the lowest first."""
        return tuple(layer.file for layer in self.layers if layer.file is not None and layer.kind != "default")

    @property
    def config_dirs(self) -> tuple[FilePath, ...]:
        """The existing configuration folders, the project's before the user's."""
        candidates = (self.project_dir, self.home_dir)
        return tuple(folder for folder in candidates if folder is not None and folder.is_dir())

    def section(self, name: str) -> Mapping[str, Json]:
        """A top-level table as plain values, empty when there is none."""
        found = self.values.get(name, {})
        return cast("Mapping[str, Json]", found) if isinstance(found, Mapping) else {}

    def get(self, key: str | Sequence[str], default: Json = None) -> Json:
        """The value at a dotted key (or at a path)."""
        is_there, value = lookup(self.values, _path(key))
        return value if is_there else default

    def layer_of(self, key: str | Sequence[str]) -> Layer | None:
        """The layer that sets the value at a key, or the highest layer that has the table; None for an unset key."""
        path = _path(key)
        return next((layer for layer in reversed(self.layers) if lookup(layer.data, path)[0]), None)

    def is_set(self, key: str | Sequence[str]) -> bool:
        """Whether a file of the user or the project, or a flag, sets the key, instead of only the packaged defaults."""
        layer = self.layer_of(key)
        return layer is not None and layer.kind != "default"

    def origin(self, key: str | Sequence[str]) -> Origin:
        """The origin of the value at a key. For an unset key, it is the default in the code."""
        path = _path(key)
        layer = self.layer_of(path)
        if layer is None:
            return Origin("default")
        variables = self.variables.used.get(path, ())
        if layer.file is None or layer.kind == "default":
            return Origin(layer.kind, variables=variables)
        span = layer.positions.key(path)
        return Origin(layer.kind, layer.shown, span[0] if span else None, variables)

    def location(self, key: str | Sequence[str], *, of_value: bool = False) -> Location:
        """The place of a key in the file that sets it; if no file has the key, of the nearest table above."""
        path = _path(key)
        for length in range(len(path), 0, -1):
            layer = self.layer_of(path[:length])
            if layer is None:
                continue
            if layer.file is None or layer.kind == "default":
                break
            span: Span | None = (layer.positions.value if of_value else layer.positions.key)(path[:length])
            line, column, end_line, end_column = span or (None, None, None, None)
            return Location(
                file=layer.shown, line=line, column=column, end_line=end_line, end_column=end_column, field=dotted(path)
            )
        return Location(field=dotted(path))

    def fault(
        self,
        key: str | Sequence[str],
        message: str,
        *,
        severity: Literal["error", "warning"] = "error",
        suggestions: tuple[str, ...] = (),
        of_value: bool = False,
    ) -> Fault:
        """A fault about a key, with its place; its detail is `<dotted key>: <message>`."""
        path = _path(key)
        layer = self.layer_of(path)
        flag = " (given as a flag)" if layer is not None and layer.kind == "flag" else ""
        return Fault(
            "runtime.misconfigured",
            f"{dotted(path)}: {message}{flag}",
            location=self.location(path, of_value=of_value),
            severity=severity,
            suggestions=suggestions,
        )

    def effective(self) -> list[tuple[str, Json, Origin]]:
        """Every effective value with its dotted key and origin; secrets are masked."""
        return [(dotted(path), self._masked(path, value), self.origin(path)) for path, value in leaves(self.values)]

    def user_keys(self, *prefix: str) -> Iterator[Path]:
        """The paths below a table that the user's files or flags set, in the order of the merged table."""
        is_there, table = lookup(self.values, prefix)
        if is_there and isinstance(table, Mapping):
            for path, _ in leaves(cast("Mapping[str, Json]", table), prefix):
                if self.is_set(path):
                    yield path

    def _masked(self, path: Path, value: Json) -> Json:
        is_secret = _SECRET_KEY.search(path[-1]) or any(
            _SECRET_VARIABLE.search(name) and name not in self.variables.unset.get(path, ())
            for name in self.variables.used.get(path, ())
        )
        if not isinstance(value, str) or not value:
            return MASK if is_secret and value not in ("", None) else value
        return MASK if is_secret else _URL_PASSWORD.sub(rf"\1{MASK}\2", value)


def _path(key: str | Sequence[str]) -> Path:
    return split_dotted(key) if isinstance(key, str) else tuple(key)


def describe(faults: Sequence[Fault]) -> str:
    """The text of faults for people, one per line if there are several: `file:line: key: what is wrong`."""
    lines: list[str] = []
    for fault in faults:
        place = fault.location
        where = "" if place.file is None else place.file if place.line is None else f"{place.file}:{place.line}"
        lines.append(f"{where}: {fault.detail}" if where else fault.detail)
    return (
        lines[0]
        if len(lines) == 1
        else "\n".join([f"{len(lines)} faults in the settings:", *(f"- {line}" for line in lines)])
    )
