"""The runtime port inside a workflow: child pipes are child workflows, effects are activities."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, cast

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy, SearchAttributePair
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors import PipelexError
from pipelex.library import Library, LibraryCrate, linked_libraries
from pipelex.pipes import CONTROLLERS, Execution, execute_pipe, spans, unexpected_failure
from pipelex.pipes.batches import joined
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunIdentity
from pipelex.pipes.effects.asking import EffectRuntime
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.effects.requests import ComputedRequest
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.pipes.window import together
from pipelex.pipes.wire import Wire
from pipelex.temporal.config import hopeless_error_types
from pipelex.temporal.config.routing import Dispatch, trace_line
from pipelex.temporal.workflow import dispatch, observability
from pipelex.temporal.workflow.batches import COMMANDS_AT_ONCE, SLICE_WORKFLOW, Batches, load
from pipelex.temporal.workflow.failures import from_failure, to_application_error
from pipelex.temporal.workflow.large_inputs import LargeInputs, LargeValues, whole
from pipelex.temporal.workflow.limits import check_history, check_payload
from pipelex.temporal.workflow.list_parts import stored_payload
from pipelex.temporal.workflow.pages import Page
from pipelex.temporal.workflow.payloads import PipeJob, SliceJob, crate_of, crate_payload
from pipelex.temporal.workflow.room import Room

T = TypeVar("T")
R = TypeVar("R", bound=Wire)

FAIRNESS_KEY_BYTES = 64
"""Of the server."""

_SERVERS_TASK_TIMEOUT = timedelta(seconds=10)


class PipeWorkflow:
    """What every workflow of ours does: run one pipe on its job and remember the working memory for queries."""

    def __init__(self) -> None:
        self._memory = WorkingMemory()

    async def run_pipe(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        """Run the job's pipe.

        Args:
            job: the call, and what shapes it.
            crate: of the pipe.
            large: inputs of the call that the job leaves out.

        Raises:
            ApplicationError: it failed; the type is the error's code, the details hold its report.
        """
        with failing_with_reports(job.call):
            library = linked_libraries().get(crate.payload.data)
            runtime = TemporalRuntime(library, job.model_copy(update={"call": whole(job.call, large)}))
            execution = await runtime.execute()
            outcome = execution.outcome
            runtime.check(outcome, what=f"the result of pipe '{job.call.pipe}'")
            self._memory = execution.memory
            return outcome

    @workflow.query(name="working_memory")
    def working_memory(self) -> dict[str, Any]:
        """The memory the pipe ended with, in its wire form; empty while it runs."""
        return self._memory.to_json()


async def run_slice(job: SliceJob, crate: RawValue, items: list[Any] | None, large: LargeInputs | None) -> BatchOutcome:
    """Run one slice of a batch: its items in a window, or its own slices.

    Args:
        job: the slice.
        crate: of the batch's pipe.
        items: the slice's items, where the job holds them by reference.
        large: inputs of the batch's call that the job leaves out.

    Raises:
        ApplicationError: an item failed; see `PipeWorkflow.run_pipe`.
        ContinueAsNewError: this run's history is long; the next run goes on with the items that are left.
    """
    batch = job.batch.model_copy(update={"call": whole(job.batch.call, large)})
    with failing_with_reports(batch.call):
        library = linked_libraries().get(crate.payload.data)
        runtime = TemporalRuntime(library, PipeJob(call=batch.call, run=job.run, options=job.options))
        batches = runtime.batches
        if not batches.is_leaf(batch):
            return await batches.run(batch)
        at_hand = batch if items is None else batch.of_items(Stuff.of_list(batch.items.concept, items), batch.offset)
        outcome, done = await batches.run_page(at_hand, job.skip, Page())
        outcome = await batches.kept(outcome)
        if job.done is not None:
            outcome = joined(library, batch, [job.done, outcome])
        runtime.check(outcome, what=f"the results of a slice of pipe '{batch.call.pipe}'")
    if done == batch.items.count:
        return outcome
    rest = job.model_copy(update={"skip": done, "done": outcome})
    workflow.continue_as_new(args=slice_arguments(rest, crate, runtime.split(batch.call)[1]))


def slice_arguments(job: SliceJob, crate: RawValue, large: RawValue | None) -> list[Any]:
    """The arguments of a slice's workflow; items that are held by reference are fetched where it runs."""
    parts = job.batch.items.parts
    return [job, crate, stored_payload(parts[0]).argument() if len(parts) == 1 else None, large]


