"""The work behind `pipelex worker`, for every engine: check the settings and names, then poll and announce it."""

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import paint_err
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.keys import JSON_KEY
from pipelex.cli._shared.logs import announce, describe_tasks, is_json_only
from pipelex.cli._shared.session import settings_for, tell
from pipelex.cli.worker.libraries import check_libraries
from pipelex.cli.worker.readiness import Readiness

if TYPE_CHECKING:
    from pipelex.cli.worker.flags import WorkerFlags
    from pipelex.config import Settings
    from pipelex.orchestration.workers import EngineWorker, Serving, WorkerHooks, WorkerOptions

_DEFAULT = "temporal"
"""The engine of a worker if neither the command nor the settings choose one."""


def run_worker(ctx: typer.Context, flags: "WorkerFlags") -> None:
    """Run a worker to its end.

    Raises:
        ConfigurationError: a name or a setting is wrong; this is found before anything heavy is imported.
        PipelexError: the worker is not installed, or its engine does not answer.
    """
    environ = {**os.environ, "PIPELEX_ENV": "unit_testing"} if flags.unit_testing else None
    settings = settings_for(ctx, server=flags.server, environ=environ, connects=True)
    ctx.meta[JSON_KEY] = is_json_only(settings)  # so that a final error is JSON like the log lines
    name = flags.orchestrator or _chosen(settings)
    worker, options = _worker(settings, name), options_of(flags)
    tell(ctx, list(worker.check(settings, options)))
    check_libraries(settings, options.libraries)
    readiness = Readiness.of(flags)
    asyncio.run(_run(ctx, worker, settings, options, readiness))


def _chosen(settings: "Settings") -> str:
    """The orchestrator that the settings choose for durable runs; Temporal if they choose none."""
    from pipelex.orchestration import IN_PROCESS, chosen_name

    chosen = chosen_name(settings)
    return _DEFAULT if chosen == IN_PROCESS else chosen


def _worker(settings: "Settings", name: str) -> "EngineWorker":
    from pipelex.orchestration import factory_of
    from pipelex.orchestration.workers import worker_of

    factory = factory_of(name)
    worker = worker_of(name)
    if worker is not None:
        return worker
    factory.warnings(settings)
    raise factory.missing_worker() or Misuse(f"the orchestrator '{name}' has no worker to start")


def options_of(flags: "WorkerFlags") -> "WorkerOptions":
    """The flags of the command as options for the engine's worker."""
    from pipelex.orchestration.workers import WorkerOptions

    return WorkerOptions(
        libraries=tuple(flags.library or ()),
        task_queue=flags.task_queue,
        scope=flags.scope,
        server=flags.server,
        profile=flags.profile,
        is_sandboxed=not flags.no_sandbox,
        metrics_address=flags.metrics_address,
    )


async def _run(
    ctx: typer.Context,
    worker: "EngineWorker",
    settings: "Settings",
    options: "WorkerOptions",
    readiness: Readiness,
) -> None:
    await readiness.open()
    try:
        await worker.serve(settings, options, hooks_of(ctx, settings, readiness))
    finally:
        await readiness.close()
    announce(settings, "Stopped.")


def hooks_of(ctx: typer.Context, settings: "Settings", readiness: Readiness) -> "WorkerHooks":
    """The callbacks that tell people, and whatever supervises the process, about a worker's events."""
    from pipelex.orchestration.workers import WorkerHooks
    from pipelex.runner import start_telemetry

    def on_ready(serving: "Serving") -> None:
        lines = [paint_err()("Pipelex worker is polling", "green", "bold")]
        text = "\n".join([*lines, *(f"  {name:<11} {value}" for name, value in serving.facts.items())])
        announce(settings, text, **serving.fields)
        readiness.set_ready(serving.probe)

    def on_stopping(grace: float | None) -> None:
        readiness.set_stopping()
        time = "." if grace is None else f": running tasks have {grace:.0f} s to finish."
        announce(settings, f"Stopping{time} A second signal ends it at once.")

    def on_giving_up() -> None:
        announce(
            settings,
            "Ended before the clean-up was complete: it took too long. Another worker repeats what was not reported.",
        )

    return WorkerHooks(
        on_connecting=lambda: start_telemetry(settings),
        on_notice=lambda sentence: announce(settings, sentence),
        on_warning=lambda faults: tell(ctx, list(faults)),
        on_ready=on_ready,
        on_tasks=describe_tasks,
        on_stopping=on_stopping,
        on_giving_up=on_giving_up,
    )
