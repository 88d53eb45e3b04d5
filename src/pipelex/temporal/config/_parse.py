"""Reads the `[temporal]` tables in full, and reports every fault with its place."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from pipelex.config import KeyFault, Settings, describe, lookup, read_section
from pipelex.config._keys import Path, leaves, merge
from pipelex.errors import Fault, Json, TemporalConfigError
from pipelex.temporal.config._checks import check_names
from pipelex.temporal.config._former import FormerKeys
from pipelex.temporal.config._models import TemporalConfig

ROOT = ("temporal",)


def parse_temporal_config(settings: Settings) -> TemporalConfig:
    """Read the `[temporal]` tables in full.

    Raises:
        TemporalConfigError: with one fault for each unknown key, invalid value, undefined name, and unset variable in a
            table that is in use.
    """
    table = settings.get(ROOT, {})
    if not isinstance(table, Mapping):
        raise _error([settings.fault(ROOT, f"must be a table, not {table!r}")])
    reading = _Reading(settings, merge({}, cast("Mapping[str, Json]", table)))
    return reading.run()


def _error(faults: list[Fault]) -> TemporalConfigError:
    return TemporalConfigError(
        describe(faults),
        faults=faults,
        advice="Correct the [temporal] settings named above; `pipelex config show` lists all.",
    )


class _Reading:
    """One pass over the table, which collects all faults so that a person sees them at once."""

    def __init__(self, settings: Settings, table: dict[str, Json]) -> None:
        self._settings = settings
        self._table = table
        former = FormerKeys(settings, table)
        former.rewrite()
        self._moved = former.moved
        self._errors = former.errors
        self._warnings = former.warnings

    def run(self) -> TemporalConfig:
        self._check_variables()
        config, faults = self._read(self._table)
        for fault in faults:
            self._errors.append(self._fault(fault))
        checked = config or self._read_rest(faults)
        if checked is not None:
            for notice in check_names(checked):
                placed = self._fault(notice.fault, notice.severity)
                (self._errors if notice.severity == "error" else self._warnings).append(placed)
        if self._errors or config is None:
            raise _error(self._errors)
        config._warnings = tuple(self._warnings)
        config._routes_table = self._written(config.routes_table)
        return config

    def _written(self, path: Path) -> Path:
        """The path in the file of the value whose present path is `path`."""
        for new, old in self._moved.items():
            if path[: len(new)] == new:
                return (*old, *path[len(new) :])
        return path

    def _read_from(self, path: Path) -> Path:
        for new, old in self._moved.items():
            if path[: len(old)] == old:
                return (*new, *path[len(old) :])
        return path

    # --- variables ----------------------------------------------------------------------------------------------------

    def _check_variables(self) -> None:
        for path, names in self._settings.variables.unset.items():
            if path[:1] == ROOT and self._is_in_force(path):
                message = f"environment variable {names[0]} is not set"
                self._errors.append(self._settings.fault(path, message, of_value=True))

    def _is_in_force(self, path: Path) -> bool:
        """Whether a value is in use: False only in a table that could be selected, but is not."""
        for table, selector in _SELECTED.items():
            if path[1 : 1 + len(table)] == table and len(path) > 1 + len(table):
                chosen = lookup(self._table, selector)[1]
                name = path[1 + len(table)]
                return name in ("method", chosen) if table == _PROVIDERS else name == chosen
        return True

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self, table: Mapping[str, Json]) -> tuple[TemporalConfig | None, list[KeyFault]]:
        interpolated = {self._read_from(path) for path in self._settings.variables.used}
        config, faults = read_section(TemporalConfig, table, ROOT, interpolated=interpolated)
        unset = {self._read_from(path) for path in self._settings.variables.unset}
        idle = [fault for fault in faults if fault.path in unset and not fault.is_unknown]
        if config is None and idle:
            # The text of an unset variable may not fit its key. Unset variables that are in use are reported already;
            # those in tables that are not selected do no harm.
            kept = [fault for fault in faults if fault not in idle]
            config, _ = read_section(TemporalConfig, _without(table, idle), ROOT, interpolated=interpolated)
            return (None if any(not fault.is_unknown for fault in kept) else config), kept
        return config, faults

    def _read_rest(self, faults: list[KeyFault]) -> TemporalConfig | None:
        """The configuration without its invalid values, so that the rest can still be checked."""
        return self._read(_without(self._table, [item for item in faults if not item.is_unknown]))[0]

    def _fault(self, fault: KeyFault, severity: str = "error") -> Fault:
        fault = _hinted(fault, lookup(self._table, fault.path[1:])[1])
        return self._settings.fault(
            self._written(fault.path),
            fault.message,
            severity="warning" if severity == "warning" else "error",
            suggestions=fault.suggestions,
            of_value=not fault.is_unknown,
        )


_PROVIDERS = ("payload_codec_config", "storage_provider_config")

_SELECTED: dict[Path, Path] = {
    ("temporal_config", "temporal_server_configs"): ("temporal_config", "selected_server"),
    ("worker_runtime_profiles", "profiles"): ("worker_runtime_profiles", "default_profile"),
    ("worker_scopes", "scopes"): ("worker_scopes", "default_scope"),
    _PROVIDERS: (*_PROVIDERS, "method"),
}
"""Path of a table whose inner tables are alternatives → the path of the key that selects one of them."""


def _hinted(fault: KeyFault, value: Json) -> KeyFault:
    path, key = fault.path, fault.path[-1]
    if len(path) >= 4 and path[-2] in ("by_handle", "by_backend") and isinstance(value, Mapping):
        inner = next(iter(leaves(cast("Mapping[str, Json]", value), (path[-1],))), ((path[-1],), None))[0]
        name = f'{path[-2]}."{".".join(inner)}"'
        return replace(fault, message=f"must be the name of a queue, not a table; a name with a dot is quoted: {name}")
    if fault.is_unknown and len(path) >= 5 and path[-3] == "handle_options" and isinstance(value, Mapping):
        name = f'handle_options."{path[-2]}.{path[-1]}"'
        return replace(fault, message=f"{fault.message}; a handle with a dot is quoted: {name}")
    if fault.is_unknown and key == "non_retryable_error_types":
        return replace(
            fault,
            message="an overlay can add error types, not replace them; the key is 'non_retryable_error_types_extra' here",
        )
    if fault.is_unknown and key == "non_retryable_error_types_extra":
        return replace(
            fault, message="only overlays add error types; the baseline's key is 'non_retryable_error_types'"
        )
    return fault


def _without(table: Mapping[str, Json], faults: list[KeyFault]) -> dict[str, Json]:
    left = merge({}, table)
    for fault in faults:
        path = fault.path[1:]
        while path and not lookup(left, path)[0]:
            path = path[:-1]
        if path:
            owner = cast("dict[str, Json]", lookup(left, path[:-1])[1])
            owner.pop(path[-1], None)
    return left
