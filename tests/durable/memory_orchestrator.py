"""The engine in memory behind the port of orchestrators. It keeps what runs were started with and what came of them, and
no histories: for what is read from these it says that it cannot."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Never

from pipelex.content.stuff import WorkingMemory
from pipelex.durable.options import EngineOptions
from pipelex.orchestration import (
    PATIENCE,
    Orchestrator,
    ReadinessCheck,
    RunCounts,
    RunDescription,
    RunFilter,
    RunRequest,
    RunSource,
    RunState,
    StartedRun,
    Wait,
)
from pipelex.orchestration.refusals import has_ended, no_such_run, unsupported
from pipelex.pipes.calls import PipeOutcome, Reuse
from tests.durable.memory_engine import MemoryEngine

Told = tuple[PipeOutcome, WorkingMemory]


class MemoryOrchestrator:
    """Starts runs on an engine in memory.

    Args:
        engine: the engine.
        options: members of every run's options.
    """

    name = "memory"
    is_durable = True
    worker_command = None

    def __init__(self, engine: MemoryEngine, options: dict[str, Any]) -> None:
        self._engine = engine
        self._options = options
        self._runs: dict[str, MemoryRun] = {}

    async def connect(self) -> None:
        """The engine is here."""

    async def start(self, request: RunRequest) -> StartedRun:
        said = {name: getattr(request.options, name) for name in request.options.model_fields_set}
        run = MemoryRun(self._engine, request, EngineOptions(**said, **self._options))
        self._runs[run.run_id] = run
        return StartedRun(run)

    async def attach(self, run_id: str) -> "MemoryRun":
        if run_id not in self._runs:
            raise no_such_run(run_id, self.name)
        return self._runs[run_id]

    async def list(self, wanted: RunFilter) -> list[RunDescription]:
        newest = [await run.describe() for run in reversed(self._runs.values())]
        return [run for run in newest if wanted.takes(run)][: wanted.limit]

    async def check_workers(self, within: timedelta) -> None:
        """The engine runs everything itself."""

    async def check(self) -> "list[ReadinessCheck]":  # type: ignore[valid-type]
        return [ReadinessCheck(self.name, "is in this process")]

    async def aclose(self) -> None:
        for run in self._runs.values():
            await run.close()


@dataclass
class MemoryRun:
    """A run that goes from when somebody first waits for it."""

    engine: MemoryEngine
    request: RunRequest
    options: EngineOptions
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    end: datetime | None = None
    work: "asyncio.Task[Told] | None" = None

    @property
    def run_id(self) -> str:
        return self.request.identity.run_id

    @property
    def workflow_id(self) -> str:
        return self.run_id

    @property
    def state(self) -> RunState:
        if self.work is None or not self.work.done():
            return RunState.RUNNING
        if self.work.cancelled():
            return RunState.CANCELLED
        return RunState.COMPLETED if self.work.exception() is None else RunState.FAILED

    async def describe(self) -> RunDescription:
        pipe = self.request.library.pipe(self.request.call.pipe)
        return RunDescription(self.run_id, self.run_id, pipe.ref, pipe.type, self.state, self.started, self.end)

    async def result(self) -> PipeOutcome:
        return (await asyncio.shield(self._going()))[0]

    async def ended(self, within: timedelta) -> RunState:
        await asyncio.wait([self._going()], timeout=within.total_seconds())
        return self.state

    async def working_memory(self) -> WorkingMemory | None:
        return (await self._going())[1] if self.state is RunState.COMPLETED else None

    async def counts(self) -> RunCounts | None:
        return None

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        return []

    async def cancel(self) -> None:
        if self.state.has_ended:
            raise has_ended(self.run_id, self.state)
        self._going().cancel()

    async def terminate(self, reason: str) -> None:
        await self.cancel()

    async def source(self) -> RunSource:
        request = self.request
        return RunSource(request.library, request.call, self.options, request.identity, request.attributes)

    async def reuse(self, start_over: str | None = None) -> Reuse:
        return Reuse.sparse(run_id=self.run_id, start_over=start_over)

    async def trace(self, *, values: bool = False, ended: bool = True) -> Never:
        raise unsupported("trace", "the engine in memory keeps no histories")

    async def kept(self, start_over: str | None = None) -> Never:
        raise unsupported("replay", "the engine in memory keeps no histories")

    async def retry(self, start_over: str | None = None) -> Never:
        raise unsupported("retry", "the engine in memory keeps no histories")

    async def close(self) -> None:
        if self.work is not None and not self.work.done():
            self.work.cancel()
            await asyncio.wait([self.work])

    def _going(self) -> "asyncio.Task[Told]":
        if self.work is None:
            self.work = asyncio.get_running_loop().create_task(self._run())
        return self.work

    def _run(self) -> Coroutine[Any, Any, Told]:
        request = self.request

        async def run() -> Told:
            try:
                return await self.engine.execute(request.library, request.call, request.identity, self.options)
            finally:
                self.end = datetime.now(UTC)

        return run()


def as_port(orchestrator: MemoryOrchestrator) -> Orchestrator:
    """The orchestrator as the port: a type checker compares them."""
    return orchestrator
