"""One in-process run, which runs in the background of the code that started it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelex.content.stuff import WorkingMemory
from pipelex.direct._records import RunRecord
from pipelex.direct._run import DirectRun
from pipelex.direct.records import RecordedFacts, RecordFolder
from pipelex.direct.records.kept import kept_results
from pipelex.direct.records.recording import Recording
from pipelex.direct.records.sources import source_of
from pipelex.errors import ErrorCategory, ErrorReport, PipelexError
from pipelex.inference.calls.kept import KeptResults, KeptSource
from pipelex.orchestration import PATIENCE, RunCounts, RunDescription, RunRequest, RunSource, RunState, Wait
from pipelex.orchestration.refusals import goes_on, has_ended, is_cancelled, nothing_to_retry
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeOutcome, Reuse
from pipelex.pipes.trace import PipeTrace, counts_of
from pipelex.pipes.usage import cost_of


class BackgroundRun:
    """A run of this process; see `OrchestratedRun`.

    Args:
        request: the request to run.
        job: the request's digest.
        prepare: creates the run, given the results that it may reuse; called each time the run begins.
        keep: stores the outcome of the run under the id that the caller chose.
        records: the records of runs; if None, no record is kept.
    """

    def __init__(
        self,
        request: RunRequest,
        job: str,
        prepare: Callable[[KeptSource | None], DirectRun],
        keep: Callable[[RunRecord], Awaitable[None]],
        records: RecordFolder | None = None,
    ) -> None:
        self.job = job
        self._request = request
        self._prepare = prepare
        self._keep = keep
        self._records = records
        self._recording: Recording | None = None
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

    def begin(self, kept: KeptSource | None = None) -> None:
        """Run in a task of its own.

        Args:
            kept: results to reuse for effects that ask the same.

        Raises:
            PipelexError: the service that performs the effects is misconfigured.
        """
        self._run = self._prepare(kept)
        self._started, self._ended, self._terminated = datetime.now(UTC), None, None
        self._task = asyncio.create_task(self._to_the_end(self._run))
        self._task.add_done_callback(_retrieved)

    def recall(self, record: RunRecord) -> None:
        """Take over the outcome that an earlier process recorded."""
        self._recalled = record.execution
        self._started, self._ended = record.started, record.ended

    async def _to_the_end(self, run: DirectRun) -> Execution:
        await self._keep(RunRecord(self.job, self._started))
        self._recording = self._record_beginning(run)
        try:
            execution = await run.execute(self._request.call)
        except PipelexError as failed:
            self._ended = datetime.now(UTC)
            await self._keep(RunRecord(self.job, self._started, self._ended))
            await self._record_end(RunState.FAILED, error=failed.report)
            raise
        except asyncio.CancelledError:
            self._ended = datetime.now(UTC)
            state = RunState.CANCELLED if self._terminated is None else RunState.TERMINATED
            await self._record_end(state)
            raise
        finally:
            self._ended = self._ended or datetime.now(UTC)
        await self._keep(RunRecord(self.job, self._started, self._ended, execution))
        await self._record_end(RunState.COMPLETED, execution)
        return execution

    def _record_beginning(self, run: DirectRun) -> Recording | None:
        if self._records is None:
            return None
        recording = Recording(self._records, self._facts(RunState.RUNNING), source_of(self._request), run.waits)
        run.waits.on_change, run.journal = recording.waits_changed, recording.journal
        return recording

    async def _record_end(
        self, state: RunState, execution: Execution | None = None, error: ErrorReport | None = None
    ) -> None:
        if self._recording is not None:
            root = None if self._run is None else self._run.root
            await self._recording.end(self._facts(state, root, error), execution)

    def _facts(self, state: RunState, root: PipeTrace | None = None, error: ErrorReport | None = None) -> RecordedFacts:
        request, reuse = self._request, self._request.options.reuse
        pipe = request.library.pipe(request.call.pipe)
        return RecordedFacts(
            self.run_id,
            pipe.ref,
            pipe.type,
            state,
            self._started,
            self._ended,
            request.identity.user_id,
            dict(request.attributes),
            request.library.closure(pipe.ref).fingerprint,
            None if root is None else cost_of(root.usage),
            reuse.run_id if reuse is not None and reuse.run_id != self.run_id else None,
            error,
        )

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
            PipelexError: the run failed, or was cancelled.
        """
        if self._recalled is not None:
            return self._recalled
        assert self._task is not None
        await asyncio.wait((self._task,))  # cancelling the caller must not cancel the run
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
        return replace(
            self._facts(self.state, None if self._run is None else self._run.root).described(self.state),
            place="this process",
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

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """See `OrchestratedRun.trace`; for a run of an earlier process, only the entry pipe is known."""
        if self._run is not None and self._run.root is not None:
            return self._run.root
        described = await self.describe()
        trace = PipeTrace(self.run_id, described.pipe, described.pipe_type, status=self.state)
        trace.started, trace.ended = self._started, self._ended
        return trace

    async def counts(self) -> RunCounts | None:
        """See `OrchestratedRun.counts`."""
        return RunCounts(*counts_of(await self.trace()))

    async def source(self) -> RunSource:
        """See `OrchestratedRun.source`."""
        return source_of(self._request)

    async def kept(self, start_over: str | None = None) -> KeptResults:
        """See `OrchestratedRun.kept`."""
        earlier = [] if self._records is None else await asyncio.to_thread(self._records.traces, self.run_id)
        roots = [*([self._run.root] if self._run is not None and self._run.root is not None else ()), *earlier]
        return kept_results(self.run_id, roots, start_over)

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """See `OrchestratedRun.reuse`."""
        return Reuse.sparse(run_id=self.run_id, start_over=start_over)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """See `OrchestratedRun.waits`; these are failed calls that will be retried."""
        return [] if self._run is None else list(self._run.waits)

    async def cancel(self) -> None:
        """See `OrchestratedRun.cancel`."""
        self._going().cancel()

    async def terminate(self, reason: str) -> None:
        """See `OrchestratedRun.terminate`."""
        self._going().cancel()
        self._terminated = reason

    async def retry(self, start_over: str | None = None) -> "BackgroundRun":
        """See `OrchestratedRun.retry`; the run begins again, and reuses the results that it already has."""
        if not self.state.has_ended:
            raise goes_on(self.run_id)
        if self.state is RunState.COMPLETED and start_over is None and (await self.result()).failures is None:
            raise nothing_to_retry(self.run_id, self.state)
        kept = await self.kept(start_over)
        self._recalled = None
        self.begin(kept)
        return self

    def _going(self) -> "asyncio.Task[Execution]":
        if self._task is None or self._task.done():
            raise has_ended(self.run_id, self.state)
        return self._task


def _retrieved(task: "asyncio.Task[Execution]") -> None:
    """Mark the task's exception as retrieved, so that asyncio does not log it if nobody asks for it."""
    if not task.cancelled():
        task.exception()
