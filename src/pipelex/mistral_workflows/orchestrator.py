"""Mistral Workflows behind the port of orchestrators."""

import asyncio
from datetime import timedelta
from typing import Final

from pipelex.config import Settings
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.mistral_workflows.config import MistralWorkflowsConfig
from pipelex.mistral_workflows.platform import NAME, Platform
from pipelex.mistral_workflows.run import MistralRun, described
from pipelex.mistral_workflows.submit import submit
from pipelex.orchestration import ReadinessCheck, RunDescription, RunFilter, RunRequest, RunState, StartedRun
from pipelex.orchestration.refusals import unsupported

_LOOK_SECONDS: Final = 0.5
_MOST_LISTED: Final = 1_000
"""The executions among which the runs of a list are looked for: pipes of runs are executions, too."""
_ASKED: Final = {RunState.CANCELLED: "CANCELED"}


class MistralOrchestrator:
    """Runs methods as executions of a deployment; see `Orchestrator`.

    Args:
        settings: the configuration.
        config: its `[mistral_workflows]` tables.
    """

    name = NAME
    is_durable = True

    def __init__(self, settings: Settings, config: MistralWorkflowsConfig) -> None:
        self.config = config
        self._settings = settings
        self._platform: Platform | None = None

    @property
    def platform(self) -> Platform:
        """The platform that keeps the runs; it connects when it is first needed.

        Raises:
            ConfigurationError: there is no key.
        """
        if self._platform is None:
            self._platform = Platform.of(self._settings, self.config)
        return self._platform

    @property
    def worker_command(self) -> str | None:
        """See `Orchestrator.worker_command`."""
        return f"pipelex worker --orchestrator {NAME}"

    async def connect(self) -> None:
        """See `Orchestrator.connect`."""
        await self.platform.has_workers()

    async def start(self, request: RunRequest) -> StartedRun:
        """See `Orchestrator.start`."""
        return await submit(self.platform, request)

    async def attach(self, run_id: str) -> MistralRun:
        """See `Orchestrator.attach`."""
        run = MistralRun(self.platform, run_id)
        await run.execution()
        return run

    async def list(self, wanted: RunFilter) -> "list[RunDescription]":
        """See `Orchestrator.list`."""
        platform = self.platform
        status = None if wanted.state is None else _ASKED.get(wanted.state, wanted.state.value)
        found = await platform.api.executions(
            deployment=platform.deployment, status=status, limit=max(_MOST_LISTED, wanted.limit)
        )
        if wanted.user or wanted.attributes or wanted.cost_above is not None or wanted.replay_of:
            raise unsupported(
                "filter", f"{platform.place} tells of no users, attributes, costs or replays in its lists"
            )
        roots = [each for each in found if each["execution_id"] == each.get("root_execution_id")]
        return [run for run in (described(platform, each) for each in roots) if wanted.takes(run)][: wanted.limit]

    async def check_workers(self, within: timedelta) -> None:
        """See `Orchestrator.check_workers`."""
        platform = self.platform
        deadline = asyncio.get_running_loop().time() + within.total_seconds()
        while not await platform.has_workers():
            if asyncio.get_running_loop().time() > deadline:
                raise PipelexError(
                    "runtime.unavailable",
                    f"no worker serves the deployment '{platform.deployment}'",
                    category=ErrorCategory.TRANSIENT,
                    params={"dependency": "worker"},
                    advice=f"Start one with: {self.worker_command}",
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def check(self) -> "list[ReadinessCheck]":
        """See `Orchestrator.check`."""
        platform = self.platform
        has_workers = await platform.has_workers()
        checks = [ReadinessCheck(NAME, f"{platform.api.server_url} answers, {platform.place}")]
        who = "a worker serves" if has_workers else "no worker serves"
        checks.append(
            ReadinessCheck(
                f"{NAME} worker",
                f"{who} the deployment '{platform.deployment}'",
                is_issue=not has_workers,
                advice=None if has_workers else f"Start: {self.worker_command}",
            )
        )
        return checks

    async def aclose(self) -> None:
        """See `Orchestrator.aclose`."""
        if self._platform is not None:
            await self._platform.api.aclose()
            self._platform = None
