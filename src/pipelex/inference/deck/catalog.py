"""The catalog: every backend with its models, and the routing profile that decides which backend serves a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelex.config.toml_files import Keys, TomlFile
from pipelex.config.trust import Demand
from pipelex.config.trust.backends import PACKAGED
from pipelex.errors import Fault, Location
from pipelex.inference.deck.needs import missing_keys
from pipelex.inference.deck.schema import (
    BackendTable,
    ListedConstraint,
    ModelTable,
    RoutingProfile,
    ValuedConstraints,
)
from pipelex.inference.families import FAMILY_OF, ModelType
from pipelex.inference.providers import is_callable

DEFAULTS = PACKAGED
"""The directory of the packaged files, which every other directory overrides."""

INTERNAL = "internal"
"""The backend of models that run as local software; it serves them whatever the routing profile says."""


@dataclass(frozen=True)
class ModelEntry:
    """One model as one backend serves it."""

    handle: str
    backend: str
    table: ModelTable = field(repr=False)
    listed_constraints: frozenset[ListedConstraint]
    valued_constraints: ValuedConstraints
    missing: tuple[str, ...] = ()
    """The environment variables that its table names and that are not set."""

    @property
    def is_callable(self) -> bool:
        """Whether the client for its `sdk` is installed."""
        return is_callable(FAMILY_OF[self.table.model_type], self.table.sdk)

    @property
    def model_id(self) -> str:
        """The provider's own name for the model; the handle if its table has none."""
        return self.table.model_id or self.handle


