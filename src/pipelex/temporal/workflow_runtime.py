"""The runtime port inside a workflow: child pipes are child workflows, effects are activities."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy, SearchAttributePair
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors import PipelexError
from pipelex.library import Library, LibraryCrate, linked_libraries
from pipelex.pipes import execute_pipe, unexpected_failure
from pipelex.pipes.effects import Effect, EffectRuntime
from pipelex.pipes.runtime import (
    BatchCall,
    ModelChoice,
    PipeCall,
    PipeOutcome,
    ResolvedModel,
    TemplateRequest,
    Wire,
)
from pipelex.pipes.window import together
from pipelex.temporal import dispatch, observability
from pipelex.temporal.config import MOST_INLINE, hopeless_error_types
from pipelex.temporal.failures import from_failure, to_application_error
from pipelex.temporal.limits import TASK_LIMIT, check_payload
from pipelex.temporal.payloads import PipeJob, SliceJob, SliceOutcome, crate_of, crate_payload
from pipelex.temporal.routing import Dispatch, trace_line

T = TypeVar("T")
R = TypeVar("R", bound=Wire)

SLICE_WORKFLOW = "PipeBatchSlice"

FAIRNESS_KEY_BYTES = 64
"""Of the server."""

COMMANDS_AT_ONCE = 100
"""Most commands one workflow task may schedule: larger ones meet the server's size limit or the deadlock detector."""


class PipeWorkflow:
    """What every workflow of ours does: run one pipe on its job and remember the working memory for queries."""

    def __init__(self) -> None:
        self._memory = WorkingMemory()

    async def run_pipe(self, job: PipeJob, crate: RawValue) -> PipeOutcome:
        """Run the job's pipe.

        Raises:
            ApplicationError: it failed; the type is the error's code, the details hold its report.
        """
        with failing_with_reports(job.call):
            library = linked_libraries().get(crate.payload.data)
            runtime = TemporalRuntime(library, job)
            execution = await execute_pipe(library, job.call, runtime)
            outcome = runtime.meter.close(execution.outcome)
            has_storage = job.options.has_payload_storage
            check_payload(outcome, what=f"the result of pipe '{job.call.pipe}'", has_storage=has_storage)
            self._memory = execution.memory
            return outcome

    def working_memory(self) -> dict[str, Any]:
        """The memory the pipe ended with, in its wire form; empty while it runs."""
        return self._memory.to_json()


