"""One in-process run that goes on beside whoever started it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

from pipelex.content.stuff import WorkingMemory
from pipelex.direct._records import RunRecord
from pipelex.direct._run import DirectRun
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import PATIENCE, RunCounts, RunDescription, RunRequest, RunState, Wait, WaitKind
from pipelex.orchestration.refusals import goes_on, has_ended, is_cancelled
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.trace import PipeTrace


class BackgroundRun:
    """A run of this process; see `OrchestratedRun`.

    Args:
        request: what is to run.
        job: the request's digest.
        prepare: makes the run; called for each time it is begun.
        keep: keeps the record of how it went.
    """

    def __init__(
        self,
        request: RunRequest,
        job: str,
        prepare: Callable[[], DirectRun],
        keep: Callable[[RunRecord], Awaitable[None]],
    ) -> None:
        self.job = job
        self._request = request
        self._prepare = prepare
        self._keep = keep
        self._run: DirectRun | None = None
        self._task: asyncio.Task[Execution] | None = None
        self._started = datetime.now(UTC)
        self._ended: datetime | None = None
        self._recalled: Execution | None = None
        self._terminated: str | None = None

    @property
    def run_id(self) -> str:
        return self._request.identity.run_id

    @property
    def workflow_id(self) -> str:
        return self.run_id

    # --- its life -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Run in a task of its own.

        Raises:
            PipelexError: what performs the effects is misconfigured.
        """
        self._run = self._prepare()
        self._started, self._ended, self._terminated = datetime.now(UTC), None, None
        self._task = asyncio.create_task(self._to_the_end(self._run))
        self._task.add_done_callback(_retrieved)

    def recall(self, record: RunRecord) -> None:
        """Take over what an earlier process was given."""
        self._recalled = record.execution
        self._started, self._ended = record.started, record.ended

    async def _to_the_end(self, run: DirectRun) -> Execution:
        await self._keep(RunRecord(self.job, self._started))
        try:
            execution = await run.execute(self._request.call)
        except PipelexError:
            await self._keep(RunRecord(self.job, self._started, datetime.now(UTC)))
            raise
        finally:
            self._ended = datetime.now(UTC)
        await self._keep(RunRecord(self.job, self._started, self._ended, execution))
        return execution

    @property
    def state(self) -> RunState:
        """The state of the run."""
        if self._recalled is not None:
            return RunState.COMPLETED
        if self._task is None or not self._task.done():
            return RunState.RUNNING
        if self._terminated is not None:
            return RunState.TERMINATED
        if self._task.cancelled():
            return RunState.CANCELLED
        return RunState.COMPLETED if self._task.exception() is None else RunState.FAILED

    async def execution(self) -> Execution:
        """The outcome of the run, once it has ended.

        Raises:
            PipelexError: it failed, or was cancelled.
        """
        if self._recalled is not None:
            return self._recalled
        assert self._task is not None
        await asyncio.wait((self._task,))  # a caller that is cancelled leaves the run alone
        if self._terminated is not None:
            raise PipelexError(
                "run.terminated",
                f"run '{self.run_id}' was terminated: {self._terminated}",
                category=ErrorCategory.CONFIGURATION,
                params={"ended_by": "operator"},
            )
        if self._task.cancelled():
            raise is_cancelled(self.run_id)
        return self._task.result()

    # --- the port -----------------------------------------------------------------------------------------------------

    async def describe(self) -> RunDescription:
        """See `OrchestratedRun.describe`."""
        pipe = self._request.library.pipe(self._request.call.pipe)
        return RunDescription(
            self.run_id, self.workflow_id, pipe.ref, pipe.type, self.state, self._started, self._ended, "this process"
        )

    async def result(self) -> PipeOutcome:
        """See `OrchestratedRun.result`."""
        return (await self.execution()).outcome

    async def ended(self, within: timedelta) -> RunState:
        """See `OrchestratedRun.ended`."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=within.total_seconds())
        return self.state

    async def working_memory(self) -> WorkingMemory | None:
        """See `OrchestratedRun.working_memory`."""
        return (await self.execution()).memory

    async def trace(self) -> PipeTrace:
        """See `OrchestratedRun.trace`; of a run of an earlier process only its entry pipe is known."""
        if self._run is not None and self._run.root is not None:
            return self._run.root
        described = await self.describe()
        trace = PipeTrace(self.run_id, described.pipe, described.pipe_type, status=self.state)
        trace.started, trace.ended = self._started, self._ended
        return trace

    async def counts(self) -> RunCounts | None:
        """See `OrchestratedRun.counts`."""
        states = [pipe.status for pipe in _pipes(await self.trace())]
        running, completed = states.count(RunState.RUNNING), states.count(RunState.COMPLETED)
        return RunCounts(running, completed, len(states) - running - completed)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """See `OrchestratedRun.waits`: calls that failed and are made again."""
        return [
            Wait(
                WaitKind.CALL_FAILS,
                pipe.id,
                effect.name,
                f"{effect.summary or effect.name} failed and is tried again",
                attempt=effect.attempts,
            )
            for pipe in _pipes(await self.trace())
            for effect in pipe.effects
            if effect.status is RunState.RUNNING and effect.attempts > 1
        ]

    async def cancel(self) -> None:
        """See `OrchestratedRun.cancel`."""
        self._going().cancel()

    async def terminate(self, reason: str) -> None:
        """See `OrchestratedRun.terminate`."""
        self._going().cancel()
        self._terminated = reason

    async def retry(self) -> None:
        """See `OrchestratedRun.retry`: the whole run is begun again; see `[inference.result_cache]`."""
        if not self.state.has_ended:
            raise goes_on(self.run_id)
        if self.state is RunState.COMPLETED:
            raise has_ended(self.run_id, self.state, f"run '{self.run_id}' succeeded: there is nothing to retry")
        self.begin()

    def _going(self) -> "asyncio.Task[Execution]":
        if self._task is None or self._task.done():
            raise has_ended(self.run_id, self.state)
        return self._task


def _retrieved(task: "asyncio.Task[Execution]") -> None:
    """Whoever wants the failure asks for it; nobody need."""
    if not task.cancelled():
        task.exception()


def _pipes(root: PipeTrace) -> Iterator[PipeTrace]:
    waiting = [root]
    while waiting:
        trace = waiting.pop()
        yield trace
        waiting.extend(trace.children)
