"""Loading the catalog of backends and models from the files under `.pipelex/inference/`."""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import unquote, urlsplit

from pipelex.config._interpolation import interpolate
from pipelex.config.toml_files import Keys, Table, TomlFile
from pipelex.config.trust import Demand, Trust
from pipelex.config.trust.backends import (
    BACKENDS_FILE,
    BackendLayers,
    MergedBackends,
    first_file,
    merge_backends,
    withheld_models,
)
from pipelex.errors import ConfigurationError, Fault, near_names
from pipelex.errors.hidden import hide
from pipelex.inference.deck.catalog import DEFAULTS, INTERNAL, Backend, Catalog, ModelEntry, secret_texts
from pipelex.inference.deck.endpoints import endpoint_of
from pipelex.inference.deck.files import is_slip, parse, read_file, without_effect
from pipelex.inference.deck.needs import is_unversioned
from pipelex.inference.deck.routing import ROUTING_FILE, active_routing
from pipelex.inference.deck.schema import BackendTable, ModelTable
from pipelex.inference.families import ModelType

_Served = tuple[str, str, str | None]
"""The key of a model within its backend: handle, type and variant."""

_LISTED_MODEL: Table = {
    "sdk": "openai",
    "structure_method": "instructor/json_schema",
    "inputs": ["text", "images"],
}
"""The settings of a model that its backend lists only by name, unless the backend's file has defaults."""


def load_catalog(
    dirs: Sequence[Path],
    environ: Mapping[str, str],
    elsewhere: bool | Collection[str] = False,
    *,
    trust: Trust | None = None,
) -> Catalog:
    """Read the backends, their models and the routing profile.

    Args:
        dirs: `inference` directories, highest priority first; they override the packaged files. The tables of
            `backends.toml` are merged key by key, and routing profiles by name. Any other file is taken whole from the
            first directory that has it.
        environ: the environment variables for `${NAME}`.
        elsewhere: the backends that another process calls; True for all of them.
        trust: the record of trusted files; everything is trusted when None.

    Raises:
        ConfigurationError: a file is not valid, or `elsewhere` names a backend that does not exist.
    """
    reading = _FilesRead([*dirs, DEFAULTS], environ, trust)
    merged = reading.merged()
    backends = {name: reading.backend(layers) for name, layers in merged.tables.items()}
    routing = active_routing(reading.stack, backends, reading.warnings)
    for directory in dirs:
        models = sorted(directory.glob("backends/*.toml"))
        reading.warnings += without_effect([directory / BACKENDS_FILE, directory / ROUTING_FILE, *models])
    if not isinstance(elsewhere, bool):
        for name in elsewhere:
            _check_elsewhere(name, backends)
        elsewhere = frozenset(elsewhere)
    return Catalog(
        backends,
        routing.name,
        routing.profile,
        is_packaged_routing=routing.is_packaged,
        elsewhere=elsewhere,
        warnings=tuple({fault.detail: fault for fault in reading.warnings}.values()),
        withheld=(*merged.withheld, *reading.withheld),
        files=(
            *reading.files,
            *routing.own_files,
            *(one.models_file for one in backends.values() if one.models_file is not None),
        ),
    )


