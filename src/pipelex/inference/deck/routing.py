"""Finding the active routing profile in the `routing_profiles.toml` files of all directories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelex.config.toml_files import TomlFile
from pipelex.errors import ConfigurationError, Fault, near_names
from pipelex.inference.deck.catalog import DEFAULTS, Backend
from pipelex.inference.deck.files import is_slip, parse, read_file
from pipelex.inference.deck.schema import RoutingFile, RoutingProfile

ROUTING_FILE: Final = "routing_profiles.toml"


@dataclass(frozen=True)
class ActiveRouting:
    """The active profile, and the file that declares it."""

    name: str
    file: TomlFile
    profile: RoutingProfile
    read: tuple[TomlFile, ...]
    """The files that were read, highest priority first. The rest are not read once the profile is found."""

    @property
    def is_packaged(self) -> bool:
        """Whether the profile comes from the packaged file."""
        return self.file.path.parent == DEFAULTS

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The files of the user and the project that were read."""
        return tuple(file.path for file in self.read if file.path.parent != DEFAULTS)


def active_routing(stack: Sequence[Path], backends: Mapping[str, Backend], warnings: list[Fault]) -> ActiveRouting:
    """The active profile, which the first file with an `active` key names.

    That file declares the profile, or a file of lower or higher priority does.

    Args:
        stack: `inference` directories, highest priority first and the packaged one last.
        backends: the backends that profiles may name.
        warnings: the list that warnings are added to, about entries that are not understood and have no effect.

    Raises:
        ConfigurationError: a file is not valid, or no file declares the active profile.
    """
    read: list[TomlFile] = []
    declared: dict[str, tuple[TomlFile, RoutingProfile]] = {}
    saying: tuple[TomlFile, str] | None = None
    for path in (path for folder in stack if (path := folder / ROUTING_FILE).is_file()):
        file = read_file(path)
        routing = parse(RoutingFile, file.data, [(file, ())], warnings)
        read.append(file)
        declared = {**{name: (file, profile) for name, profile in routing.profiles.items()}, **declared}
        if saying is None and routing.active is not None:
            saying = file, routing.active
        if saying is not None and saying[1] in declared:
            found = ActiveRouting(saying[1], *declared[saying[1]], tuple(read))
            _check(found, backends, warnings)
            return found
    assert saying is not None, "the packaged file says which profile is active"
    near = near_names(saying[1], declared)
    advice = f"did you mean {near[0]!r}?" if near else f"declare [profiles.{saying[1]}]"
    raise saying[0].fault(f"the active profile {saying[1]!r} is not declared", ("active",), advice=advice)


def _check(routing: ActiveRouting, backends: Mapping[str, Backend], warnings: list[Fault]) -> None:
    file = routing.file
    base = ("profiles", routing.name)
    profile = routing.profile
    for pattern, name in profile.routes.items():
        _check_pattern(file, pattern, (*base, "routes", pattern))
        _check_backend(file, name, backends, (*base, "routes", pattern))
        if not backends[name].table.enabled:
            raise file.fault(
                f"the route {pattern!r} leads to the backend {name!r}, which is not enabled",
                (*base, "routes", pattern),
                advice=f"enable {name!r} in backends.toml, or move the route to 'optional_routes'",
            )
    for pattern, name in profile.optional_routes.items():
        _check_pattern(file, pattern, (*base, "optional_routes", pattern))
        _look_for_backend(file, name, backends, (*base, "optional_routes", pattern), warnings)
    if profile.default is not None:
        _check_backend(file, profile.default, backends, (*base, "default"))
    for index, name in enumerate(profile.fallback_order):
        _look_for_backend(file, name, backends, (*base, "fallback_order", index), warnings)


def _look_for_backend(
    file: TomlFile, name: str, backends: Mapping[str, Backend], place: tuple[str | int, ...], warnings: list[Fault]
) -> None:
    """Check a backend's name like `_check_backend`, but only warn about one that may belong to another release."""
    try:
        _check_backend(file, name, backends, place)
    except ConfigurationError as wrong:
        if is_slip(name, backends):
            raise
        detail = f"{wrong.report.detail}; it has no effect"
        warnings.append(Fault(wrong.code, detail, location=wrong.report.location, severity="warning"))


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
