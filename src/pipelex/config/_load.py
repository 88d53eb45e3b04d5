"""Finds, reads and merges settings files into one `Settings`, with the origin of each value."""

import os
import re
import tomllib
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import cast

from pipelex.config._check import KeyFault, inert_keys, read_section
from pipelex.config._interpolation import Variables, interpolate, interpolate_all, named_variables
from pipelex.config._keys import dotted, leaves, merge, nested, split_dotted
from pipelex.config._notes import why_without_effect
from pipelex.config._sections import Sections
from pipelex.config._settings import Layer, LayerKind, Settings, describe
from pipelex.config.engine_tables import PACKAGED, engine_tables, is_engine_table
from pipelex.config.files.paths import resolved
from pipelex.config.files.plain import read_plain_text
from pipelex.config.files.toml import read_toml
from pipelex.config.trust import TRUST_VARIABLE, Demand, Trust, not_in_force
from pipelex.config.trust.named_files import unseen_files
from pipelex.config.trust.settings import withheld_settings, withheld_variables, without_refused, without_unseen
from pipelex.errors import ConfigurationError, Fault, Json, Location, comparing_few_names, near_names

FOLDER = ".pipelex"
FILE = "pipelex.toml"

_YES = ("1", "true", "yes", "on")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@comparing_few_names
def load_settings(
    *,
    cwd: Path | None = None,
    overrides: Mapping[str, Json] | None = None,
    environ: Mapping[str, str] | None = None,
    trust_project: bool = False,
) -> Settings:
    """Read and merge the settings; nothing is cached between calls.

    The layers, each of which overrides the ones before: the packaged defaults; the user's `~/.pipelex/pipelex.toml` (or
    `$PIPELEX_HOME/pipelex.toml`); the project's `.pipelex/pipelex.toml`, in the nearest folder above `cwd` that has
    one; `pipelex_<$PIPELEX_ENV>.toml` and `pipelex_override.toml` beside it; `overrides`. Variables are taken from
    `environ`, then from `.env` beside the project's `.pipelex`, then from `.env` in the user's folder.

    Settings in a file of the project that need trust are withheld until the file is trusted; see
    `pipelex.config.trust`.

    Args:
        cwd: the folder from which the project is looked for; the working directory by default.
        overrides: values by dotted key, as from flags.
        environ: the environment; the process's by default.
        trust_project: trust every file of the project, as `PIPELEX_TRUST_PROJECT` in the environment does.

    Raises:
        ConfigurationError: a file cannot be read or is not TOML, or a value does not fit its key; all faults are in
            `faults`. Each orchestrator checks its own table, such as `[temporal]`.
    """
    here = (cwd or Path.cwd()).absolute()
    process = dict(os.environ if environ is None else environ)
    project_dir = _find_project(here, process)
    base_dir = here if project_dir is None else project_dir.parent
    home_dir = _home_dir(process)
    trust = Trust(
        home_dir,
        None if resolved(base_dir) == resolved(_home(process)) else base_dir,
        trust_project or process.get(TRUST_VARIABLE, "").strip().lower() in _YES,
    )
    layers = [_defaults(), *_read_layers([("user", home_dir / FILE)], here)]
    dotenv = _read_dotenv(base_dir / ".env", process)
    named = named_variables([dict(layer.data) for layer in layers])
    given, withheld = _trusted_variables(dotenv, trust, here, named, project_dir, process)
    known = {**given, **process}
    known = {**_read_dotenv(home_dir / ".env", known).values, **known}
    environment = known.get("PIPELEX_ENV") or None
    refused: list[Fault] = []
    for layer in _read_layers(_of_project(project_dir, environment), here):
        safe, warnings = without_refused(layer) if trust.is_theirs(cast("Path", layer.file)) else (layer, [])
        trusted, demands = _trusted_layer(safe, trust, layers, base_dir)
        layers.append(trusted)
        withheld += demands
        refused += warnings
    if overrides:
        flags: dict[str, Json] = {}
        for key, value in overrides.items():
            flags = merge(flags, nested(split_dotted(key), value))
        layers.append(Layer("flag", flags))

    variables = Variables()
    values = {key: interpolate_all(value, known, variables, (key,)) for key, value in _merged(layers).items()}

    typed = Sections.model_fields
    tables = {key: value for key, value in values.items() if key in typed or not is_engine_table(key)}
    sections, misfits = read_section(Sections, tables, (), interpolated=variables.used)
    faults = [_unknown_table(each) if each.is_unknown and len(each.path) == 1 else each for each in misfits]
    settings = Settings(
        sections=sections or Sections(),
        values=values,
        project_dir=project_dir,
        home_dir=home_dir,
        base_dir=base_dir,
        environment=environment,
        environ=known,
        layers=tuple(layers),
        variables=variables,
        trust=trust,
        withheld=withheld,
    )
    errors = [
        settings.fault(item.path, item.message, suggestions=item.suggestions, of_value=True)
        for item in faults
        if not item.is_unknown
    ]
    if errors:
        raise ConfigurationError(describe(errors), faults=errors, advice="Correct the values named above.")
    warnings = [
        settings.fault(
            item.path,
            why_without_effect(item.path) or f"{item.message}; it has no effect",
            severity="warning",
            suggestions=item.suggestions,
        )
        for item in faults
    ]
    warnings += [
        settings.fault(path, f"{why}; it has no effect", severity="warning")
        for path, why in inert_keys(Sections)
        if settings.is_set(path) and settings.get(path)
    ]
    warnings += _unset_variables(settings) + _environment_warnings(settings)
    warnings += [*refused, *filter(None, [not_in_force(withheld)])]
    return replace(settings, warnings=tuple(warnings))