@contextmanager
def failing_with_reports(call: PipeCall) -> Generator[None]:
    """Have whatever fails in the block fail the workflow, with a report."""
    try:
        yield
    except PipelexError as failed:
        raise to_application_error(failed.report, may_retry=False) from None
    except Exception as bug:
        if is_cancelled_exception(bug):
            raise
        # A bug of ours must end the run with its name: left alone, Temporal would repeat the task for ever.
        workflow.logger.exception("pipe '%s' failed unexpectedly", call.pipe)
        raise to_application_error(unexpected_failure(call, bug).report, may_retry=False) from bug


class TemporalRuntime(EffectRuntime):
    """The runtime port for the pipe run of the current workflow."""

    def __init__(self, library: Library, job: PipeJob, within: "TemporalRuntime | None" = None) -> None:
        super().__init__(job.call.pipe, job.options)
        self._library = library
        self._job = job
        self._room = within._room if within else Room()
        self._large = within._large if within else LargeValues(job.options.stored_above)
        info = workflow.info()
        self._dispatcher = dispatch.installed(info.task_queue)
        self._root_id = info.root.workflow_id if info.root is not None else info.workflow_id
        attributes: Sequence[SearchAttributePair[Any]] = info.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._attributes = tuple(attributes)
        told = observability.identity(self._attributes)
        self._run = job.run or told or RunIdentity(run_id=self._root_id)
        self._told_run = None if told == self._run else self._run
        self.batches = Batches(
            library, self._told_run, job.options, run_pipe=self._run_child, start_slice=self._start_slice
        )

    async def execute(self) -> Execution:
        """Run the job's pipe; its outcome tells everything that was used.

        Raises:
            PipelexError: it failed.
        """
        call, options = self._job.call, self._job.options
        pipe = self._library.pipe(call.pipe)
        with spans.of_pipe(pipe, call, self._run, options, self.meter, is_replayed=True):
            execution = await execute_pipe(self._library, call, self)
        return replace(execution, outcome=self.meter.close(execution.outcome))

    # --- children -----------------------------------------------------------------------------------------------------

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        outcome = await self._run_child(call)
        self.meter.absorb(outcome)
        return outcome

    def split(self, call: PipeCall) -> tuple[PipeCall, RawValue | None]:
        """See `LargeValues.split`."""
        return self._large.split(call)

    async def _run_child(self, call: PipeCall) -> PipeOutcome:
        pipe = self._library.pipe(call.pipe)
        if self.options.child_workflows == "controllers" and pipe.type not in CONTROLLERS:
            return await self._run_inline(call)
        crate = crate_of(self._library, call)
        job = PipeJob.sparse(call=call, run=self._told_run, options=self._job.options)
        size = self._checked(job, crate, what=f"the inputs of pipe '{pipe.code}'", named=call.inputs)
        kept, large = self.split(call)
        arguments = [job.model_copy(update={"call": kept}), crate_payload(crate), large]
        try:
            return await self._child(
                pipe.type, arguments, call.pipe, "/".join((self._root_id, *call.path)), PipeOutcome, size
            )
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"pipe '{pipe.code}'").with_location(
                pipe=call.pipe, path=call.path
            ) from None

    async def _run_inline(self, call: PipeCall) -> PipeOutcome:
        """Run a child pipe as a part of this workflow."""
        runtime = TemporalRuntime(self._library, self._job.model_copy(update={"call": call}), self)
        return (await runtime.execute()).outcome

    async def _child(self, type_: str, arguments: list[Any], pipe: str, child_id: str, result: type[R], size: int) -> R:
        """Run a child workflow to its end; its start waits for room in the request where others are on their way."""
        async with self._room.taken(size):
            self._check_history(size)
            child = await workflow.start_child_workflow(
                type_,
                args=arguments,
                id=child_id,
                result_type=result,
                task_timeout=_task_timeout(),
                static_summary=observability.summary(self._library, pipe),
                search_attributes=observability.inherited(self._attributes, pipe, self._library),
            )
        return cast("R", await child)

    def _checked(self, job: Wire, crate: LibraryCrate, *, what: str, named: Mapping[str, Stuff] | None = None) -> int:
        """Bytes that a child's start takes in a request, at most."""
        stored_above, in_crate = self.options.stored_above, len(crate.json_bytes)
        return self.check(job, what=what, named=named) + (
            in_crate if stored_above is None else min(in_crate, stored_above)
        )

    def check(self, payload: Wire, *, what: str, named: Mapping[str, Stuff] | None = None) -> int:
        """See `check_payload`."""
        stored_above, has_store = self.options.stored_above, self._dispatcher.has_store
        return check_payload(payload, what=what, named=named, stored_above=stored_above, has_store=has_store)

    def _check_history(self, size: int) -> None:
        """See `check_history`."""
        info = workflow.info()
        events, bytes_ = info.get_current_history_length(), info.get_current_history_size() + size
        check_history(events, bytes_, what=f"pipe '{self._job.call.pipe}'")

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        outcome = await self.batches.run(batch)
        self.meter.absorb(outcome)
        return outcome

    async def _start_slice(self, job: SliceJob, crate: LibraryCrate) -> BatchOutcome:
        batch = job.batch
        pipe = self._library.pipe(batch.call.pipe)
        ranks = f"{batch.offset}-{batch.last}"
        what = f"items {ranks} of the batch of pipe '{pipe.code}'"
        size = self._checked(job, crate, what=what)
        child_id = "/".join((self._root_id, *batch.call.path)) + f"[{ranks}]"
        kept, large = self.split(batch.call)
        kept_job = job.model_copy(update={"batch": batch.model_copy(update={"call": kept})})
        arguments = slice_arguments(kept_job, crate_payload(crate), large)
        try:
            return await self._child(SLICE_WORKFLOW, arguments, batch.call.pipe, child_id, BatchOutcome, size)
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"a slice of pipe '{pipe.code}'") from None

    async def load(self, value: Stuff) -> Stuff:
        return await load(value)

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await together(efforts, limit=COMMANDS_AT_ONCE)

    # --- effects ------------------------------------------------------------------------------------------------------

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        return self._dispatcher.resolve(model)

    async def perform(self, effect: Effect[R]) -> R:
        options = self._dispatcher.options(effect.activity, effect.model, effect.key)
        what = f"the prompt or document of pipe '{self._job.call.pipe}' for {effect.activity}"
        size = self.check(effect.job, what=what)
        args: list[Any] = [effect.job]
        if isinstance(effect.job, ComputedRequest):
            request, large = self._large.split(effect.job)
            args = [request, crate_payload(crate_of(self._library, self._job.call)), large]
        if self._dispatcher.config.log.is_dispatch_resolution_traced and not workflow.unsafe.is_replaying():
            workflow.logger.info("%s", trace_line(options))
        try:
            # When an activity was accepted is not told, so that it keeps its room to its end.
            async with self._room.taken(size):
                self._check_history(size)
                result = await workflow.execute_activity(
                    effect.activity,
                    args=args,
                    result_type=effect.result,
                    task_queue=options.queue,
                    start_to_close_timeout=options.start_to_close,
                    schedule_to_close_timeout=options.schedule_to_close,
                    schedule_to_start_timeout=options.schedule_to_start,
                    heartbeat_timeout=options.heartbeat,
                    retry_policy=retry_policy(options),
                    summary=effect.summary,
                    priority=self._priority(options),
                )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            raise _with_place(from_failure(failed, what=f"activity '{effect.activity}'"), effect) from None
        return cast("R", result)

    def _priority(self, options: Dispatch) -> Priority:
        user = self._run.user_id if self._dispatcher.config.worker_config.fairness_by_user else None
        fairness_key = None if user is None else observability.cut(user, FAIRNESS_KEY_BYTES)
        return Priority(priority_key=options.priority_key, fairness_key=fairness_key)


def _task_timeout() -> timedelta | None:
    """That of this workflow, for its children; the server's own costs no bytes."""
    timeout = workflow.info().task_timeout
    return None if timeout == _SERVERS_TASK_TIMEOUT else timeout


def _with_place(error: PipelexError, effect: Effect[Any]) -> PipelexError:
    """A time-out or a lost worker is about a model, too."""
    model = effect.model
    if model is None or error.report.model is not None:
        return error
    return error.with_report(model=model.handle, provider=model.backend)


_SAID_BY_THE_ERROR = frozenset(hopeless_error_types())
"""Errors of ours say by themselves that repeating them is hopeless; listing them again would cost two kilobytes of
history for every activity."""


def retry_policy(options: Dispatch) -> RetryPolicy:
    """Temporal's retry policy of one dispatch."""
    return RetryPolicy(
        initial_interval=options.initial_interval,
        backoff_coefficient=options.backoff_coefficient,
        maximum_interval=options.maximum_interval,
        maximum_attempts=options.maximum_attempts,
        non_retryable_error_types=[
            name for name in options.non_retryable_error_types if name not in _SAID_BY_THE_ERROR
        ],
    )
