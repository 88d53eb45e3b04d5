"""The work behind `pipelex worker`: names first, then the connection, then polling."""

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import paint_err
from pipelex.cli._shared.keys import JSON_KEY
from pipelex.cli._shared.logs import announce, describe_tasks, is_json_only
from pipelex.cli._shared.session import settings_for, tell
from pipelex.cli.worker.engines import run_engine_worker
from pipelex.cli.worker.libraries import check_libraries
from pipelex.cli.worker.readiness import Readiness
from pipelex.errors import ConfigurationError, Fault

if TYPE_CHECKING:
    from temporalio.client import Client

    from pipelex.cli.worker.flags import WorkerFlags
    from pipelex.config import Settings
    from pipelex.temporal.config import ConnectionSettings, TemporalConfig
    from pipelex.temporal.plugin import PipelexPlugin
    from pipelex.temporal.sdk_core import MetricsTarget
    from pipelex.temporal.worker.build import WorkerPlan

_TEMPORAL = "temporal"


def run_worker(ctx: typer.Context, flags: "WorkerFlags") -> None:
    """Run a worker to its end.

    Raises:
        ConfigurationError: a name or a setting is wrong; nothing heavy was imported yet.
        PipelexError: no server answers, or the namespace lacks search attributes and they cannot be registered.
    """
    environ = {**os.environ, "PIPELEX_ENV": "unit_testing"} if flags.unit_testing else None
    settings = settings_for(ctx, server=flags.server, environ=environ, connects=True)
    ctx.meta[JSON_KEY] = is_json_only(settings)  # what ends the command is a line for programs, too
    orchestrator = flags.orchestrator or _chosen(settings)
    if orchestrator != _TEMPORAL:
        run_engine_worker(settings, orchestrator, flags)
        return
    config = checked_config(ctx, settings, flags)
    from pipelex.temporal.factory import FACTORY

    FACTORY.require()
    from pipelex.temporal.sdk_core import keep_core_off_stdout

    keep_core_off_stdout(is_forwarded=True, metrics=metrics_target(settings, flags))
    check_libraries(settings, flags.library or ())
    asyncio.run(_run(ctx, settings, config, flags))


def _chosen(settings: "Settings") -> str:
    """The orchestrator that the settings choose for durable runs; Temporal where they choose none."""
    from pipelex.orchestration import IN_PROCESS, chosen_name

    chosen = chosen_name(settings)
    return _TEMPORAL if chosen == IN_PROCESS else chosen


def metrics_target(settings: "Settings", flags: "WorkerFlags") -> "MetricsTarget | None":
    """The address or collector that the worker sends its metrics to; None for neither.

    Raises:
        ConfigurationError: the settings name two ways at once.
    """
    from pipelex.temporal.sdk_core import MetricsTarget

    wanted, environ = settings.runtime.metrics, settings.environ
    service = environ.get("OTEL_SERVICE_NAME") or settings.runtime.telemetry.service_name
    if flags.metrics_address is not None:
        return MetricsTarget(prometheus=flags.metrics_address, service=service)
    exported = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "").removesuffix("/v1/metrics")
    otlp = exported or wanted.otlp_endpoint
    if wanted.prometheus_address and otlp:
        raise ConfigurationError(
            "[runtime.metrics] has both 'prometheus_address' and a collector, and a worker tells its metrics in one way",
            location=settings.location("runtime.metrics.prometheus_address"),
            advice="Keep one of the two.",
        )
    if wanted.prometheus_address:
        return MetricsTarget(prometheus=wanted.prometheus_address, service=service)
    return MetricsTarget(otlp=otlp, service=service) if otlp else None


def checked_config(ctx: typer.Context, settings: "Settings", flags: "WorkerFlags") -> "TemporalConfig":
    """The `[temporal]` tables, with the names of queue, scope and profile checked against them.

    Raises:
        ConfigurationError: something is wrong.
    """
    from pipelex.temporal.config import parse_temporal_config
    from pipelex.temporal.worker.profiles import worker_tuning
    from pipelex.temporal.worker.queues import check_worker_queue
    from pipelex.temporal.worker.scopes import resolve_scope

    config = parse_temporal_config(settings)
    tell(ctx, config.warnings)
    check_worker_queue(config, flags.task_queue)
    resolve_scope(config, flags.scope)
    worker_tuning(config, flags.profile)
    return config


