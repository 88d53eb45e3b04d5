"""The catalog: every backend with the models it serves, and the routing profile that says who serves which."""

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
"""The packaged files, which stand below every other directory."""

INTERNAL = "internal"
"""The backend that is software only; it serves its models whatever the routing."""


@dataclass(frozen=True)
class ModelEntry:
    """One model as one backend serves it."""

    handle: str
    backend: str
    table: ModelTable = field(repr=False)
    listed_constraints: frozenset[ListedConstraint]
    valued_constraints: ValuedConstraints
    missing: tuple[str, ...] = ()
    """Environment variables its table names and that are not set."""

    @property
    def is_callable(self) -> bool:
        """Whether what speaks its `sdk` is installed."""
        return is_callable(FAMILY_OF[self.table.model_type], self.table.sdk)

    @property
    def model_id(self) -> str:
        """The provider's own name of the model."""
        return self.table.model_id or self.handle


@dataclass(frozen=True)
class Backend:
    """A way to reach models: one table of `backends.toml` and the file of the models it serves."""

    id: str
    table: BackendTable = field(repr=False)
    models: tuple[ModelEntry, ...] = ()
    missing: tuple[str, ...] = ()
    """Environment variables its table names and that are not set: it fails when it is used."""
    variables: tuple[str, ...] = ()
    """Environment variables its API key is made of."""
    is_own: bool = False
    """Whether a file of the user's or of the project's declares it, or lists models for it."""
    lacks_trust: bool = False
    """Whether a file of the project declares it, which is not trusted: it is not called."""
    is_refused: bool = False
    """Whether it is never called, for what its address holds."""
    endpoint_origin: str | None = None
    """The environment variable that says where it is; None where a file does."""
    sources: tuple[tuple[TomlFile, Keys], ...] = field(default=(), repr=False)
    """The user's and the project's files that write its table, the one that wins first; nothing for a packaged one."""
    models_file: Path | None = None
    """The user's or the project's file of its models; None where it is the packaged one, or there is none."""

    @property
    def origins(self) -> tuple[Location, ...]:
        """The places where its table is written; see `sources`."""
        return tuple(file.location(keys) for file, keys in self.sources)

    @property
    def extra(self) -> Mapping[str, Any]:
        """The keys of its table that belong to its client."""
        return self.table.model_extra or {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown: its key, and whatever else its tables and headers hold in secret."""
        headers = [text for model in self.models for text in secret_texts(model.table.headers)]
        texts = [self.table.api_key or "", *secret_texts(self.extra), *secret_texts(self.table.headers), *headers]
        return tuple(dict.fromkeys(text for text in texts if text))

    @property
    def lacks(self) -> tuple[str, ...]:
        """The reason why it cannot be called, for people; empty when it can be."""
        found = [f"{name} in the environment" for name in self.missing]
        if self.lacks_trust:
            found.append("its project to be trusted (pipelex trust)")
        if self.is_refused:
            found.append("an address without variables")
        sdks = {model.table.sdk for model in self.models if model.table.enabled}
        found += (f"{key!r} in backends.toml" for key in missing_keys(sdks, self.table))
        return tuple(dict.fromkeys(found))

    @property
    def is_ready(self) -> bool:
        return self.table.enabled and not self.lacks

    def find(self, handle: str, model_type: ModelType, *, is_elsewhere: bool = False) -> ModelEntry | None:
        """The first enabled model with this handle whose client is installed, else the first enabled one.

        Args:
            handle: the model's handle.
            model_type: its type.
            is_elsewhere: another process calls the model, so what is installed here says nothing.
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
    """Whether the routing profile is the package's: the user's own backends come before its order then."""
    elsewhere: bool | frozenset[str] = False
    """Backends that another process calls, which has what they need: True for all of them."""
    warnings: tuple[Fault, ...] = field(default=(), repr=False)
    """Warnings about entries of the files that are not understood and have no effect."""
    withheld: tuple[Demand, ...] = field(default=(), repr=False)
    """The settings of the project's files that are withheld until they are trusted."""
    files: tuple[Path, ...] = ()
    """The files in force, without the packaged ones."""

    @cached_property
    def _handles(self) -> Mapping[ModelType, frozenset[str]]:
        found: dict[ModelType, set[str]] = {}
        for backend in self.backends.values():
            for model in backend.models:
                found.setdefault(model.table.model_type, set()).add(model.handle)
        return {kind: frozenset(handles) for kind, handles in found.items()}

    def handles(self, model_type: ModelType) -> frozenset[str]:
        """Every handle some backend declares, enabled or not."""
        return self._handles.get(model_type, frozenset())

    def entry(self, backend: str, handle: str, model_type: ModelType) -> ModelEntry | None:
        """The model as one backend serves it."""
        found = self.backends.get(backend)
        if found is None or not found.table.enabled:
            return None
        return found.find(handle, model_type, is_elsewhere=self.is_elsewhere(backend))

    def is_elsewhere(self, backend: str) -> bool:
        """Whether another process calls the backend, so that what this one lacks does not matter."""
        return self.elsewhere if isinstance(self.elsewhere, bool) else backend in self.elsewhere

    def route(self, handle: str, model_type: ModelType) -> ModelEntry | None:
        """The backend that serves a handle, by the routing profile.

        An explicit route is binding. Of the other candidates, the first one that serves the model and is ready; when
        none is, the first one that serves it, which then fails when it is used.
        """
        return next(iter(self.routes(handle, model_type)), None)

    def routes(self, handle: str, model_type: ModelType) -> list[ModelEntry]:
        """Every backend that serves a handle, the ready ones first, otherwise in the order of the routing profile."""
        explicit = self._explicit(handle)
        candidates = [explicit] if explicit is not None else self._candidates()
        if INTERNAL not in candidates:
            candidates.append(INTERNAL)
        served = [entry for name in candidates if (entry := self.entry(name, handle, model_type)) is not None]
        return sorted(served, key=lambda entry: not self.is_ready(entry))

    def is_ready(self, entry: ModelEntry) -> bool:
        """Whether the entry can be called: its credentials and its client are here, or it is called elsewhere."""
        if self.is_elsewhere(entry.backend):
            return self.backends[entry.backend].table.enabled
        return self.backends[entry.backend].is_ready and not entry.missing and entry.is_callable

    def missing(self, entry: ModelEntry) -> tuple[str, ...]:
        """The environment variables an entry lacks."""
        return (*self.backends[entry.backend].missing, *entry.missing)

    def lacks(self, entry: ModelEntry) -> tuple[str, ...]:
        """The reason why an entry cannot be called, for people: `OPENAI_API_KEY in the environment`."""
        return (*self.backends[entry.backend].lacks, *(f"{name} in the environment" for name in entry.missing))

    def standard_entry(self, model_type: ModelType) -> tuple[ModelEntry | None, bool]:
        """The model that stands for names whose own models cannot be called, and whether it does for all others, too.

        It is the first model of the user's own backend that says `is_default`, else of their first one that is ready.
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
    """The values of a table, or of headers, that are secrets by their names."""
    return [value for name, value in table.items() if is_secret_name(name) and isinstance(value, str)]


def is_secret_name(name: str) -> bool:
    """Whether a key of a backend's table, or a header, holds a secret by its name."""
    return any(word in name.lower() for word in ("key", "secret", "token", "password", "auth"))