@dataclass(frozen=True)
class Backend:
    """A service that models are reached through: one table of `backends.toml`, and the file of its models."""

    id: str
    table: BackendTable = field(repr=False)
    models: tuple[ModelEntry, ...] = ()
    missing: tuple[str, ...] = ()
    """The environment variables that its table names and that are not set; if there are any, it cannot be called."""
    variables: tuple[str, ...] = ()
    """The environment variables that its API key is made from."""
    is_own: bool = False
    """Whether a file of the user or the project declares it, or lists models for it."""
    lacks_trust: bool = False
    """Whether settings of it are withheld because a file of the project is not trusted. If so, it is not called."""
    is_refused: bool = False
    """Whether it is never called, because a file of the project puts environment variables into its address."""
    endpoint_origin: str | None = None
    """The environment variable that its address comes from; None when the address comes from a file."""
    sources: tuple[tuple[TomlFile, Keys], ...] = field(default=(), repr=False)
    """The user's and the project's files that contribute to its table, highest priority first."""
    models_file: Path | None = None
    """The user's or the project's file of its models; None if they have none, and at most the packaged one is used."""

    @property
    def origins(self) -> tuple[Location, ...]:
        """The locations of its table in `sources`."""
        return tuple(file.location(keys) for file, keys in self.sources)

    @property
    def extra(self) -> Mapping[str, Any]:
        """The keys of its table that are meant for its client."""
        return self.table.model_extra or {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be shown: its API key, and the secrets in its tables and headers."""
        headers = [text for model in self.models for text in secret_texts(model.table.headers)]
        texts = [self.table.api_key or "", *secret_texts(self.extra), *secret_texts(self.table.headers), *headers]
        return tuple(dict.fromkeys(text for text in texts if text))

    @property
    def lacks(self) -> tuple[str, ...]:
        """What it lacks to be called, in words for messages; empty when it can be called."""
        found = [f"{name} in the environment" for name in self.missing]
        if self.lacks_trust:
            found.append("its project to be trusted (pipelex trust)")
        if self.is_refused:
            found.append("an address without variables")
        sdks = {model.table.sdk for model in self.models if model.table.enabled}
        found += (f"{key!r} in backends.toml" for key in missing_keys(sdks, self.table))
        return tuple(dict.fromkeys(found))

    @property
    def awaited(self) -> tuple[str, ...]:
        """The variables that keep a backend of the user's own files from being called; empty if other reasons do."""
        return self.missing if self.is_own and self.table.enabled else ()

    @property
    def is_ready(self) -> bool:
        return self.table.enabled and not self.lacks

    def find(self, handle: str, model_type: ModelType, *, is_elsewhere: bool = False) -> ModelEntry | None:
        """The first enabled model with this handle whose client is installed, else the first enabled one.

        Args:
            handle: the model's handle.
            model_type: the model's type.
            is_elsewhere: whether another process calls the model, so that the clients installed here do not matter.
        """
        found = [
            model
            for model in self.models
            if model.handle == handle and model.table.model_type == model_type and model.table.enabled
        ]
        callable_here = (model for model in found if is_elsewhere or model.is_callable)
        return next(callable_here, found[0] if found else None)


@dataclass(frozen=True)
class Catalog:
    """Every backend, and the routing profile in force."""

    backends: Mapping[str, Backend]
    profile_name: str
    profile: RoutingProfile
    is_packaged_routing: bool = False
    """Whether the routing profile is packaged. If so, the user's own backends come before its fallback order."""
    elsewhere: bool | frozenset[str] = False
    """The backends that another process calls, with the keys and clients it has; True for all backends."""
    warnings: tuple[Fault, ...] = field(default=(), repr=False)
    """Warnings about entries of the files that are not understood and therefore have no effect."""
    withheld: tuple[Demand, ...] = field(default=(), repr=False)
    """The settings of the project's files that have no effect until the files are trusted."""
    files: tuple[Path, ...] = ()
    """The files that were read, without the packaged ones."""

    @cached_property
    def _handles(self) -> Mapping[ModelType, frozenset[str]]:
        found: dict[ModelType, set[str]] = {}
        for backend in self.backends.values():
            for model in backend.models:
                found.setdefault(model.table.model_type, set()).add(model.handle)
        return {kind: frozenset(handles) for kind, handles in found.items()}

    def handles(self, model_type: ModelType) -> frozenset[str]:
        """Every handle that a backend declares, enabled or not."""
        return self._handles.get(model_type, frozenset())

    def entry(self, backend: str, handle: str, model_type: ModelType) -> ModelEntry | None:
        """The model as one backend serves it; None if the backend is not enabled or does not serve the model."""
        found = self.backends.get(backend)
        if found is None or not found.table.enabled:
            return None
        return found.find(handle, model_type, is_elsewhere=self.is_elsewhere(backend))

    def is_elsewhere(self, backend: str) -> bool:
        """Whether another process calls the backend, so that missing keys and clients do not matter here."""
        return self.elsewhere if isinstance(self.elsewhere, bool) else backend in self.elsewhere

    def route(self, handle: str, model_type: ModelType) -> ModelEntry | None:
        """The entry of the backend that the routing profile picks for a handle; None when no backend serves it.

        An explicit route leaves only its backend and the internal one. Of the candidates that serve the model, the
        first ready one is picked. If none is ready, it is the first one, and the call fails.
        """
        return next(iter(self.routes(handle, model_type)), None)

    def routes(self, handle: str, model_type: ModelType) -> list[ModelEntry]:
        """The entries of all backends that serve a handle, the ready ones first, otherwise in the profile's order."""
        explicit = self._explicit(handle)
        candidates = [explicit] if explicit is not None else self._candidates()
        if INTERNAL not in candidates:
            candidates.append(INTERNAL)
        served = [entry for name in candidates if (entry := self.entry(name, handle, model_type)) is not None]
        return sorted(served, key=lambda entry: not self.is_ready(entry))

    def is_ready(self, entry: ModelEntry) -> bool:
        """Whether the entry can be called: its credentials and client are here, or another process calls it."""
        if self.is_elsewhere(entry.backend):
            return self.backends[entry.backend].table.enabled
        return self.backends[entry.backend].is_ready and not entry.missing and entry.is_callable

    def missing(self, entry: ModelEntry) -> tuple[str, ...]:
        """The environment variables that an entry and its backend need and that are not set."""
        return (*self.backends[entry.backend].missing, *entry.missing)

    def lacks(self, entry: ModelEntry) -> tuple[str, ...]:
        """What an entry lacks to be called, in words for messages, for example `OPENAI_API_KEY in the environment`."""
        return (*self.backends[entry.backend].lacks, *(f"{name} in the environment" for name in entry.missing))

    def standard_entry(self, model_type: ModelType) -> tuple[ModelEntry | None, bool]:
        """The model that replaces models which cannot be called, and whether it replaces all others as well.

        It is the first ready model of the user's backend with `is_default`, and then it replaces all others. If there
        is none, it is the first ready model of any of the user's own backends.
        """
        ready = [
            (backend, entry)
            for backend in self.backends.values()
            if backend.is_own and backend.table.enabled
            for entry in sorted(backend.models, key=lambda entry: entry.handle not in backend.table.models[:1])
            if entry.table.model_type == model_type and entry.table.enabled and self.is_ready(entry)
        ]
        chosen = next((entry for backend, entry in ready if backend.table.is_default), None)
        if chosen is not None:
            return chosen, True
        return next((entry for _, entry in ready), None), False

    def _candidates(self) -> list[str]:
        first = [self.profile.default] if self.profile.default is not None else []
        own = [name for name, backend in self.backends.items() if backend.is_own]
        order = self.profile.fallback_order
        rest = [*own, *order] if self.is_packaged_routing else [*order, *own]
        return list(dict.fromkeys([*first, *rest]))

    def _explicit(self, handle: str) -> str | None:
        optional = {pattern: name for pattern, name in self.profile.optional_routes.items() if self._is_enabled(name)}
        routes = {**optional, **self.profile.routes}
        if handle in routes:
            return routes[handle]
        ordered = [*self.profile.routes.items(), *optional.items()]
        return next((name for pattern, name in ordered if "*" in pattern and fnmatchcase(handle, pattern)), None)

    def _is_enabled(self, name: str) -> bool:
        found = self.backends.get(name)
        return found is not None and found.table.enabled


def secret_texts(table: Mapping[str, Any]) -> list[str]:
    """The values in a table, or in headers, whose names say that they are secrets."""
    return [value for name, value in table.items() if is_secret_name(name) and isinstance(value, str)]


def is_secret_name(name: str) -> bool:
    """Whether the name of a table's key, or of a header, says that its value is a secret."""
    return any(word in name.lower() for word in ("key", "secret", "token", "password", "auth"))