async def run_slice(job: SliceJob, crate: RawValue) -> SliceOutcome:
    """Run the items of one slice of a batch in a window.

    Raises:
        ApplicationError: an item failed; see `PipeWorkflow.run_pipe`.
    """
    with failing_with_reports(job.batch.call):
        library = linked_libraries().get(crate.payload.data)
        runtime = TemporalRuntime(library, PipeJob(call=job.batch.call, run=job.run, options=job.options))
        slice_outcome = SliceOutcome(outcomes=tuple(await runtime.run_window(job.batch)))
        what = f"the results of a slice of pipe '{job.batch.call.pipe}'"
        check_payload(slice_outcome, what=what, has_storage=job.options.has_payload_storage)
        return slice_outcome


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

    def __init__(self, library: Library, job: PipeJob) -> None:
        super().__init__(job.call.pipe, job.options)
        self._library = library
        self._job = job
        self._in_sending = 0
        info = workflow.info()
        self._dispatcher = dispatch.installed(info.task_queue)
        self._root_id = info.root.workflow_id if info.root is not None else info.workflow_id
        attributes: Sequence[SearchAttributePair[Any]] = info.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._attributes = tuple(attributes)

    # --- children -----------------------------------------------------------------------------------------------------

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        pipe = self._library.pipe(call.pipe)
        crate = crate_of(self._library, call)
        job = PipeJob(call=call, run=self._job.run, options=self._job.options)
        size = self._checked(job, crate, what=f"the inputs of pipe '{pipe.code}'", named=call.inputs)
        try:
            outcome = await self._child(
                pipe.type, job, crate, call.pipe, "/".join((self._root_id, *call.path)), PipeOutcome, size
            )
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"pipe '{pipe.code}'").with_location(
                pipe=call.pipe, path=call.path
            ) from None
        self.meter.add(outcome.usage)
        return outcome

    async def _child(
        self, type_: str, job: Wire, crate: LibraryCrate, pipe: str, child_id: str, result: type[R], size: int
    ) -> R:
        """Run a child workflow to its end; its start waits for room in the request where others are on their way."""
        async with self._sending(size):
            child = await workflow.start_child_workflow(
                type_,
                args=[job, crate_payload(crate)],
                id=child_id,
                result_type=result,
                static_summary=observability.summary(self._library, pipe),
                search_attributes=observability.inherited(self._attributes, pipe, self._library),
            )
        return cast("R", await child)

    def _checked(self, job: Wire, crate: LibraryCrate, *, what: str, named: Mapping[str, Stuff] | None = None) -> int:
        """Bytes that a child's start takes in a request, at most."""
        has_storage = self.options.has_payload_storage
        in_crate = min(len(crate.json_bytes), MOST_INLINE) if has_storage else len(crate.json_bytes)
        return check_payload(job, what=what, named=named, has_storage=has_storage) + in_crate

    @asynccontextmanager
    async def _sending(self, size: int) -> AsyncGenerator[None]:
        """Wait until the children before were accepted, where one task would carry more than the server takes."""
        while self._in_sending > 0 and self._in_sending + size > TASK_LIMIT:
            await workflow.wait_condition(lambda: self._in_sending == 0 or self._in_sending + size <= TASK_LIMIT)
        self._in_sending += size
        try:
            yield
        finally:
            self._in_sending -= size

    async def run_batch(self, batch: BatchCall) -> list[PipeOutcome]:
        if len(batch.items.items) <= self.options.slice_size:
            return await self.run_window(batch)
        # A slice keeps a window of its own: as many slices at a time as full windows make the run's concurrency.
        at_once = max(1, self.options.max_concurrency // COMMANDS_AT_ONCE)
        efforts = [partial(self._run_slice, each) for each in batch.slices(self.options.slice_size)]
        return [outcome for outcomes in await together(efforts, limit=at_once) for outcome in outcomes]

    async def run_window(self, batch: BatchCall) -> list[PipeOutcome]:
        """Run every item as a child workflow of this one, in a window."""
        efforts = [partial(self._run_item, batch, index) for index in range(len(batch.items.items))]
        return await together(efforts, limit=min(self.options.max_concurrency, COMMANDS_AT_ONCE))

    async def _run_slice(self, batch: BatchCall) -> tuple[PipeOutcome, ...]:
        call = batch.call
        pipe = self._library.pipe(call.pipe)
        last = batch.offset + len(batch.items.items) - 1
        job = SliceJob(batch=batch, run=self._job.run, options=self._job.options)
        crate = crate_of(self._library, batch.item_call(0))
        what = f"items {batch.offset} to {last} of the batch of pipe '{pipe.code}'"
        size = self._checked(job, crate, what=what)
        child_id = "/".join((self._root_id, *call.path)) + f"[{batch.offset}-{last}]"
        try:
            found = await self._child(SLICE_WORKFLOW, job, crate, call.pipe, child_id, SliceOutcome, size)
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"a slice of pipe '{pipe.code}'") from None
        for outcome in found.outcomes:
            self.meter.add(outcome.usage)
        return found.outcomes

    async def _run_item(self, batch: BatchCall, index: int) -> PipeOutcome:
        # The item's call is made here, when its turn comes, so that a long list is not held twice.
        return await self.run_pipe(batch.item_call(index))

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await together(efforts, limit=COMMANDS_AT_ONCE)

    # --- effects ------------------------------------------------------------------------------------------------------

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        return self._dispatcher.resolve(model)

    async def perform(self, effect: Effect[R]) -> R:
        options = self._dispatcher.options(effect.activity, effect.model, effect.key)
        what = f"the prompt or document of pipe '{self._job.call.pipe}' for {effect.activity}"
        check_payload(effect.job, what=what, has_storage=self.options.has_payload_storage)
        args: list[Any] = [effect.job]
        if isinstance(effect.job, TemplateRequest):
            args.append(crate_payload(crate_of(self._library, self._job.call)))
        if self._dispatcher.config.log.is_dispatch_resolution_traced and not workflow.unsafe.is_replaying():
            workflow.logger.info("%s", trace_line(options))
        try:
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
        user = self._job.run.user_id if self._dispatcher.config.worker_config.fairness_by_user else None
        fairness_key = None if user is None else observability.cut(user, FAIRNESS_KEY_BYTES)
        return Priority(priority_key=options.priority_key, fairness_key=fairness_key)


def _with_place(error: PipelexError, effect: Effect[Any]) -> PipelexError:
    """A time-out or a lost worker is about a model, too."""
    model = effect.model
    if model is not None and error.report.model is None:
        error.report = replace(error.report, model=model.handle, provider=model.backend)
    return error


_SAID_BY_THE_ERROR = frozenset(hopeless_error_types()) - {"PayloadsTooLarge"}
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