def _unknown_table(fault: KeyFault) -> KeyFault:
    """A table that nobody reads; the name of an orchestrator's may have been meant."""
    if fault.suggestions:
        return fault
    name = fault.path[-1]
    near = near_names(name, engine_tables(), most=1)
    if near:
        return replace(fault, message=f"unknown key {name!r}; did you mean {near[0]!r}?", suggestions=near)
    known = ", ".join((*Sections.model_fields, *engine_tables()))
    return replace(fault, message=f"unknown key {name!r}; known here: {known}")


@cache
def _defaults() -> Layer:
    text = resources.files("pipelex.config").joinpath("defaults", FILE).read_text(encoding="utf-8")
    file = Path(str(resources.files("pipelex.config").joinpath("defaults", FILE)))
    return Layer("default", tomllib.loads(text), file, "default", text)


def _of_project(project_dir: Path | None, environment: str | None) -> list[tuple[LayerKind, Path]]:
    if project_dir is None:
        return []
    files: list[tuple[LayerKind, Path]] = [("project", project_dir / FILE)]
    if environment is not None:
        if not _ENVIRONMENT_NAME.fullmatch(environment) or environment == "override":
            raise ConfigurationError(
                f"PIPELEX_ENV={environment!r} cannot name a settings file",
                advice="Use letters, digits, '-', '_' and '.'; 'override' is taken.",
            )
        files.append(("environment", project_dir / f"pipelex_{environment}.toml"))
    return [*files, ("override", project_dir / "pipelex_override.toml")]


def _read_layers(files: Iterable[tuple[LayerKind, Path]], here: Path) -> list[Layer]:
    return [layer for kind, file in files if (layer := _read_layer(kind, file, here)) is not None]


def _trusted_layer(
    layer: Layer, trust: Trust, below: Iterable[Layer], base_dir: Path
) -> tuple[Layer, tuple[Demand, ...]]:
    """The layer without the keys that need trust, unless its file is trusted, and the demands that were withheld."""
    unseen = without_unseen(layer, trust, base_dir)
    layer = replace(layer, data=unseen.data)
    if trust.of(cast("Path", layer.file), layer.text):
        return layer, unseen.demands
    found = withheld_settings(layer, _merged(below), [*Sections.model_fields, *PACKAGED])
    return replace(layer, data=found.data), (*found.demands, *unseen.demands)


def _merged(layers: Iterable[Layer]) -> dict[str, Json]:
    merged: dict[str, Json] = {}
    for layer in layers:
        merged = merge(merged, layer.data)
    return merged


def _trusted_variables(
    dotenv: "_Dotenv",
    trust: Trust,
    here: Path,
    named: Container[str],
    project_dir: Path | None,
    process: Mapping[str, str],
) -> tuple[dict[str, str], tuple[Demand, ...]]:
    """The variables of the project's `.env` that take effect, and the demands of the others."""
    if trust.of(dotenv.file, dotenv.text):
        theirs = dict(dotenv.values) if trust.is_theirs(dotenv.file) else {}
        unseen = unseen_files(trust, theirs, dotenv.file.parent)
        kept = {name: value for name, value in dotenv.values.items() if name not in unseen}
        return kept, tuple(demand for demands in unseen.values() for demand in demands)
    shown = _shown(dotenv.file, here)
    used = _named_by_files(project_dir) if dotenv.written else ()
    kept, demands = withheld_variables(dotenv.file, shown, dotenv.text, dotenv.written, named, used, process)
    if len(kept) == len(dotenv.written):
        return dict(dotenv.values), ()
    return kept, demands


