"""The handle of a run in the public API, for every orchestrator."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors import PipelexError
from pipelex.orchestration import PATIENCE, OrchestratedRun, Orchestrator, RunDescription, RunState, StartedRun, Wait
from pipelex.pipes.trace import PipeTrace
from pipelex.runner._result import RunResult, result_of


@dataclass(frozen=True)
class RunHandle:
    """A handle to wait for a run, watch it and end it; for a durable run, from any process."""

    orchestrator: Orchestrator
    run: OrchestratedRun = field(repr=False)
    pipe: str
    """The entry pipe's reference, or its code alone where the orchestrator knows no more."""
    inputs: Mapping[str, Stuff] = field(default_factory=dict[str, Stuff], repr=False)
    """The inputs of the run; empty for a run that was started elsewhere."""
    started: StartedRun | None = field(default=None, repr=False)
    """The outcome of the start; None for a run that was started elsewhere."""

    @property
    def run_id(self) -> str:
        """The pipeline run id."""
        return self.run.run_id

    @property
    def workflow_id(self) -> str:
        """The engine's id of the entry pipe's run; in-process, the run's id."""
        return self.run.workflow_id

    @property
    def found(self) -> RunState | None:
        """The state of the run with the same id and job that was there when this one was to start; None where none was."""
        return None if self.started is None else self.started.found

    @property
    def is_attached(self) -> bool:
        """Whether a run with the same id and job was there already when this one was to start."""
        return self.found is not None

    @property
    def note(self) -> str | None:
        """One sentence on the run that was found instead of being started; None where a new one was started."""
        return None if self.started is None else self.started.note

    async def result(self, *, full_memory: bool = False) -> RunResult:
        """Wait for the run's end.

        Args:
            full_memory: also ask a worker for everything the entry pipe's memory held.

        Raises:
            PipelexError: the run failed, was cancelled or terminated, or timed out.
        """
        try:
            outcome = await self.run.result()
        except PipelexError as failed:
            told = self._told(failed)
            if told is failed:
                raise
            raise told from failed.__cause__
        memory = WorkingMemory(root=dict(self.inputs))
        if full_memory or not self.orchestrator.is_durable:
            memory = await self.run.working_memory() or memory
        trace = None if self.orchestrator.is_durable else await self.run.trace()
        return result_of(self.run_id, self.pipe, outcome, memory, trace)

    def _told(self, failed: PipelexError) -> PipelexError:
        """A failure that was there before this start says so, and how to go on."""
        if self.found in (None, RunState.RUNNING) or self.note is None:
            return failed
        advice = "\n".join(filter(None, (self.note, failed.report.advice)))
        return failed.with_report(advice=advice)

    async def status(self) -> RunState:
        """The state of the run."""
        return (await self.run.describe()).state

    async def describe(self) -> RunDescription:
        """The run's state, entry pipe, times and place."""
        return await self.run.describe()

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """The tree of pipes and effects so far.

        Args:
            values: whether inputs, outputs and what was asked of models is wanted, too, where it is not at hand anyway.
            ended: whether the insides of pipes that have ended are wanted, too, where each costs a look; without them, what
                goes on is shown whole.
        """
        return await self.run.trace(values=values, ended=ended)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """The waits of the run that may need somebody to act, each with its reason.

        Args:
            patience: the time that a task may wait in a queue before it counts.
        """
        return await self.run.waits(patience)

    async def cancel(self, *, within: timedelta = timedelta(0)) -> RunState:
        """Ask the run to end: it starts nothing new, and cancels what is under way.

        Args:
            within: the time to wait for the end; by default none.

        Returns:
            The state in which the run ended; `RUNNING` if it has not ended yet.

        Raises:
            PipelexError: it has ended already.
        """
        await self.run.cancel()
        return await self.run.ended(within)

    async def terminate(self, reason: str = "terminated by its caller") -> None:
        """End the run at once, whatever is under way.

        Args:
            reason: why, for those who look at the run.

        Raises:
            PipelexError: it has ended already.
        """
        await self.run.terminate(reason)

    async def retry(self, *, start_over: str | None = None) -> "RunHandle":
        """Continue an unsuccessful run from where it failed, under the same id.

        What was paid for is not paid for again; of a batch, the failed items alone are. A run that left items out may be
        retried, too.

        Args:
            start_over: reference or code of the pipe to go on from, with everything that followed it.

        Returns:
            The run that goes on; of a durable run, this very one.

        Raises:
            PipelexError: it goes on, or has succeeded; or its method has no such pipe.
        """
        if start_over is not None:
            start_over = (await self.run.source()).library.find_pipe(start_over)
        return replace(self, run=await self.run.retry(start_over), started=None)