@dataclass
class _FilesRead:
    """One pass over the files, which collects warnings and withheld settings."""

    stack: list[Path]
    environ: Mapping[str, str] = field(repr=False)
    trust: Trust | None
    warnings: list[Fault] = field(default_factory=list[Fault])
    withheld: list[Demand] = field(default_factory=list[Demand])

    def merged(self) -> MergedBackends:
        *own, packaged = [read_file(path) for one in self.stack if (path := one / BACKENDS_FILE).is_file()]
        return merge_backends([*reversed(own)], packaged, self.trust)

    def backend(self, layers: BackendLayers) -> Backend:
        filled, missing = _filled(layers.data, self.environ)
        settings = self._table(layers, filled)
        written = layers.data.get("api_key")
        variables = interpolate(written, {}).used if isinstance(written, str) else ()
        if _is_blank(settings.api_key):
            missing = tuple(dict.fromkeys([*missing, *variables]))
            settings = settings.model_copy(update={"api_key": None})
        endpoint, origin = endpoint_of(settings, self.environ)
        if origin is not None:
            missing = tuple(
                name for name in missing if name not in interpolate(str(layers.data.get("endpoint")), {}).used
            )
        if is_unversioned(endpoint):
            missing = tuple(
                name for name in missing if name not in interpolate(str(layers.data.get("api_version")), {}).used
            )
        settings = settings.model_copy(update={"endpoint": endpoint, "ca_bundle": _ca_bundle(layers, settings)})
        hide(
            [
                settings.api_key,
                *_of_address(endpoint),
                *secret_texts(settings.model_extra or {}),
                *secret_texts(settings.headers),
            ]
        )
        if layers.refusal is not None:
            self.warnings.append(layers.refusal)
        return Backend(
            layers.name,
            settings,
            self._models(layers, settings),
            missing,
            variables,
            is_own=layers.is_own,
            lacks_trust=layers.lacks_trust,
            is_refused=layers.refusal is not None,
            endpoint_origin=origin,
            sources=tuple(each for each in layers.sources if each[0].path.parent != DEFAULTS),
            models_file=self._own_file(f"backends/{layers.name}.toml"),
        )

    def _own_file(self, name: str) -> Path | None:
        """The file of that name in the user's or the project's directories; None if they have none."""
        return first_file(self.stack[:-1], name)

    @property
    def files(self) -> list[Path]:
        """The `backends.toml` files that were read, highest priority first, without the packaged one."""
        return [path for folder in self.stack[:-1] if (path := folder / BACKENDS_FILE).is_file()]

    def _table(self, layers: BackendLayers, filled: Table) -> BackendTable:
        try:
            return parse(BackendTable, filled, layers.sources, self.warnings)
        except ConfigurationError as wrong:
            if filled.get("enabled") is not False:
                raise
            self._pass_over(wrong)
            return BackendTable(enabled=False)

    def _pass_over(self, wrong: ConfigurationError, what: str = "the backend") -> None:
        """Warn about a fault in something that is not enabled, instead of failing: it is never called."""
        detail = f"{wrong.report.detail}; it has no effect, because {what} is not enabled"
        self.warnings.append(Fault(wrong.code, detail, location=wrong.report.location, severity="warning"))

    def _models(self, layers: BackendLayers, settings: BackendTable) -> tuple[ModelEntry, ...]:
        path = _first(self.stack, f"backends/{layers.name}.toml")
        try:
            file = read_file(path) if path.is_file() else None
            return self._read_models(layers, settings, file)
        except ConfigurationError as wrong:
            if settings.enabled:
                raise
            self._pass_over(wrong)
            return ()

    def _read_models(
        self, layers: BackendLayers, settings: BackendTable, file: TomlFile | None
    ) -> tuple[ModelEntry, ...]:
        found: dict[_Served, tuple[str, ModelEntry]] = {}
        if file is not None:
            file, demands = withheld_models(file, self.trust, layers)
            self.withheld += demands if settings.enabled else ()
            found = self._models_of(file, layers.name, settings)
        if layers.name == INTERNAL and file is not None and file.path.parents[1] != DEFAULTS:
            # These models are part of this package, and a file from another release may not list all of them.
            packaged = read_file(DEFAULTS / "backends" / f"{INTERNAL}.toml")
            found = {**self._models_of(packaged, layers.name, settings), **found}
        for name, entry in self._listed_models(layers, settings, file).items():
            if not any(known.handle == name and known.table.model_type == "llm" for _, known in found.values()):
                found[(name, "llm", None)] = (name, entry)
        return tuple(entry for _, entry in found.values())

    def _models_of(self, file: TomlFile, backend: str, settings: BackendTable) -> dict[_Served, tuple[str, ModelEntry]]:
        """The models in a backend's file, each with the name of its table."""
        found: dict[_Served, tuple[str, ModelEntry]] = {}
        defaults = _defaults_of(file)
        for name, table in file.data.items():
            if name == "defaults":
                continue
            if not isinstance(table, dict):
                raise file.fault(f"{name!r} must be a table: one for each model", (name,))
            whole = self._completed(file, backend, settings, name, {**defaults, **cast("Table", table)})
            entry = None if whole is None else self._entry_of(file, backend, settings, name, whole)
            if entry is None:
                continue
            key = (entry.handle, entry.table.model_type, entry.table.variant)
            if key in found:
                other = found[key][0]
                advice = "give one of the two a 'variant'"
                detail = f"{name!r} and {other!r} both have the handle {entry.handle!r}"
                raise file.fault(detail, (name,), advice=advice)
            found[key] = (name, entry)
        return found

    def _completed(self, file: TomlFile, backend: str, settings: BackendTable, name: str, table: Table) -> Table | None:
        """The table of a model that names no client, over that of the packaged file or over the backend's own client.

        Returns:
            The table; None, with a warning, if no client is known for the model.
        """
        if "sdk" in table or table.get("enabled") is False or not settings.enabled:
            return table
        path = DEFAULTS / "backends" / f"{backend}.toml"
        packaged = read_file(path) if path.is_file() and file.path != path else None
        base: Table = {} if packaged is None else {**_defaults_of(packaged), **packaged.data.get(name, {})}
        if settings.sdk is not None:
            base["sdk"] = settings.sdk
        elif "sdk" not in base and settings.endpoint:
            base = {**_LISTED_MODEL, **base}
        if "sdk" in base:
            return {**base, **table}
        told = file.fault(f"{name!r} has no 'sdk', the client to call it with", (name,)).report
        detail = f"{told.detail}; it has no effect"
        self.warnings.append(Fault("runtime.misconfigured", detail, location=told.location, severity="warning"))
        return None

    def _entry_of(
        self, file: TomlFile, backend: str, settings: BackendTable, name: str, table: Table
    ) -> ModelEntry | None:
        """One model of a file; None if this release does not know its type, or if it is disabled and not valid."""
        kind, known = table.get("model_type"), get_args(ModelType)
        if isinstance(kind, str) and kind not in known and not is_slip(kind, known):
            places = ((name, "model_type"), ("defaults", "model_type"), (name,))
            told = file.fault(f"{name!r} has the model_type {kind!r}, which is unknown", *places).report
            detail = f"{told.detail}; it has no effect"
            self.warnings.append(Fault("runtime.misconfigured", detail, location=told.location, severity="warning"))
            return None
        try:
            return self._entry(backend, settings, name, table, [(file, (name,)), (file, ("defaults",))])
        except ConfigurationError as wrong:
            if table.get("enabled") is not False:
                raise
            self._pass_over(wrong, "the model")
            return None

    def _listed_models(
        self, layers: BackendLayers, settings: BackendTable, file: TomlFile | None
    ) -> dict[str, ModelEntry]:
        """The models that the backend's table lists only by name, with the defaults of the backend's file."""
        defaults = {} if file is None else _defaults_of(file)
        own = {} if settings.sdk is None else {"sdk": settings.sdk}
        found: dict[str, ModelEntry] = {}
        for name in settings.models:
            table = {**_LISTED_MODEL, **defaults, **own, "model_type": "llm", "model_id": name}
            table["inputs"] = defaults.get("inputs", _LISTED_MODEL["inputs"])
            found[name] = self._entry(layers.name, settings, name, table, layers.sources)
        return found

    def _entry(
        self, backend: str, settings: BackendTable, name: str, table: Table, places: Sequence[tuple[TomlFile, Keys]]
    ) -> ModelEntry:
        filled, missing = _filled(table, self.environ)
        model = parse(ModelTable, filled, places, self.warnings)
        hide(secret_texts(model.headers))
        if settings.headers:
            model = model.model_copy(update={"headers": {**settings.headers, **model.headers}})
        valued = model.valued_constraints.model_dump(exclude_unset=True)
        return ModelEntry(
            model.handle or name,
            backend,
            model,
            frozenset([*settings.listed_constraints, *model.listed_constraints]),
            settings.valued_constraints.model_copy(update=valued),
            missing,
        )


