"""The workers of engines that come with a distribution of their own, found by the orchestrator's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, Protocol, cast

from pipelex.config import Settings

WORKERS: Final = "pipelex.workers"
"""The entry-point group; the name of an entry is that of the orchestrator, its value names an `EngineWorker`."""


@dataclass(frozen=True)
class WorkerHooks:
    """The events of a worker that its starter wants to hear of."""

    on_ready: Callable[[Mapping[str, str]], None]
    """The callback once the worker polls, with the facts that it serves: name → value, for people."""
    on_stopping: Callable[[], None]
    """The callback when the worker was asked to stop."""
    on_giving_up: Callable[[], None]
    """The callback before the process of a worker that did not end in time ends with status 1; any thread calls it."""


class EngineWorker(Protocol):
    """A worker of an engine: the object that an entry point of the group `pipelex.workers` names.

    Its module loads nothing heavy.
    """

    async def serve(self, settings: Settings, libraries: tuple[Path, ...], hooks: WorkerHooks) -> None:
        """Poll until SIGINT or SIGTERM comes; then end within a time that the settings say.

        Args:
            settings: the configuration.
            libraries: method folders whose functions and templates the worker has at hand.
            hooks: the events that are announced meanwhile.

        Raises:
            ConfigurationError: the settings are wrong.
            PipelexError: the engine does not answer.
        """
        ...


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=WORKERS)}


def worker_of(name: str) -> EngineWorker | None:
    """The worker of an orchestrator; None where no distribution here brings one.

    Args:
        name: the orchestrator's.
    """
    entry = _entries().get(name)
    return None if entry is None else cast("EngineWorker", entry.load())
