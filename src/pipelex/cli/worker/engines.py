"""`pipelex worker` for an engine whose worker comes with a distribution of its own."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelex.cli._shared.console import paint_err
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.logs import announce
from pipelex.cli.worker.libraries import check_libraries
from pipelex.cli.worker.readiness import Readiness

if TYPE_CHECKING:
    from pipelex.cli.worker.flags import WorkerFlags
    from pipelex.config import Settings
    from pipelex.orchestration.workers import EngineWorker

_OF_TEMPORAL = ("task_queue", "scope", "profile", "server")
"""The options that only Temporal's own worker has a use for."""


def run_engine_worker(settings: "Settings", name: str, flags: "WorkerFlags") -> None:
    """Run a worker to its end.

    Args:
        settings: the configuration.
        name: the orchestrator.
        flags: the flags of the command, as they were given.

    Raises:
        PipelexError: the worker is not installed, or its engine does not answer.
    """
    from pipelex.orchestration import factory_of
    from pipelex.orchestration.workers import worker_of

    for option in _OF_TEMPORAL:
        if getattr(flags, option) is not None:
            raise Misuse(f"--{option.replace('_', '-')} is for Temporal's workers; '{name}' has no use for it")
    factory_of(name).warnings(settings)
    worker = worker_of(name)
    if worker is None:
        raise _without_worker(name)
    check_libraries(settings, flags.library or ())
    readiness = Readiness(flags.ready_file, flags.health_port, flags.health_address)
    asyncio.run(_serve(worker, settings, flags, readiness))


def _without_worker(name: str) -> Exception:
    from pipelex.mistral_workflows.environment import no_worker
    from pipelex.mistral_workflows.platform import NAME

    return no_worker() if name == NAME else Misuse(f"the orchestrator '{name}' has no worker to start")


async def _serve(worker: "EngineWorker", settings: "Settings", flags: "WorkerFlags", readiness: Readiness) -> None:
    from pipelex.orchestration.workers import WorkerHooks

    def on_ready(served: Mapping[str, str]) -> None:
        lines = [paint_err()("Pipelex worker is polling", "green", "bold")]
        text = "\n".join([*lines, *(f"  {name:<11} {value}" for name, value in served.items())])
        announce(settings, text, **served)
        readiness.set_ready()

    def on_stopping() -> None:
        readiness.set_stopping()
        announce(settings, "Stopping. A second signal ends it at once.")

    def on_giving_up() -> None:
        announce(
            settings, "Ended before all was cleaned up: it took too long. What was under way will be done elsewhere."
        )

    await readiness.open()
    try:
        hooks = WorkerHooks(on_ready, on_stopping, on_giving_up)
        await worker.serve(settings, tuple(flags.library or ()), hooks)
    finally:
        await readiness.close()
    announce(settings, "Stopped.")
