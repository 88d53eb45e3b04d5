"""Builds a worker from the configuration, and runs it until a signal stops it."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehavior,
    PollerBehaviorAutoscaling,
    PollerBehaviorSimpleMaximum,
    ResourceBasedSlotConfig,
    Worker,
    WorkerDeploymentConfig,
    WorkerTuner,
)

from pipelex.durable.dispatch.options import PRIORITY_KEY
from pipelex.errors import PipelexError
from pipelex.orchestration.ending import end_within
from pipelex.temporal.config import TemporalConfig
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.worker.logs import apply_log_settings
from pipelex.temporal.worker.profiles import FixedSlots, ResourceSlots, WorkerTuning, worker_tuning
from pipelex.temporal.worker.queues import check_worker_queue

logger = logging.getLogger("pipelex.worker")

_VERSIONING: Final = {"pinned": VersioningBehavior.PINNED, "auto_upgrade": VersioningBehavior.AUTO_UPGRADE}

LATE_SECONDS: Final = 10.0
"""The seconds after the grace period in which the worker may still report results and end."""

_NOT_BEGUN: Final = "Worker validation failed"

ACTIVITY_SLOT_RAMP: Final = timedelta(milliseconds=50)
"""The shortest time between two new activity slots of a worker whose slots follow the machine's load."""


@dataclass(frozen=True)
class WorkerPlan:
    """The plan of a worker, made before it connects."""

    task_queue: str
    tuning: WorkerTuning
    config: TemporalConfig

    @property
    def activities_per_second(self) -> float | None:
        """The maximum rate of the queue's activities over all its workers, per second; None for no limit."""
        options = self.config.queue_options.get(self.task_queue)
        return None if options is None else options.max_task_queue_activities_per_second

    @property
    def is_eager(self) -> bool:
        """Whether the worker may start activities of its own workflows at once, without the task queue.

        Such a start costs less, but bypasses rates, priorities and fair shares, because the task queue applies them.
        """
        options = self.config.queue_options.get(self.task_queue)
        is_ranked = options is not None and PRIORITY_KEY.is_set_by(options)
        is_ordered = self.config.worker_config.fairness_by_user or is_ranked
        rates = (self.activities_per_second, self.tuning.max_activities_per_second)
        return not is_ordered and rates == (None, None)


def plan_worker(config: TemporalConfig, *, task_queue: str | None = None, profile: str | None = None) -> WorkerPlan:
    """The plan of a worker, after a check of the names that it was started with.

    Raises:
        ConfigurationError: the queue or the profile is unknown.
    """
    return WorkerPlan(
        task_queue=check_worker_queue(config, task_queue),
        tuning=worker_tuning(config, profile, cpu_count=os.cpu_count() or 2),
        config=config,
    )


def build_worker(client: Client, plan: WorkerPlan, plugin: PipelexPlugin) -> Worker:
    """The Temporal worker of a plan.

    Args:
        client: a connected client with Pipelex's data converter, but without the plugin.
        plan: the plan.
        plugin: the plugin, which knows what the worker registers.
    """
    tuning = plan.tuning
    apply_log_settings(plan.config.log)
    options: dict[str, Any] = {}
    match tuning.slots:
        case FixedSlots() as fixed:
            options["max_concurrent_workflow_tasks"] = fixed.workflow_tasks
            options["max_concurrent_activities"] = fixed.activities
            options["max_concurrent_local_activities"] = fixed.local_activities
        case ResourceSlots() as resources:
            options["tuner"] = _resource_tuner(resources)
    if tuning.versioning is not None:
        options["deployment_config"] = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(tuning.versioning.deployment_name, tuning.versioning.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=_VERSIONING[tuning.versioning.behavior],
        )
    return Worker(
        client,
        task_queue=plan.task_queue,
        identity=identity(plan.task_queue, plugin.scope.name),
        plugins=[plugin],
        no_remote_activities=not plugin.scope.activities,
        max_cached_workflows=tuning.max_cached_workflows,
        workflow_task_poller_behavior=_pollers(tuning.workflow_task_polls),
        activity_task_poller_behavior=_pollers(tuning.activity_task_polls),
        sticky_queue_schedule_to_start_timeout=tuning.sticky_queue_schedule_to_start_timeout,
        max_heartbeat_throttle_interval=tuning.max_heartbeat_throttle_interval,
        default_heartbeat_throttle_interval=tuning.default_heartbeat_throttle_interval,
        max_activities_per_second=tuning.max_activities_per_second,
        max_task_queue_activities_per_second=plan.activities_per_second,
        graceful_shutdown_timeout=tuning.graceful_shutdown_timeout,
        disable_eager_activity_execution=not plan.is_eager,
        **options,
    )


