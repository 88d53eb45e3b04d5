"""The workers of engines: processes that poll for tasks, looked up by the orchestrator's name."""

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
    """The options of a worker, in addition to the settings; where one is None or the default, the settings decide."""

    libraries: tuple[Path, ...] = ()
    """The method folders whose functions and templates the worker provides."""
    task_queue: str | None = None
    """The task queue to poll."""
    scope: str | None = None
    """The name of the scope, which decides what the worker registers."""
    server: str | None = None
    """The name of the server to poll; the settings already have it selected."""
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
    """Name → value, for programs."""
    probe: Callable[[], Awaitable[object]] | None = None
    """Checks that the server answers, and raises if it does not; None if the engine has no such check."""


@dataclass(frozen=True, kw_only=True)
class WorkerHooks:
    """The callbacks for the events of a worker."""

    on_connecting: Callable[[], None]
    """The callback before the first connection, which carries the context of spans."""
    on_notice: Callable[[str], None]
    """The callback that receives a sentence about something done before polling."""
    on_warning: Callable[[Sequence[Fault]], None]
    """The callback that receives possible problems that do not keep the worker from polling."""
    on_ready: Callable[[Serving], None]
    """The callback once the worker polls."""
    on_tasks: Callable[[Any], None]
    """The callback that receives a `logging.Filter`, which adds to each log line the task it is about."""
    on_stopping: Callable[["float | None"], None]
    """The callback once the worker is asked to stop; it receives the grace period in seconds, or None."""
    on_giving_up: Callable[[], None]
    """The callback before a process that did not stop in time is ended with status 1; any thread may call it."""


class EngineWorker(Protocol):
    """A worker of an engine: the object that an entry point of the group `pipelex.workers` names.

    Its module must load nothing heavy.
    """

    def check(self, settings: Settings, options: WorkerOptions) -> Sequence[Fault]:
        """Check the settings and the names of the options, before anything heavy is loaded.

        Returns:
            Warnings.

        Raises:
            ConfigurationError: a name or a setting is wrong, or this engine does not have one of the options.
        """
        ...

    async def serve(self, settings: Settings, options: WorkerOptions, hooks: WorkerHooks) -> None:
        """Poll until SIGINT or SIGTERM comes; then end within the time that the settings give.

        Args:
            settings: the configuration.
            options: the options of the worker.
            hooks: the callbacks for its events.

        Raises:
            ConfigurationError: the settings are wrong.
            PipelexError: the engine does not answer.
        """
        ...


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=WORKERS)}


def worker_of(name: str) -> EngineWorker | None:
    """The worker of an orchestrator; None if no installed distribution provides one.

    Args:
        name: the name of the orchestrator.
    """
    entry = _entries().get(name)
    return None if entry is None else cast("EngineWorker", entry.load())
