"""What surrounds a pipe run on every orchestrator: its span, its usage, and unexpected failures.

An orchestrator subclasses `OrchestratedRuntime`, and implements how children, the items of a batch and jobs run.
"""

from abc import abstractmethod
from dataclasses import replace

from pipelex.errors import PipelexError
from pipelex.library import Library
from pipelex.pipes import spans
from pipelex.pipes._execute import Execution, execute_pipe, unexpected_failure
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.pipes.effects.asking import EffectRuntime
from pipelex.pipes.traces.steps import step_of


class OrchestratedRuntime(EffectRuntime):
    """The runtime port for one pipe run, with everything that does not depend on the orchestrator.

    Args:
        library: a library with the pipe and everything below it.
        call: the pipe run.
        identity: the owner of the run.
        options: the options of the run.
        is_replayed: whether the pipe's code may be replayed from a workflow's history, which must not make a second
            span.
    """

    def __init__(
        self, library: Library, call: PipeCall, identity: RunIdentity, options: RunOptions, *, is_replayed: bool = False
    ) -> None:
        super().__init__(call.pipe, options, step_of(call.path[-1]).item if call.path else None)
        self.library = library
        self.call = call
        self.identity = identity
        self._is_replayed = is_replayed

    async def execute(self) -> Execution:
        """Run the pipe to its end. Its outcome, or its failure, includes everything that was used.

        Raises:
            PipelexError: the pipe failed, whatever the reason.
        """
        pipe = self.library.pipe(self.call.pipe)
        span = spans.of_pipe(pipe, self.call, self.identity, self.options, self.meter, is_replayed=self._is_replayed)
        with self.meter.telling(), span:
            execution = await self.run_itself()
        return replace(execution, outcome=self.meter.close(execution.outcome))

    async def run_itself(self) -> Execution:
        """Run the pipe without a span; an unexpected exception becomes a `PipelexError`."""
        try:
            return await execute_pipe(self.library, self.call, self)
        except PipelexError:
            raise
        except Exception as bug:
            if self.is_cancellation(bug):
                raise
            raise self.unexpected(bug) from bug

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        """See `Runtime.run_pipe`."""
        with self.meter.counting():
            outcome = await self.run_child(call)
        self.meter.absorb(outcome)
        return outcome

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        """See `Runtime.run_batch`."""
        with self.meter.counting():
            outcome = await self.run_items(batch)
        self.meter.absorb(outcome)
        return outcome

    # --- implemented by orchestrators ---------------------------------------------------------------------------------

    @abstractmethod
    async def run_child(self, call: PipeCall) -> PipeOutcome:
        """Run a child pipe to its end."""

    @abstractmethod
    async def run_items(self, batch: BatchCall) -> BatchOutcome:
        """Run a batch's pipe on each of its items, see `Runtime.run_batch`."""

    def is_cancellation(self, error: Exception) -> bool:
        """Whether an exception is the orchestrator's cancellation, which is not a failure."""
        del error
        return False

    def unexpected(self, bug: Exception) -> PipelexError:
        """The error for an unexpected exception."""
        return unexpected_failure(self.call, bug)
