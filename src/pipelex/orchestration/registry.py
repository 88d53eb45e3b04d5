"""The installed orchestrators, and the one that the settings choose."""

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from pipelex.config import Settings
from pipelex.config.distribution import install_command, reinstall_command
from pipelex.config.engine_tables import GROUP
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration.port import OrchestratorFactory

_DURABLE: Final = "temporal"
"""The durable orchestrator to use if one is asked for and the settings choose none."""

IN_PROCESS: Final = "direct"
"""The name of the orchestrator that is always available: this process."""


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """The names of the installed orchestrators: the in-process one first, then the others in alphabetical order."""
    return tuple(sorted(_entries(), key=lambda name: (name != IN_PROCESS, name)))


def factory_of(name: str) -> OrchestratorFactory:
    """The factory of an orchestrator.

    Raises:
        PipelexError: no orchestrator of that name is installed, or it cannot be loaded.
    """
    entry = _entries().get(name)
    if entry is None:
        raise _unknown(name)
    try:
        return cast("OrchestratorFactory", entry.load())
    except (ImportError, AttributeError) as failed:
        raise _misconfigured(
            f"the orchestrator '{name}' cannot be loaded: {failed}", f"Reinstall it: {_distribution(entry)}"
        ) from failed


def chosen_name(settings: Settings, *, durable: bool = False) -> str:
    """The name of the orchestrator that the settings choose; this process if they choose none.

    Args:
        settings: the configuration.
        durable: whether the orchestrator must be a durable one; if the settings choose none, there is a default.

    Raises:
        ConfigurationError: the settings of an orchestrator are wrong.
        PipelexError: the settings choose several, or a durable one is asked for and none is installed.
    """
    others = [name for name in names() if name != IN_PROCESS]
    factories = {name: factory_of(name) for name in others}
    usable = [name for name, factory in factories.items() if factory.is_durable or not durable]
    chosen = [name for name in usable if factories[name].is_chosen(settings)]
    if len(chosen) > 1:
        raise _misconfigured(
            f"the settings choose several orchestrators: {' and '.join(chosen)}",
            "Leave `is_enabled = true` in the table of one of them; `--orchestrator NAME` chooses another for one command.",
        )
    if chosen:
        return chosen[0]
    if not durable:
        return IN_PROCESS
    if not usable:
        raise _misconfigured("no durable orchestrator is installed", f"Install one: {install_command('temporal')}")
    return _DURABLE if _DURABLE in usable else usable[0]


def _unknown(name: str) -> PipelexError:
    known = names()
    if not known:
        # An editable installation may have newer code than its metadata.
        return _misconfigured(
            "this installation of pipelex has no orchestrator", f"Install it again: {install_command()}"
        )
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return _misconfigured(
        f"no orchestrator '{name}' is installed",
        f"Installed are: {', '.join(known)}.{hint} Others come with a package that has an entry point of the group "
        f"{GROUP}.",
    )


def _distribution(entry: EntryPoint) -> str:
    return install_command() if entry.dist is None else reinstall_command(entry.dist.name)


def _misconfigured(detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "orchestrator"},
        advice=advice,
    )