def _named_by_files(project_dir: Path | None) -> tuple[str, ...]:
    """The variables that a project's own files name; unreadable files are reported elsewhere."""
    if project_dir is None:
        return ()
    texts: list[Json] = []
    for file in (*project_dir.glob("*.toml"), *(project_dir / "inference").rglob("*.toml")):
        with suppress(OSError, UnicodeDecodeError):
            texts.append(read_plain_text(file))
    return named_variables(texts)


def _shown(file: Path, here: Path) -> str:
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _read_layer(kind: LayerKind, file: Path, here: Path) -> Layer | None:
    shown = _shown(file, here)
    try:
        text = read_plain_text(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{shown}: the settings file cannot be read: {error}", location=Location(file=shown)
        ) from error
    try:
        return Layer(kind, read_toml(text), file, shown, text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(shown, text, error) from error


def _syntax_error(shown: str, text: str, error: tomllib.TOMLDecodeError) -> ConfigurationError:
    message = str(error)
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    what = message[: found.start()] if found else message
    line = int(found.group(1)) if found and found.group(1) else text.count("\n") + 1
    column = int(found.group(2)) if found and found.group(2) else None
    place = Location(file=shown, line=line, column=column)
    fault = Fault("runtime.misconfigured", f"not valid TOML: {what}", location=place)
    return ConfigurationError(describe([fault]), location=place, faults=[fault])


def _find_project(here: Path, environ: Mapping[str, str]) -> Path | None:
    """The nearest `.pipelex` folder, here or above, that configures anything, except the user's own."""
    users = {_home(environ) / FOLDER, _home_dir(environ)}
    for folder in (here, *here.parents):
        candidate = folder / FOLDER
        if candidate not in users and _configures(candidate):
            return candidate
    return None


def _configures(folder: Path) -> bool:
    """Whether a `.pipelex` folder has configuration files: any run creates such a folder for its own files."""
    try:
        return any(entry.suffix == ".toml" or entry.name == "inference" for entry in folder.iterdir())
    except OSError:
        return False


def _home(environ: Mapping[str, str]) -> Path:
    named = environ.get("HOME")
    return Path(named) if named else Path.home()


def _home_dir(environ: Mapping[str, str]) -> Path:
    named = environ.get("PIPELEX_HOME")
    if not named:
        return _home(environ) / FOLDER
    return (_home(environ) / named[2:] if named.startswith("~/") else Path(named)).absolute()


@dataclass(frozen=True)
class _Dotenv:
    """A `.env` file."""

    file: Path
    text: str = ""
    written: Mapping[str, str] = field(default_factory=dict[str, str])
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    """The values as written, with other variables filled in."""


def _read_dotenv(file: Path, environ: Mapping[str, str]) -> _Dotenv:
    try:
        text = read_plain_text(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _Dotenv(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}", location=Location(file=str(file))) from error
    from dotenv import dotenv_values

    # The interpolation of `dotenv` would use the process's environment instead of `environ`.
    read = dotenv_values(stream=StringIO(text), interpolate=False)
    written = {name: value for name, value in read.items() if value is not None}
    found: dict[str, str] = {}
    for name, value in written.items():
        found[name] = interpolate(value, {**found, **environ}).text
    return _Dotenv(file, text, written, found)


def _unset_variables(settings: Settings) -> list[Fault]:
    return [
        settings.fault(path, f"environment variable {names[0]} is not set", severity="warning", of_value=True)
        for path, names in settings.variables.unset.items()
        if path[0] in Sections.model_fields or not is_engine_table(path[0])
    ]


def _environment_warnings(settings: Settings) -> list[Fault]:
    """Warn of a `PIPELEX_ENV` that looks like a misspelling of an overlay's name; having no file at all is usual."""
    name, folder = settings.environment, settings.project_dir
    if name is None or folder is None or (folder / f"pipelex_{name}.toml").exists():
        return []
    others = {file.stem.removeprefix("pipelex_") for file in folder.glob("pipelex_*.toml")} - {"override"}
    near = near_names(name, sorted(others))
    if not near:
        return []
    detail = f"PIPELEX_ENV={name!r}: there is no pipelex_{name}.toml; did you mean {' or '.join(map(repr, near))}?"
    return [Fault("runtime.misconfigured", detail, severity="warning", suggestions=near)]


def default_keys() -> list[str]:
    """The dotted keys of the packaged settings file, in its order."""
    return [dotted(path) for path, _ in leaves(_defaults().data)]
