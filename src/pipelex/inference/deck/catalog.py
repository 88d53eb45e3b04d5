"""The catalog: every backend with the models it serves, and the routing profile that says who serves which."""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from pipelex.config._interpolation import interpolate
from pipelex.errors import ConfigurationError, near_names
from pipelex.errors.hidden import hide
from pipelex.inference.deck.files import Table, TomlFile, parse
from pipelex.inference.deck.schema import (
    BackendTable,
    ListedConstraint,
    ModelTable,
    RoutingFile,
    RoutingProfile,
    ValuedConstraints,
)
from pipelex.inference.families import FAMILY_OF, ModelType
from pipelex.inference.providers import is_callable

DEFAULTS = Path(__file__).parents[1] / "defaults"
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

    @property
    def extra(self) -> Mapping[str, Any]:
        """The keys of its table that belong to its client."""
        return self.table.model_extra or {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown: its key, and whatever else its tables and headers hold in secret."""
        headers = [text for model in self.models for text in _of_table(model.table.headers)]
        texts = [self.table.api_key or "", *_of_table(self.extra), *headers]
        return tuple(dict.fromkeys(text for text in texts if text))

    @property
    def is_ready(self) -> bool:
        return self.table.enabled and not self.missing

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
    extra_candidates: tuple[str, ...] = field(default=())
    """Backends tried before the profile's fallback order: the user's own, under the packaged profile."""
    elsewhere: bool | frozenset[str] = False
    """Backends that another process calls, which has what they need: True for all of them."""

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

    def _candidates(self) -> list[str]:
        first = [self.profile.default] if self.profile.default is not None else []
        return list(dict.fromkeys([*first, *self.extra_candidates, *self.profile.fallback_order]))

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


def load_catalog(
    dirs: Sequence[Path], environ: Mapping[str, str], elsewhere: bool | Collection[str] = False
) -> Catalog:
    """Read backends, their models and the routing profile.

    Args:
        dirs: `inference` directories, the one that wins first; the packaged files stand below them. A file is taken
            whole from the first directory that has it.
        environ: the environment variables for `${NAME}`.
        elsewhere: backends that another process calls; True for all of them.

    Raises:
        ConfigurationError: a file is wrong, or `elsewhere` names a backend that there is not.
    """
    stack = [*dirs, DEFAULTS]
    file = TomlFile.read(_first(stack, "backends.toml"))
    tables: Table = {INTERNAL: {}, **file.data}
    backends = {name: _backend(name, table, file, stack, environ) for name, table in tables.items()}
    routing_path = _first(stack, "routing_profiles.toml")
    own: tuple[str, ...] = ()
    if routing_path.parent == DEFAULTS:
        shipped = TomlFile.read(DEFAULTS / "backends.toml").data
        own = tuple(name for name in backends if name not in shipped)
    profile_name, profile = _active_profile(TomlFile.read(routing_path), backends)
    if not isinstance(elsewhere, bool):
        for name in elsewhere:
            _check_elsewhere(name, backends)
        elsewhere = frozenset(elsewhere)
    return Catalog(backends, profile_name, profile, own, elsewhere)


def _check_elsewhere(name: str, backends: Mapping[str, Backend]) -> None:
    if name not in backends:
        near = near_names(name, backends)
        raise ConfigurationError(
            f"'inference.credentials_elsewhere' names {name!r}, but no backend is called so",
            advice=f"Did you mean {near[0]!r}?" if near else "Name a table of backends.toml.",
        )


def _first(stack: Iterable[Path], name: str) -> Path:
    return next((path for directory in stack if (path := directory / name).is_file()), DEFAULTS / name)


def _backend(name: str, table: Any, file: TomlFile, stack: Sequence[Path], environ: Mapping[str, str]) -> Backend:
    if not isinstance(table, dict):
        raise file.fault(f"{name!r} must be a table: one for each backend", (name,))
    filled, missing = _filled(cast("Table", table), environ)
    settings = parse(BackendTable, filled, [(file, (name,))])
    written = cast("Table", table).get("api_key")
    variables = interpolate(written, {}).used if isinstance(written, str) else ()
    if _is_blank(settings.api_key):
        missing = tuple(dict.fromkeys([*missing, *variables]))
        settings = settings.model_copy(update={"api_key": None})
    hide([settings.api_key, *_of_address(settings.endpoint), *_of_table(settings.model_extra or {})])
    path = _first(stack, f"backends/{name}.toml")
    models = _models(name, settings, TomlFile.read(path), environ) if path.is_file() else ()
    return Backend(name, settings, models, missing, variables)


def _of_address(endpoint: str | None) -> tuple[str, ...]:
    """The password in an address, and the credentials as they are sent."""
    try:
        parts = urlsplit(endpoint or "")
    except ValueError:
        return ()
    if not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    return parts.password, password, base64.b64encode(f"{user}:{password}".encode()).decode()


def _of_table(table: Mapping[str, Any]) -> list[str]:
    return [value for name, value in table.items() if is_secret_name(name) and isinstance(value, str)]


def is_secret_name(name: str) -> bool:
    """Whether a key of a backend's table, or a header, holds a secret by its name."""
    return any(word in name.lower() for word in ("key", "secret", "token", "password", "auth"))


def _is_blank(text: str | None) -> bool:
    return text is not None and (not text.strip() or "${" in text)


def _filled(value: Table, environ: Mapping[str, str]) -> tuple[Table, tuple[str, ...]]:
    """The table with `${NAME}` replaced in its strings, and the names that are not set."""
    missing: dict[str, None] = {}

    def fill(item: Any) -> Any:
        if isinstance(item, str) and "${" in item:
            found = interpolate(item, environ)
            missing.update(dict.fromkeys(found.unset))
            return found.text
        if isinstance(item, dict):
            return {key: fill(inner) for key, inner in cast("Table", item).items()}
        if isinstance(item, list):
            return [fill(inner) for inner in cast("list[Any]", item)]
        return item

    return fill(value), tuple(missing)


def _models(backend: str, settings: BackendTable, file: TomlFile, environ: Mapping[str, str]) -> tuple[ModelEntry, ...]:
    defaults = file.data.get("defaults", {})
    if not isinstance(defaults, dict):
        raise file.fault("'defaults' must be a table", ("defaults",))
    found: list[ModelEntry] = []
    seen: dict[tuple[str, str, str | None], str] = {}
    for name, table in file.data.items():
        if name == "defaults":
            continue
        if not isinstance(table, dict):
            raise file.fault(f"{name!r} must be a table: one for each model", (name,))
        filled, missing = _filled({**defaults, **cast("Table", table)}, environ)
        model = parse(ModelTable, filled, [(file, (name,)), (file, ("defaults",))])
        hide(_of_table(model.headers))
        handle = model.handle or name
        key = (handle, model.model_type, model.variant)
        if key in seen:
            other = seen[key]
            advice = "give one of the two a 'variant'"
            raise file.fault(f"{name!r} and {other!r} both have the handle {handle!r}", (name,), advice=advice)
        seen[key] = name
        found.append(
            ModelEntry(
                handle,
                backend,
                model,
                frozenset([*settings.listed_constraints, *model.listed_constraints]),
                settings.valued_constraints.model_copy(update=model.valued_constraints.model_dump(exclude_unset=True)),
                missing,
            )
        )
    return tuple(found)


def _active_profile(file: TomlFile, backends: Mapping[str, Backend]) -> tuple[str, RoutingProfile]:
    routing = parse(RoutingFile, file.data, [(file, ())])
    profile = routing.profiles.get(routing.active)
    if profile is None:
        near = near_names(routing.active, routing.profiles)
        advice = f"did you mean {near[0]!r}?" if near else f"declare [profiles.{routing.active}]"
        raise file.fault(f"the active profile {routing.active!r} is not declared", ("active",), advice=advice)
    base = ("profiles", routing.active)
    for pattern, name in profile.routes.items():
        _check_pattern(file, pattern, (*base, "routes", pattern))
        _check_backend(file, name, backends, (*base, "routes", pattern))
        if not backends[name].table.enabled:
            raise file.fault(
                f"the route {pattern!r} leads to the backend {name!r}, which is not enabled",
                (*base, "routes", pattern),
                advice=f"enable {name!r} in backends.toml, or move the route to 'optional_routes'",
            )
    shipped = {path.stem for path in (DEFAULTS / "backends").glob("*.toml")}
    for pattern, name in profile.optional_routes.items():
        _check_pattern(file, pattern, (*base, "optional_routes", pattern))
        if name not in shipped:
            _check_backend(file, name, backends, (*base, "optional_routes", pattern))
    if profile.default is not None:
        _check_backend(file, profile.default, backends, (*base, "default"))
    for index, name in enumerate(profile.fallback_order):
        if name not in shipped:  # a project may have dropped a shipped backend from its backends.toml
            _check_backend(file, name, backends, (*base, "fallback_order", index))
    return routing.active, profile


def _check_backend(file: TomlFile, name: str, backends: Mapping[str, Backend], place: tuple[str | int, ...]) -> None:
    if name not in backends:
        near = near_names(name, backends)
        advice = f"did you mean {near[0]!r}?" if near else f"declare [{name}] in backends.toml"
        raise file.fault(f"no backend is called {name!r}", place, advice=advice)


def _check_pattern(file: TomlFile, pattern: str, place: tuple[str | int, ...]) -> None:
    inner = pattern.removeprefix("*").removesuffix("*")
    if "*" in inner or "?" in pattern or "[" in pattern:
        detail = f"{pattern!r} is not a pattern of model names"
        raise file.fault(detail, place, advice="write an exact name, 'prefix-*' or '*-suffix'")