def _defaults_of(file: TomlFile) -> Table:
    written = file.data.get("defaults", {})
    if not isinstance(written, dict):
        raise file.fault("'defaults' must be a table", ("defaults",))
    return cast("Table", written)


def _ca_bundle(layers: BackendLayers, settings: BackendTable) -> str | None:
    """The path of the certificate file; a relative path is relative to the folder of the file that names it."""
    if settings.ca_bundle is None or layers.ca_folder is None:
        return None
    return str((layers.ca_folder / Path(settings.ca_bundle).expanduser()).absolute())


def _check_elsewhere(name: str, backends: Mapping[str, Backend]) -> None:
    if name not in backends:
        near = near_names(name, backends)
        raise ConfigurationError(
            f"'inference.credentials_elsewhere' names {name!r}, but no backend has that name",
            advice=f"Did you mean {near[0]!r}?" if near else "Name a table of backends.toml.",
        )


def _first(stack: Iterable[Path], name: str) -> Path:
    return first_file(stack, name) or DEFAULTS / name


def _of_address(endpoint: str | None) -> tuple[str, ...]:
    """The password in an address as written and decoded, and the credentials in the form that is sent."""
    try:
        parts = urlsplit(endpoint or "")
    except ValueError:
        return ()
    if not parts.password:
        return ()
    user, password = unquote(parts.username or ""), unquote(parts.password)
    return parts.password, password, base64.b64encode(f"{user}:{password}".encode()).decode()


def _is_blank(text: str | None) -> bool:
    return text is not None and (not text.strip() or "${" in text)


def _filled(value: Table, environ: Mapping[str, str]) -> tuple[Table, tuple[str, ...]]:
    """The table with `${NAME}` replaced in its strings, and the names of the variables that are not set."""
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
