"""The facts about each packaged backend, from the files that come with the package and the table of providers."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from pipelex.inference.families import FAMILY_OF
from pipelex.inference.providers import BUILT_IN
from pipelex.language.blueprints import ModelFamily

_FOLDER: Final = files("pipelex.inference").joinpath("defaults")
_VARIABLE: Final = re.compile(r"\$\{([A-Z0-9_]+)(:-[^}]*)?\}")


@dataclass(frozen=True)
class Variable:
    """An environment variable that a backend reads."""

    name: str
    key: str
    """The key of `backends.toml` that it fills."""
    is_needed: bool
    """Whether the backend is skipped without it."""


@dataclass(frozen=True)
class Model:
    """A model of a backend, as its file declares it."""

    name: str
    family: ModelFamily
    sdk: str
    inputs: tuple[str, ...]
    is_stand_in: bool
    """Whether it is reached by another client where that of the model of this handle is not installed."""

    @property
    def extra(self) -> str | None:
        """The extra that installs its client; None when the client needs none."""
        return next((each.extra for each in BUILT_IN if (each.family, each.sdk) == (self.family, self.sdk)), None)

    @property
    def has_client(self) -> bool:
        """Whether this release has a client for it."""
        return any((each.family, each.sdk) == (self.family, self.sdk) for each in BUILT_IN)


@dataclass(frozen=True)
class BackendFacts:
    """A packaged backend."""

    id: str
    table: Mapping[str, Any]
    models: tuple[Model, ...]

    @property
    def title(self) -> str:
        """The name that readers see."""
        return str(self.table.get("display_name", self.id))

    @property
    def is_enabled(self) -> bool:
        """Whether it is enabled without any settings of the user."""
        return bool(self.table.get("enabled", True))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that its table names, in order."""
        found = [(key, match) for key, value in self.table.items() for match in _VARIABLE.finditer(str(value))]
        return tuple(Variable(match[1], key, match[2] is None) for key, match in found)

    @property
    def address_variables(self) -> tuple[str, ...]:
        """The variables that move it to another address."""
        return tuple(self.table.get("endpoint_variables", {}))

    @property
    def families(self) -> tuple[ModelFamily, ...]:
        """The families of its models, in the order of the file."""
        return tuple(dict.fromkeys(model.family for model in self.models))

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras of its models' clients."""
        return tuple(dict.fromkeys(model.extra for model in self.models if model.extra))

    @property
    def has_stand_ins(self) -> bool:
        """Whether some of its models can also be reached without the extra."""
        return any(model.is_stand_in for model in self.models)

    @property
    def other_client(self) -> str | None:
        """The extra of the maker's own client, if the packaged models do not use that client; else None."""
        used = {model.sdk for model in self.models}
        return next(
            (each.extra for each in BUILT_IN if each.extra and each.sdk == self.id and self.id not in used), None
        )

    def first(self, family: ModelFamily) -> str:
        """The first model of a family in the backend's file."""
        return next(model.name for model in self.models if model.family == family)


@cache
def backends() -> Mapping[str, BackendFacts]:
    """Every packaged backend by its id."""
    return {name: BackendFacts(name, table, _models(name)) for name, table in _read("backends.toml").items()}


def profile(name: str) -> str | None:
    """A packaged routing profile as the text of a file of its own; None when no profile has that name."""
    table = _read("routing_profiles.toml")["profiles"].get(name)
    return None if table is None else f'active = "{name}"\n\n{_as_toml(f"profiles.{name}", table)}'


def defaults(backend: str) -> str:
    """The `[defaults]` of a backend's packaged file of models, as TOML."""
    return _as_toml("defaults", _read("backends", f"{backend}.toml")["defaults"])


def _as_toml(name: str, table: Mapping[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join([f"[{name}]", *lines])


def _models(backend: str) -> tuple[Model, ...]:
    if not _FOLDER.joinpath("backends", f"{backend}.toml").is_file():
        return ()
    tables = _read("backends", f"{backend}.toml")
    defaults = tables.pop("defaults", {})
    return tuple(_model(name, {**defaults, **table}) for name, table in tables.items())


def _model(name: str, table: Mapping[str, Any]) -> Model:
    family = FAMILY_OF[table.get("model_type", "llm")]
    return Model(name, family, str(table.get("sdk", "openai")), tuple(table.get("inputs", ())), "variant" in table)


def _read(*place: str) -> dict[str, Any]:
    return tomllib.loads(_FOLDER.joinpath(*place).read_text(encoding="utf-8"))
