"""One run in this process: pipes are awaited, effects are performed here, and a trace is kept of both."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from pipelex.content.stuff import Stuff
from pipelex.direct._known import KnownExecutions
from pipelex.direct._waits import Waits
from pipelex.direct.records.journal import Journal
from pipelex.errors import PipelexError
from pipelex.inference.attempts import EffectPerformer
from pipelex.inference.calls.asker import asked_by
from pipelex.inference.calls.kept import KeptSource
from pipelex.inference.calls.ledger import CallLedger
from pipelex.inference.calls.retry import Pause, RetryPolicy, with_retries
from pipelex.library import Library
from pipelex.pipes import Execution
from pipelex.pipes.batches import gathered, run_item
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.pipes.effects.jobs import kept_from
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.pipes.orchestrated import OrchestratedRuntime
from pipelex.pipes.rendering import is_used_up, share
from pipelex.pipes.tally import RunTally
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.usage import Meter
from pipelex.pipes.window import is_cancelled, together
from pipelex.pipes.wire import Wire
from pipelex.templating import Budget

if TYPE_CHECKING:
    from pipelex.inference import Inference

T = TypeVar("T")
R = TypeVar("R", bound=Wire)


class DirectRun:
    """Everything the pipes of one in-process run share.

    Args:
        library: the run's library.
        inference: returns the performer of effects; called when the run first performs one.
        identity: the run's id and its submitter.
        options: the options of the run.
        retry: the policy by which effects are retried after transient failures.
        on_change: called with the trace's root whenever something has begun or ended.
        most_dry_runs: the most pipe runs of a dry run before it fails with `TOO_LONG`; None for no limit.
        kept: results of an earlier run, to reuse for effects that ask the same.
        keeps_values: whether the trace holds values even if `on_change` is None.
    """

    def __init__(
        self,
        library: Library,
        inference: "Callable[[], Inference]",
        identity: RunIdentity,
        options: RunOptions,
        *,
        retry: RetryPolicy | None = None,
        on_change: Callable[[PipeTrace], None] | None = None,
        most_dry_runs: int | None = None,
        kept: KeptSource | None = None,
        keeps_values: bool = False,
    ) -> None:
        self.library = library
        self._open_inference = inference
        self.identity = identity
        self.options = options
        self.retry = retry or RetryPolicy()
        self.waits = Waits(self.retry.max_attempts)
        self.root: PipeTrace | None = None
        self.journal: Journal | None = None
        """The journal in which the run's events are recorded; None if no record is kept."""
        self._on_change = on_change
        self._keeps_values = keeps_values
        self.kept = kept
        self._share = share()
        self._known = KnownExecutions(most_dry_runs)
        self.performer = EffectPerformer(self._performers)

    @cached_property
    def inference(self) -> "Inference":
        """The service that performs the effects."""
        return self._open_inference()

    def _performers(self) -> Mapping[str, Callable[[Any], Awaitable[Any]]]:
        from pipelex.inference import performers

        return performers(self.inference)

    async def rendering(self) -> Budget:
        """See `Runtime.rendering`; all pipes of the run share."""
        if is_used_up(self._share):
            await asyncio.sleep(0)
            self._share = share()
        return self._share

    @property
    def is_watched(self) -> bool:
        """Whether the trace must hold values, because the run is watched or recorded."""
        return self._keeps_values or self._on_change is not None

    def changed(self) -> None:
        """Call the `on_change` callback, if there is one."""
        if self._on_change is not None and self.root is not None:
            self._on_change(self.root)

    async def execute(self, call: PipeCall, parent: PipeTrace | None = None) -> Execution:
        """Run a pipe to its end and record it in the trace.

        Raises:
            PipelexError: the pipe failed.
        """
        if self.options.mode != "dry":
            return await self._traced(call, parent)
        return await self._known.execution(call, lambda: self._traced(call, parent))

    async def _traced(self, call: PipeCall, parent: PipeTrace | None) -> Execution:
        pipe = self.library.pipe(call.pipe)
        trace = PipeTrace("/".join((self.identity.run_id, *call.path)), pipe.ref, pipe.type)
        if self.is_watched:
            trace.inputs = call.inputs
        if parent is None:
            self.root = trace
        else:
            parent.children.append(trace)
        if self.journal is not None:
            self.journal.begin(trace, parent)
        return await DirectRuntime(self, call, trace).execute()

    async def recorded(self, trace: PipeTrace | EffectTrace, work: Awaitable[T]) -> T:
        """Await some work, and record its state and times in a trace."""
        trace.started = datetime.now(UTC)
        self.changed()
        try:
            result = await work
            trace.status = RunState.COMPLETED
            return result
        except asyncio.CancelledError:
            trace.status = RunState.CANCELLED
            raise
        except BaseException as failed:
            trace.status = RunState.FAILED
            trace.error = failed.report if isinstance(failed, PipelexError) else None
            raise
        finally:
            trace.ended = datetime.now(UTC)
            self.changed()