def identity(task_queue: str, scope: str) -> str:
    """The name of a worker in histories, in the UI and in `temporal worker list`: its process, queue and scope."""
    return f"{os.getpid()}@{socket.gethostname()} {task_queue} {scope}"


def _pollers(maximum: int | None) -> PollerBehavior:
    return PollerBehaviorAutoscaling() if maximum is None else PollerBehaviorSimpleMaximum(maximum=max(2, maximum))


def _resource_tuner(resources: ResourceSlots) -> WorkerTuner:
    slots = ResourceBasedSlotConfig(
        minimum_slots=resources.minimum, maximum_slots=resources.maximum, ramp_throttle=ACTIVITY_SLOT_RAMP
    )
    return WorkerTuner.create_resource_based(
        target_memory_usage=resources.target_memory_usage,
        target_cpu_usage=resources.target_cpu_usage,
        workflow_config=ResourceBasedSlotConfig(minimum_slots=resources.minimum, maximum_slots=resources.maximum),
        activity_config=slots,
        local_activity_config=slots,
    )


@asynccontextmanager
async def running(worker: Worker) -> AsyncGenerator[None]:
    """Poll for tasks while the block runs; then drain within the worker's grace period, and at most `LATE_SECONDS` more.

    An activity that ignores its cancellation would keep the worker for ever, and so does the SDK's core now and then.
    """
    async with _EndingInTime(worker):
        yield


@dataclass(frozen=True)
class _EndingInTime:
    """A worker as a context whose end takes a limited time."""

    worker: Worker

    async def __aenter__(self) -> None:
        await self.worker.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        config: Any = self.worker.config()
        grace: timedelta = config.get("graceful_shutdown_timeout", timedelta())
        limit = asyncio.timeout(grace.total_seconds() + LATE_SECONDS)
        try:
            async with limit:
                await self.worker.__aexit__(kind, error, trace)
        except TimeoutError:
            if not limit.expired():
                raise
            logger.warning("The worker of '%s' did not end in time, and is left behind.", self.worker.task_queue)


async def run_until_stopped(
    worker: Worker,
    *,
    grace: timedelta,
    on_ready: Callable[[], None],
    on_stopping: Callable[[], None],
    on_giving_up: Callable[[], None],
) -> None:
    """Run a worker until SIGINT or SIGTERM, then drain it; a second signal ends the process at once.

    Args:
        worker: a worker that is not started yet.
        grace: the worker's grace period for draining.
        on_ready: called once the worker polls.
        on_stopping: called when the first signal arrives.
        on_giving_up: called before the process ends with status 1 because draining took too long. Without a server, the
            SDK would try for ever to report results.

    Raises:
        PipelexError: the server was lost before the worker could start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        if stop.is_set():
            os._exit(130)
        on_stopping()
        stop.set()
        end_within(grace + timedelta(seconds=LATE_SECONDS), on_giving_up)

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ask_to_stop)
    try:
        async with running(worker):
            on_ready()
            await stop.wait()
    except RuntimeError as failed:
        if _NOT_BEGUN not in str(failed):
            raise
        detail = f"the worker could not start: {str(failed).partition(': Status')[0]}"
        raise PipelexError("runtime.unavailable", detail, params={"dependency": "temporal"}) from None
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