async def _run(ctx: typer.Context, settings: "Settings", config: "TemporalConfig", flags: "WorkerFlags") -> None:
    readiness = Readiness(flags.ready_file, flags.health_port, flags.health_address)
    await readiness.open()
    try:
        from pipelex.runner import start_telemetry
        from pipelex.temporal.client.connect import connect
        from pipelex.temporal.codec import data_converter
        from pipelex.temporal.config import connection

        target = connection(config, settings)
        start_telemetry(settings)  # before the connection, which carries the spans' context
        client = await connect(target, data_converter(config, settings, target))
        await prepare_namespace(ctx, client, settings, config)
        await serve(client, settings, config, target, flags, readiness)
    finally:
        await readiness.close()


async def prepare_namespace(
    ctx: typer.Context, client: "Client", settings: "Settings", config: "TemporalConfig"
) -> None:
    """Make sure the namespace knows the configured search attributes.

    Raises:
        SearchAttributeRegistrationError: it does not, and they may not be registered from here.
    """
    from pipelex.temporal.client import namespace

    state = await namespace.inspect(client, config)
    if not state.is_known:
        detail = f"the search attributes of namespace '{state.namespace}' cannot be checked: {state.problem}"
        tell(ctx, [Fault("runtime.unavailable", detail, severity="warning")])
    await namespace.register(client, state)
    if state.missing:
        names = ", ".join(state.missing)
        announce(settings, f"Registered search attributes in namespace '{state.namespace}': {names}")


async def serve(
    client: "Client",
    settings: "Settings",
    config: "TemporalConfig",
    target: "ConnectionSettings",
    flags: "WorkerFlags",
    readiness: Readiness,
) -> None:
    """Poll until a signal comes, then drain."""
    from pipelex.runner import inference_of
    from pipelex.temporal.client.connect import check_namespace
    from pipelex.temporal.plugin import PipelexPlugin
    from pipelex.temporal.worker.build import build_worker, plan_worker, run_until_stopped
    from pipelex.temporal.worker.logs import OfTheTask

    plan = plan_worker(config, task_queue=flags.task_queue, profile=flags.profile)
    inference = inference_of(settings)
    for folder in flags.library or ():
        inference.trees.add_folder(folder)
    plugin = PipelexPlugin(
        config, inference, client.data_converter, scope=flags.scope, is_sandboxed=not flags.no_sandbox
    )
    if plugin.scope.activities:  # a first call does not wait for its client to be loaded
        await asyncio.to_thread(inference.preload)
    worker = build_worker(client, plan, plugin)
    describe_tasks(OfTheTask(config.log))

    def on_ready() -> None:
        announce(settings, banner(plan, plugin, target), **facts(plan, plugin, target))
        readiness.set_ready(partial(check_namespace, client))

    def on_stopping() -> None:
        readiness.set_stopping()
        grace = plan.tuning.graceful_shutdown_timeout.total_seconds()
        announce(settings, f"Stopping: what runs has {grace:.0f} s to finish. A second signal ends it at once.")

    def on_giving_up() -> None:
        announce(
            settings,
            "Ended with work unreported: the Temporal server does not answer. It will be done again elsewhere.",
        )

    try:
        await run_until_stopped(
            worker,
            grace=plan.tuning.graceful_shutdown_timeout,
            on_ready=on_ready,
            on_stopping=on_stopping,
            on_giving_up=on_giving_up,
        )
    finally:
        await inference.aclose()
    announce(settings, "Stopped.")


def banner(plan: "WorkerPlan", plugin: "PipelexPlugin", target: "ConnectionSettings") -> str:
    """A few lines that say what a worker polls, and how."""
    paint = paint_err()
    lines = [paint("Pipelex worker is polling", "green", "bold")]
    rows = facts(plan, plugin, target)
    rows["scope"] = f"{rows['scope']} ({rows.pop('workflows')} workflows, {rows.pop('activities')} activities)"
    rows["server"] = f"{rows['server']} ({rows.pop('target')})"
    return "\n".join([*lines, *(f"  {name.replace('_', ' '):<11} {value}" for name, value in rows.items())])


def facts(plan: "WorkerPlan", plugin: "PipelexPlugin", target: "ConnectionSettings") -> dict[str, str | int]:
    """The same as fields."""
    versioning = plan.tuning.versioning
    return {
        "task_queue": plan.task_queue,
        "scope": plugin.scope.name,
        "workflows": len(plugin.scope.workflows),
        "activities": len(plugin.scope.activities),
        "profile": plan.tuning.profile,
        "server": target.server,
        "target": target.target_host,
        "namespace": target.namespace,
        "build": "none" if versioning is None else f"{versioning.deployment_name} {versioning.build_id}",
    }