class DirectRuntime(OrchestratedRuntime):
    """The runtime port for one pipe run of an in-process run."""

    def __init__(self, run: DirectRun, call: PipeCall, trace: PipeTrace) -> None:
        super().__init__(run.library, call, run.identity, run.options)
        self._run = run
        self._trace = trace

    async def run_itself(self) -> Execution:
        """See base class; the execution is recorded in the trace."""
        try:
            execution = await self._run.recorded(self._trace, super().run_itself())
            if self._run.is_watched:
                self._trace.output = execution.outcome.value
            return execution
        finally:
            if self._run.journal is not None:
                self._run.journal.end(self._trace)

    async def run_child(self, call: PipeCall) -> PipeOutcome:
        _check_it_goes_on()
        return (await self._run.execute(call, self._trace)).outcome

    async def run_items(self, batch: BatchCall) -> BatchOutcome:
        tally, spent, count = RunTally(self.options.max_pipe_runs), Meter(), batch.items.count
        run = partial(run_item, self.run_child, batch, options=self.options, tally=tally, spent=spent)
        with spent.telling():
            ends = await together([partial(run, index) for index in range(count)], limit=self.options.max_concurrency)
        return gathered(self._run.library, batch, ends)

    async def rendering(self) -> Budget:
        return await self._run.rendering()

    async def load(self, value: Stuff) -> Stuff:
        return value  # nothing is held by reference in one process

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await together(efforts, limit=len(efforts))

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        return self._run.inference.resolve(model)

    async def perform(self, effect: Effect[R]) -> R:
        _check_it_goes_on()
        trace, ledger = EffectTrace(effect.activity, effect.summary, attempts=0), CallLedger()
        if self._run.is_watched:
            trace.job = effect.job
        self._trace.effects.append(trace)
        journal = self._run.journal
        if journal is not None:
            journal.ask(self._trace, trace)
        call = f"{self._trace.id}#{len(self._trace.effects)}"

        async def attempt() -> R:
            trace.attempts += 1
            self._run.waits.end(trace)
            with asked_by(self.call.pipe):
                return await self._run.performer.attempt(
                    effect.kind,
                    effect.job,
                    call=call,
                    library=lambda: self.library,
                    ledger=ledger,
                    kept=self._run.kept,
                    place="/".join(self.call.path),
                )

        def pausing(pause: Pause) -> None:
            self._run.waits.begin(self._trace.id, trace, pause)

        try:
            result = await self._run.recorded(trace, with_retries(attempt, self._run.retry, pausing=pausing))
            trace.kept_from = kept_from(result)
            if self._run.is_watched:
                trace.result = result
            return result
        finally:
            self._run.waits.end(trace)
            trace.usage = ledger.usage
            if journal is not None:
                journal.answer(self._trace, trace)


def _check_it_goes_on() -> None:
    """Check for a cancellation before starting more work, because a provider's client may have swallowed it.

    Raises:
        CancelledError: the run was cancelled.
    """
    if is_cancelled():
        raise asyncio.CancelledError
