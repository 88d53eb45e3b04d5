"""The workers of engines: polling processes, found by the orchestrator's name."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Protocol, cast

from pipelex.config import Settings
from pipelex.errors import Fault

WORKERS: Final = "pipelex.workers"
"""The entry-point group; the name of an entry is that of the orchestrator, its value names an `EngineWorker`."""


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """The options of a worker, in addition to the settings. With None, or the default, the settings decide."""

    libraries: tuple[Path, ...] = ()
    """The method folders whose functions and templates the worker has at hand."""
    task_queue: str | None = None
    """The task queue to poll."""
    scope: str | None = None
    """The name of the scope, which decides what the worker registers."""
    server: str | None = None
    """The name of the server to poll, which the settings hold already."""
    profile: str | None = None
    """The name of the tuning profile."""
    is_sandboxed: bool = True
    """Whether workflows run in the engine's sandbox."""
    metrics_address: str | None = None
    """The `HOST:PORT` that serves metrics for Prometheus."""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A description of a worker that polls."""

    facts: Mapping[str, str]
    """Name → value, for people."""
    fields: Mapping[str, str | int]
    """The same for programs."""
    probe: Callable[[], Awaitable[object]] | None = None
    """Asks whether the server answers, and raises where it does not; None where the engine cannot tell."""


@dataclass(frozen=True, kw_only=True)
class WorkerHooks:
    """The callbacks for the events of a worker."""

    on_connecting: Callable[[], None]
    """The callback before a connection is made that carries the context of spans."""
    on_notice: Callable[[str], None]
    """The callback for a sentence on what was done before polling."""
    on_warning: Callable[[Sequence[Fault]], None]
    """The callback for what may be wrong, and does not keep the worker from polling."""
    on_ready: Callable[[Serving], None]
    """The callback once the worker polls."""
    on_tasks: Callable[[Any], None]
    """The callback with a `logging.Filter` that puts beside each log line which task it is about."""
    on_stopping: Callable[["float | None"], None]
    """The callback when the worker was asked to stop, with the grace in seconds where there is one."""
    on_giving_up: Callable[[], None]
    """The callback before the process of a worker that did not end in time ends with status 1; any thread calls it."""


class EngineWorker(Protocol):
    """A worker of an engine: the object that an entry point of the group `pipelex.workers` names.

    Its module loads nothing heavy.
    """

    def check(self, settings: Settings, options: WorkerOptions) -> Sequence[Fault]:
        """Check the settings and the names of the options, before anything heavy is loaded.

        Returns:
            Warnings.

        Raises:
            ConfigurationError: a name or a setting is wrong, or an option is none of this engine's.
        """
        ...

    async def serve(self, settings: Settings, options: WorkerOptions, hooks: WorkerHooks) -> None:
        """Poll until SIGINT or SIGTERM comes; then end within a time that the settings say.

        Args:
            settings: the configuration.
            options: what the worker is started with beside it.
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
