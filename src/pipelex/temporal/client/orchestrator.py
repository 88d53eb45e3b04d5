"""Implements the port of orchestrators on Temporal."""

import asyncio
from datetime import timedelta
from typing import Final

from pipelex.config import Settings
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import ReadinessCheck, RunDescription, RunFilter, RunRequest, StartedRun
from pipelex.temporal.client import namespace
from pipelex.temporal.client.cluster import Cluster, worker_command
from pipelex.temporal.client.run import TemporalRun
from pipelex.temporal.client.submit import submit
from pipelex.temporal.client.visibility import list_runs
from pipelex.temporal.config import TemporalConfig, connection

_LOOK_SECONDS: Final = 0.25


class TemporalOrchestrator:
    """Runs methods as workflows of the selected cluster; see `Orchestrator`.

    Args:
        settings: the configuration.
        config: its `[temporal]` tables.
    """

    name = "temporal"
    is_durable = True

    def __init__(self, settings: Settings, config: TemporalConfig) -> None:
        self.config = config
        self._settings = settings
        self._cluster: Cluster | None = None

    @property
    def worker_command(self) -> str | None:
        """See `Orchestrator.worker_command`."""
        return worker_command(self.config.worker_config.default_task_queue)

    async def cluster(self) -> Cluster:
        """The connection to the cluster, which is made on first use.

        Raises:
            EngineUnavailable: no server answers, the credentials are refused, or there is no such namespace.
        """
        if self._cluster is None:
            self._cluster = await Cluster.open(self._settings, self.config)
        return self._cluster

    async def connect(self) -> None:
        """See `Orchestrator.connect`."""
        await self.cluster()

    async def start(self, request: RunRequest) -> StartedRun:
        """See `Orchestrator.start`."""
        return await submit(await self.cluster(), request)

    async def attach(self, run_id: str) -> TemporalRun:
        """See `Orchestrator.attach`."""
        run = TemporalRun(await self.cluster(), run_id)
        await run.execution()
        return run

    async def list(self, wanted: RunFilter) -> "list[RunDescription]":
        """See `Orchestrator.list`."""
        return await list_runs(await self.cluster(), wanted)

    async def check_workers(self, within: timedelta) -> None:
        """See `Orchestrator.check_workers`."""
        cluster = await self.cluster()
        deadline = asyncio.get_running_loop().time() + within.total_seconds()
        while not await cluster.has_workers():
            if asyncio.get_running_loop().time() > deadline:
                raise PipelexError(
                    "runtime.unavailable",
                    f"no worker polls the task queue '{cluster.queue}' of {cluster.place}",
                    category=ErrorCategory.TRANSIENT,
                    params={"dependency": "worker"},
                    advice=f"Start one with: {self.worker_command}",
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def check(self) -> "list[ReadinessCheck]":
        """See `Orchestrator.check`."""
        cluster = await self.cluster()
        target = connection(self.config, self._settings)
        checks = [ReadinessCheck(self.name, f"{target.target_host} answers, {cluster.place}")]
        state = await namespace.inspect(cluster.client, self.config)
        if state.missing:
            advice = "Register them with: pipelex setup-temporal-namespace"
            detail = f"missing search attributes: {', '.join(state.missing)}"
            checks.append(ReadinessCheck(f"{self.name} namespace", detail, is_issue=True, advice=advice))
        has_workers = await cluster.has_workers()
        who = "polls" if has_workers else "none polls"
        checks.append(
            ReadinessCheck(
                f"{self.name} worker",
                f"{who} the task queue '{cluster.queue}'",
                is_issue=not has_workers,
                advice=None if has_workers else f"Start: {self.worker_command}",
            )
        )
        return checks

    async def aclose(self) -> None:
        """See `Orchestrator.aclose`. The SDK's client cannot be closed; its connection ends with the object."""
        self._cluster = None
