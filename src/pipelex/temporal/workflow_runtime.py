"""The runtime port inside a workflow: child pipes are child workflows, effects are activities."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, cast

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy, SearchAttributePair
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

from pipelex.content.stuff import WorkingMemory
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import Library, linked_libraries
from pipelex.pipes import execute_pipe
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
from pipelex.temporal.config import hopeless_error_types
from pipelex.temporal.failures import from_failure, to_application_error
from pipelex.temporal.limits import check_payload
from pipelex.temporal.payloads import PipeJob, crate_payload
from pipelex.temporal.routing import Dispatch, trace_line

T = TypeVar("T")
R = TypeVar("R", bound=Wire)

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
        try:
            library = linked_libraries().get(crate.payload.data)
            runtime = TemporalRuntime(library, job)
            execution = await execute_pipe(library, job.call, runtime)
            outcome = runtime.meter.close(execution.outcome)
            check_payload(outcome, what=f"the result of pipe '{job.call.pipe}'")
        except PipelexError as failed:
            raise to_application_error(failed.report, may_retry=False) from None
        except Exception as bug:
            if is_cancelled_exception(bug):
                raise
            # A bug of ours must end the run with its name: left alone, Temporal would repeat the task for ever.
            workflow.logger.exception("pipe '%s' failed unexpectedly", job.call.pipe)
            raise to_application_error(_bug_report(job, bug).report, may_retry=False) from bug
        self._memory = execution.memory
        return outcome

    def working_memory(self) -> dict[str, Any]:
        """The memory the pipe ended with, in its wire form; empty while it runs."""
        return self._memory.to_json()


def _bug_report(job: PipeJob, bug: Exception) -> PipelexError:
    detail = f"pipe '{job.call.pipe}' failed unexpectedly: {type(bug).__name__}: {bug}"
    error = PipelexError("runtime.unexpected", detail, category=ErrorCategory.UNKNOWN)
    return error.with_location(pipe=job.call.pipe, path=job.call.path)


class TemporalRuntime(EffectRuntime):
    """The runtime port for the pipe run of the current workflow."""

    def __init__(self, library: Library, job: PipeJob) -> None:
        super().__init__(job.call.pipe, job.options)
        self._library = library
        self._job = job
        info = workflow.info()
        self._dispatcher = dispatch.installed(info.task_queue)
        self._root_id = info.root.workflow_id if info.root is not None else info.workflow_id
        attributes: Sequence[SearchAttributePair[Any]] = info.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._attributes = tuple(attributes)

    # --- children -----------------------------------------------------------------------------------------------------

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        pipe = self._library.pipe(call.pipe)
        crate = self._library.closure(call.pipe)
        job = PipeJob(call=call, run=self._job.run, options=self._job.options)
        check_payload(job, what=f"the inputs of pipe '{pipe.code}'", named=call.inputs)
        try:
            outcome: PipeOutcome = await workflow.execute_child_workflow(
                pipe.type,
                args=[job, crate_payload(crate)],
                id="/".join((self._root_id, *call.path)),
                result_type=PipeOutcome,
                static_summary=observability.summary(self._library, call.pipe),
                search_attributes=observability.inherited(self._attributes, call.pipe, self._library),
            )
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"pipe '{pipe.code}'").with_location(
                pipe=call.pipe, path=call.path
            ) from None
        self.meter.add(outcome.usage)
        return outcome

    async def run_batch(self, batch: BatchCall) -> list[PipeOutcome]:
        efforts = [partial(self._run_item, batch, index) for index in range(len(batch.items.items))]
        return await together(efforts, limit=min(self.options.max_concurrency, COMMANDS_AT_ONCE))

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
        check_payload(effect.job, what=f"the prompt or document of pipe '{self._job.call.pipe}' for {effect.activity}")
        args: list[Any] = [effect.job]
        if isinstance(effect.job, TemplateRequest):
            args.append(crate_payload(self._library.closure(self._job.call.pipe)))
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
                priority=Priority(priority_key=options.priority_key),
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            raise _with_place(from_failure(failed, what=f"activity '{effect.activity}'"), effect) from None
        return cast("R", result)


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
