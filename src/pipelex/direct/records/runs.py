"""A run of another process, as its record describes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from pipelex.content.stuff import WorkingMemory
from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.direct.records.kept import kept_results
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.kept import KeptResults
from pipelex.orchestration import PATIENCE, OrchestratedRun, RunCounts, RunDescription, RunSource, RunState, Wait
from pipelex.orchestration.refusals import goes_on, has_ended, is_cancelled, no_such_run, nothing_to_retry, unsupported
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeOutcome, Reuse
from pipelex.pipes.trace import PipeTrace, counts_of


@dataclass(frozen=True)
class RecordedRun:
    """A run that another process runs, or ran; see `OrchestratedRun`."""

    folder: RecordFolder
    run_id: str
    take_up: Callable[[str | None], Awaitable[OrchestratedRun]]
    """Runs the run again in this process, from the named pipe on if one is given."""

    @property
    def workflow_id(self) -> str:
        """The run's id."""
        return self.run_id

    def _facts(self) -> RecordedFacts:
        facts = self.folder.facts(self.run_id)
        if facts is None:
            raise no_such_run(self.run_id, "the records of this machine")
        return facts

    # --- what it is ---------------------------------------------------------------------------------------------------

    async def describe(self) -> RunDescription:
        """See `OrchestratedRun.describe`."""
        return self._facts().description

    async def source(self) -> RunSource:
        """See `OrchestratedRun.source`."""
        source = self.folder.source(self.run_id)
        if source is None:
            raise _unreadable(self.run_id, "what it was started with")
        return source

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """See `OrchestratedRun.trace`; for a run that has only just begun, only the entry pipe is known."""
        facts = self._facts()
        found = self.folder.trace(self.run_id)
        if found is None:
            state = facts.description.state
            found = PipeTrace(self.run_id, facts.pipe, facts.pipe_type, facts.started, facts.ended, state)
        return found

    async def kept(self, start_over: str | None = None) -> KeptResults:
        """See `OrchestratedRun.kept`."""
        return kept_results(self.run_id, self.folder.traces(self.run_id), start_over)

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """See `OrchestratedRun.reuse`."""
        return Reuse.sparse(run_id=self.run_id, start_over=start_over)

    async def counts(self) -> RunCounts | None:
        """See `OrchestratedRun.counts`."""
        return RunCounts(*counts_of(await self.trace()))

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """See `OrchestratedRun.waits`; they are those that its process last recorded."""
        return self.folder.waits(self.run_id)

    # --- its end ------------------------------------------------------------------------------------------------------

    async def execution(self) -> Execution:
        """The outcome of the run.

        Raises:
            PipelexError: the run failed, was interrupted, or is still running elsewhere.
        """
        facts = self._facts()
        state = facts.description.state
        if not state.has_ended:
            advice = "It is a run of another process on this machine: wait there."
            raise goes_on(self.run_id, detail=f"run '{self.run_id}' is running in another process", advice=advice)
        if facts.error is not None:
            raise PipelexError.from_report(facts.error)
        if facts.is_interrupted:
            raise is_cancelled(self.run_id, f"the process of run '{self.run_id}' ended before the run did")
        if state is not RunState.COMPLETED:
            raise is_cancelled(self.run_id)
        execution = self.folder.execution(self.run_id)
        if execution is None:
            raise _unreadable(self.run_id, "its result")
        return execution

    async def result(self) -> PipeOutcome:
        """See `OrchestratedRun.result`."""
        return (await self.execution()).outcome

    async def ended(self, within: timedelta) -> RunState:
        """See `OrchestratedRun.ended`."""
        return self._facts().description.state

    async def working_memory(self) -> WorkingMemory | None:
        """See `OrchestratedRun.working_memory`."""
        execution = self.folder.execution(self.run_id)
        return None if execution is None else execution.memory

    # --- what may be done with it -------------------------------------------------------------------------------------

    async def cancel(self) -> None:
        """See `OrchestratedRun.cancel`."""
        raise self._not_from_here("cancel")

    async def terminate(self, reason: str) -> None:
        """See `OrchestratedRun.terminate`."""
        raise self._not_from_here("terminate")

    async def retry(self, start_over: str | None = None) -> OrchestratedRun:
        """See `OrchestratedRun.retry`; the run continues in this process."""
        state = self._facts().description.state
        if not state.has_ended:
            raise self._not_from_here("retry")
        if state is RunState.COMPLETED and start_over is None and (await self.result()).failures is None:
            raise nothing_to_retry(self.run_id, state)
        return await self.take_up(start_over)

    def _not_from_here(self, what: str) -> PipelexError:
        facts = self._facts()
        state = facts.description.state
        if state.has_ended:
            return has_ended(self.run_id, state)
        _, _, process = facts.process.partition(" ")
        return unsupported(
            what,
            f"run '{self.run_id}' is one of another process ({process.partition(' ')[0]}), which alone can {what} it",
            "Press Ctrl-C in its terminal, or end that process. A durable run can be ended from anywhere: pipelex run … "
            "--durable",
        )


def _unreadable(run_id: str, what: str) -> PipelexError:
    return PipelexError(
        "run.not_found",
        f"the record of run '{run_id}' does not tell {what}",
        category=ErrorCategory.CONTENT,
        params={"pipeline_run_id": run_id},
    )
