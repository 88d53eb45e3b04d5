"""The orchestrator that runs methods on Mistral Workflows."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from pipelex.config import Settings
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.about import asked_keys
from pipelex.mistral_workflows.config import MistralWorkflowsConfig
from pipelex.mistral_workflows.platform import NAME, Platform
from pipelex.mistral_workflows.run import Members, MistralRun, described
from pipelex.mistral_workflows.submit import submit
from pipelex.orchestration import ReadinessCheck, RunDescription, RunFilter, RunRequest, RunState, StartedRun
from pipelex.pipes.window import together

_LOOK_SECONDS: Final = 0.5
_MOST_LISTED: Final = 1_000
"""The number of executions, at least, among which a list looks for runs. Child pipes are executions, too."""
_AT_ONCE: Final = 8
"""The number of runs whose events are read at the same time."""
_ASKED: Final = {RunState.CANCELLED: "CANCELED"}


def _may_take(wanted: RunFilter, run: RunDescription) -> bool:
    """Whether a filter may take a run, judging by the facts in the platform's own list."""
    return replace(wanted, pipe=None, domain=None, user=None, attributes={}, replay_of=None, cost_above=None).takes(run)


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
            ConfigurationError: there is no API key.
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
            deployment=platform.deployment,
            status=status,
            keys=asked_keys(wanted),
            limit=max(_MOST_LISTED, wanted.limit),
        )
        entries = [each for each in found if each["execution_id"] == each.get("root_execution_id")]
        likely = [each for each in entries if _may_take(wanted, described(platform, each))]
        chosen: list[RunDescription] = []
        while likely and len(chosen) < wanted.limit:
            some, likely = likely[:_AT_ONCE], likely[_AT_ONCE:]
            told = await together([partial(self._told, each, wanted) for each in some], limit=_AT_ONCE)
            chosen += [run for run in told if wanted.takes(run)]
        return chosen[: wanted.limit]

    async def _told(self, execution: Members, wanted: RunFilter) -> RunDescription:
        """A run with the facts that only its events contain. Its cost is included only if the filter needs it."""
        run = MistralRun(self.platform, names.run_id_of(str(execution["execution_id"])))
        has_costs = wanted.cost_above is not None
        told = described(self.platform, execution, await run.told(at_its_beginning=not has_costs))
        return told if has_costs else replace(told, cost=None)

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
