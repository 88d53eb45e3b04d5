"""Runs a Temporal worker: checks the names in its options, connects, and polls until a signal comes."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelex.config import Settings
from pipelex.errors import ConfigurationError, Fault
from pipelex.orchestration.workers import Serving, WorkerHooks, WorkerOptions
from pipelex.temporal.config import ConnectionSettings, TemporalConfig, connection, parse_temporal_config

if TYPE_CHECKING:
    from temporalio.client import Client

    from pipelex.temporal.plugin import PipelexPlugin
    from pipelex.temporal.sdk_core import MetricsTarget
    from pipelex.temporal.worker.build import WorkerPlan


class TemporalWorker:
    """The worker for Temporal; see `pipelex.orchestration.workers.EngineWorker`."""

    def check(self, settings: Settings, options: WorkerOptions) -> Sequence[Fault]:
        """See `EngineWorker.check`."""
        from pipelex.temporal.factory import FACTORY

        checked_config(settings, options)
        FACTORY.require()
        return FACTORY.warnings(settings)

    async def serve(self, settings: Settings, options: WorkerOptions, hooks: WorkerHooks) -> None:
        """See `EngineWorker.serve`."""
        from pipelex.temporal.client.connect import OF_A_WORKER, connect
        from pipelex.temporal.codec import data_converter
        from pipelex.temporal.sdk_core import keep_core_off_stdout

        config = parse_temporal_config(settings)
        target = connection(config, settings)
        keep_core_off_stdout(is_forwarded=True, metrics=metrics_target(settings, options))
        hooks.on_connecting()
        client = await connect(target, data_converter(config, settings, target), retries=OF_A_WORKER)
        await serve_on(client, target, settings, config, options, hooks)


WORKER = TemporalWorker()


def checked_config(settings: Settings, options: WorkerOptions) -> TemporalConfig:
    """The `[temporal]` tables, after a check that they have the queue, the scope and the profile of the options.

    Raises:
        ConfigurationError: a table is wrong, or one of the names is unknown.
    """
    from pipelex.temporal.worker.profiles import worker_tuning
    from pipelex.temporal.worker.queues import check_worker_queue
    from pipelex.temporal.worker.scopes import resolve_scope

    config = parse_temporal_config(settings)
    check_worker_queue(config, options.task_queue)
    resolve_scope(config, options.scope)
    worker_tuning(config, options.profile)
    return config


def metrics_target(settings: Settings, options: WorkerOptions) -> "MetricsTarget | None":
    """The address at which the worker serves its metrics, or the collector that it sends them to; None for neither.

    Raises:
        ConfigurationError: the settings name both.
    """
    from pipelex.temporal.sdk_core import MetricsTarget

    wanted, environ = settings.runtime.metrics, settings.environ
    service = environ.get("OTEL_SERVICE_NAME") or settings.runtime.telemetry.service_name
    if options.metrics_address is not None:
        return MetricsTarget(prometheus=options.metrics_address, service=service)
    exported = environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "").removesuffix("/v1/metrics")
    otlp = exported or wanted.otlp_endpoint
    if wanted.prometheus_address and otlp:
        raise ConfigurationError(
            "[runtime.metrics] sets both 'prometheus_address' and a collector, but a worker reports its metrics in only "
            "one way",
            location=settings.location("runtime.metrics.prometheus_address"),
            advice="Keep one of the two.",
        )
    if wanted.prometheus_address:
        return MetricsTarget(prometheus=wanted.prometheus_address, service=service)
    return MetricsTarget(otlp=otlp, service=service) if otlp else None


async def serve_on(
    client: "Client",
    target: ConnectionSettings,
    settings: Settings,
    config: TemporalConfig,
    options: WorkerOptions,
    hooks: WorkerHooks,
) -> None:
    """Prepare the namespace of a connected client, poll until a signal comes, then drain.

    Args:
        client: a client that is connected to the server.
        target: the settings of the connection, for the description of the worker.
        settings: the configuration.
        config: the `[temporal]` tables of the configuration.
        options: the options that the worker was started with.
        hooks: the callbacks for the worker's events.

    Raises:
        SearchAttributeRegistrationError: the namespace lacks search attributes, and this client may not register them.
    """
    from pipelex.orchestration.wiring import inference_of
    from pipelex.temporal.client.connect import check_namespace
    from pipelex.temporal.plugin import PipelexPlugin
    from pipelex.temporal.worker.build import build_worker, plan_worker, run_until_stopped
    from pipelex.temporal.worker.logs import OfTheTask

    await _prepare_namespace(client, config, hooks)
    plan = plan_worker(config, task_queue=options.task_queue, profile=options.profile)
    inference = inference_of(settings)
    for folder in options.libraries:
        inference.trees.add_folder(folder)
    plugin = PipelexPlugin(
        config, inference, client.data_converter, scope=options.scope, is_sandboxed=options.is_sandboxed
    )
    if plugin.scope.activities:  # so the first call need not wait for the client of its provider to load
        await asyncio.to_thread(inference.preload)
    worker = build_worker(client, plan, plugin)
    hooks.on_tasks(OfTheTask(config.log))
    grace = plan.tuning.graceful_shutdown_timeout
    try:
        await run_until_stopped(
            worker,
            grace=grace,
            on_ready=lambda: hooks.on_ready(_serving(plan, plugin, target, partial(check_namespace, client))),
            on_stopping=lambda: hooks.on_stopping(grace.total_seconds()),
            on_giving_up=hooks.on_giving_up,
        )
    finally:
        await inference.aclose()


async def _prepare_namespace(client: "Client", config: TemporalConfig, hooks: WorkerHooks) -> None:
    """Register the configured search attributes that the namespace lacks."""
    from pipelex.temporal.client import namespace

    state = await namespace.inspect(client, config)
    if not state.is_known:
        detail = f"the search attributes of namespace '{state.namespace}' cannot be checked: {state.problem}"
        hooks.on_warning([Fault("runtime.unavailable", detail, severity="warning")])
    await namespace.register(client, state)
    if state.missing:
        names = ", ".join(state.missing)
        hooks.on_notice(f"Registered search attributes in namespace '{state.namespace}': {names}")


def _serving(plan: "WorkerPlan", plugin: "PipelexPlugin", target: ConnectionSettings, probe: "partial[Any]") -> Serving:
    versioning = plan.tuning.versioning
    fields: dict[str, str | int] = {
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
    facts = {name.replace("_", " "): str(value) for name, value in fields.items()}
    facts["scope"] += f" ({facts.pop('workflows')} workflows, {facts.pop('activities')} activities)"
    facts["server"] += f" ({facts.pop('target')})"
    return Serving(facts=facts, fields=fields, probe=probe)
