"""The handle of a run in the public API, the same for every orchestrator."""

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
    """A handle to wait for a run, watch it and end it; it works for a durable run from any process."""

    orchestrator: Orchestrator
    run: OrchestratedRun = field(repr=False)
    pipe: str
    """The entry pipe's reference, or only its code if the orchestrator knows no more."""
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
        """The state of an earlier run with the same id and job that the start found; None if it started a new run."""
        return None if self.started is None else self.started.found

    @property
    def is_attached(self) -> bool:
        """Whether the start found an earlier run with the same id and job, and attached to it."""
        return self.found is not None

    @property
    def note(self) -> str | None:
        """One sentence about the earlier run that the start found; None if it started a new run."""
        return None if self.started is None else self.started.note

    async def result(self, *, full_memory: bool = False) -> RunResult:
        """Wait for the run's end, and return its result.

        Args:
            full_memory: whether to also ask a worker for everything that the entry pipe's memory held.

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
        """The failure; if it belongs to an earlier run, the advice says so, and how to continue that run."""
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
            values: whether to include inputs, outputs and prompts even if reading them takes extra requests.
            ended: whether to include the insides of pipes that have ended even if each takes a request. Running pipes
                are always included in full.
        """
        return await self.run.trace(values=values, ended=ended)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """The waits of the run that may need somebody to act, each with its reason.

        Args:
            patience: the time that a task may spend in a queue before it counts as a wait.
        """
        return await self.run.waits(patience)

    async def cancel(self, *, within: timedelta = timedelta(0)) -> RunState:
        """Ask the run to end: it starts nothing new, and cancels what is under way.

        Args:
            within: the time to wait for the end; by default, the call does not wait.

        Returns:
            The state in which the run ended; `RUNNING` if it has not ended yet.

        Raises:
            PipelexError: the run has already ended.
        """
        await self.run.cancel()
        return await self.run.ended(within)

    async def terminate(self, reason: str = "terminated by its caller") -> None:
        """End the run at once, whatever is under way.

        Args:
            reason: the reason, for people who look at the run.

        Raises:
            PipelexError: the run has already ended.
        """
        await self.run.terminate(reason)

    async def retry(self, *, start_over: str | None = None) -> "RunHandle":
        """Continue an unsuccessful run from where it failed, under the same id.

        Nothing is paid for twice: in a batch, only the failed items run again. A run that left items out may be
        retried, too.

        Args:
            start_over: reference or code of the pipe to run again, with everything after it; if None, the run continues
                from where it failed.

        Returns:
            The handle of the continued run; a durable run continues as the same run.

        Raises:
            PipelexError: the run is still running or has succeeded, or its method has no such pipe.
        """
        if start_over is not None:
            start_over = (await self.run.source()).library.find_pipe(start_over)
        return replace(self, run=await self.run.retry(start_over), started=None)
