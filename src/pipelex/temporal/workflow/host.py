"""Implements `pipelex.durable.host.Host` for the current Temporal workflow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeVar, cast

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy, SearchAttributePair
from temporalio.exceptions import ActivityError, ChildWorkflowError, FailureError, is_cancelled_exception

from pipelex.durable.dispatch import OPTIONS, Dispatch, Dispatcher, hopeless_error_types
from pipelex.durable.dispatch.options import MAXIMUM_ATTEMPTS, NON_RETRYABLE_ERROR_TYPES, PRIORITY_KEY
from pipelex.durable.host import Activity, Child, History
from pipelex.durable.jobs import Envelope, SliceJob
from pipelex.durable.limits import EngineLimits
from pipelex.durable.stored import LOAD_LIST, STORE_LIST, StoredList, StoredPayload
from pipelex.durable.tries import attempts_with_interruptions
from pipelex.durable.words import failed_run, fields_of, item_in
from pipelex.errors import ErrorReport, PipelexError
from pipelex.pipes.calls import RunIdentity
from pipelex.pipes.effects.kinds import DOCUMENT, FUNCTION
from pipelex.pipes.window import is_cancelled
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow import ids, observability
from pipelex.temporal.workflow.failures import from_failure, to_application_error
from pipelex.temporal.workflow.handover import handed_over
from pipelex.temporal.workflow.payloads import Arguments
from pipelex.temporal.workflow.subjects import ASKING, Subject

R = TypeVar("R", bound=Wire)

LOGGER: Final = logging.getLogger("pipelex.worker")

_SERVERS_TASK_TIMEOUT: Final = timedelta(seconds=10)
"""The server's default time-out of a workflow task."""

_STOPS: Final = "nothing-starts-after-a-cancel"
"""The patch marker of histories in which nothing is started after a cancellation."""

_SHORT_IDS: Final = "short-workflow-ids"
"""The patch marker of histories in which long ids of children are shortened."""

_OF_THE_FOLDER: Final = (FUNCTION.activity, DOCUMENT.activity)
"""Activities that may need files of the method's folder, which only some workers hold."""

_STORE_TIMEOUT: Final = timedelta(minutes=2)
_STORE_RETRIES: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=10)

_PAUSE: Final = timedelta(milliseconds=1)
"""The duration of a timer that ends a workflow task when there is nothing else to wait for."""

_TIME_LIMITS: Final = tuple(option for option in OPTIONS if option.key.endswith("_timeout"))
_RETRIES: Final = tuple(
    option for option in OPTIONS if option.is_retry and option not in (NON_RETRYABLE_ERROR_TYPES, MAXIMUM_ATTEMPTS)
)


class TemporalHost:
    """The current workflow as a host; see `pipelex.durable.host.Host` for its members.

    Args:
        root: the id of the entry pipe's workflow, if the job contains it.
        is_entry: whether the current workflow is the entry pipe's.
    """

    def __init__(self, root: str | None = None, *, is_entry: bool = False) -> None:
        info = workflow.info()
        known = info.root.workflow_id if info.root is not None else info.workflow_id
        handed = handed_over(info.task_queue)
        self.dispatcher: Dispatcher = handed.dispatcher
        self.limits: EngineLimits = handed.limits
        # A foreign workflow may start several runs, so a run's root is its entry workflow, and not Temporal's root.
        self.root_id = root or (info.workflow_id if is_entry else known)
        self.told_root = None if self.root_id == known else self.root_id
        attributes: Sequence[SearchAttributePair[Any]] = info.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        self._attributes = tuple(attributes)
        self.identity: RunIdentity | None = observability.identity(self._attributes)
        self._arguments = Arguments()
        asyncio.get_running_loop().set_exception_handler(_forget_what_was_dealt_with)

    @property
    def is_replaying(self) -> bool:
        return workflow.unsafe.is_replaying()

    def history(self) -> History:
        info = workflow.info()
        return History(info.get_current_history_length(), info.get_current_history_size())

    def child_id(self, path: tuple[str, ...], ranks: str = "") -> str:
        id_ = "/".join((self.root_id, *path))
        return f"{id_}[{ranks}]" if ranks else id_

    async def start_child(self, child: Child[R]) -> Awaitable[R]:
        _check_it_goes_on()
        is_shortened = ids.is_long(child.id) and workflow.patched(_SHORT_IDS)
        started = await workflow.start_child_workflow(
            child.workflow,
            args=self._arguments.of(child.envelope),
            id=ids.shortened(child.id, self.root_id) if is_shortened else child.id,
            result_type=child.result,
            task_timeout=_task_timeout(),
            static_summary=observability.summary(child.pipe, observability.item_of(child.id)),
            static_details=observability.whole_path(child.id) if is_shortened else None,
            search_attributes=observability.inherited(self._attributes, child.pipe),
        )
        return _result(started, child)

    async def perform(self, activity: Activity[R]) -> R:
        _check_it_goes_on()
        effect, dispatch = activity.effect, activity.dispatch
        args = [effect.job] if activity.arguments is None else self._arguments.of(activity.arguments)
        # Read when the activity is scheduled, and never reset, because an evicted workflow ends in another context.
        subject = Subject(activity.run_id, activity.pipe, item_in(activity.path))
        ASKING.set(subject.beyond(workflow.info().workflow_id))
        try:
            result = await workflow.execute_activity(
                effect.activity,
                args=args,
                result_type=effect.result,
                task_queue=dispatch.queue,
                retry_policy=retry_policy(dispatch),
                summary=effect.summary,
                priority=_priority(activity),
                **{option.key: dispatch[option] for option in _TIME_LIMITS},
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"activity '{effect.activity}'") from None
        return cast("R", result)

    async def store_list(self, items: list[Any]) -> StoredPayload:
        _check_it_goes_on()
        return await workflow.execute_local_activity(
            STORE_LIST,
            args=[items],
            result_type=StoredPayload,
            schedule_to_close_timeout=_STORE_TIMEOUT,
            retry_policy=_STORE_RETRIES,
        )

    async def load_list(self, stored: StoredList) -> list[Any]:
        _check_it_goes_on()
        return await workflow.execute_local_activity(
            LOAD_LIST,
            args=[stored],
            result_type=list,
            schedule_to_close_timeout=_STORE_TIMEOUT,
            retry_policy=_STORE_RETRIES,
        )

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        await workflow.wait_condition(condition)

    async def end_task(self) -> None:
        await workflow.sleep(_PAUSE)

    async def go_on(self, envelope: Envelope[SliceJob]) -> NoReturn:
        _check_it_goes_on()
        workflow.continue_as_new(args=self._arguments.of(envelope))

    def failure(self, report: ErrorReport) -> BaseException:
        if workflow.info().workflow_id == self.root_id:
            self._log_the_failed_run(report)
        return to_application_error(report, may_retry=False)

    def _log_the_failed_run(self, report: ErrorReport) -> None:
        if self.is_replaying:
            return
        run_id = self.identity.run_id if self.identity is not None else self.root_id
        with workflow.unsafe.sandbox_unrestricted():
            LOGGER.warning("%s", failed_run(run_id, report), extra=fields_of(report))

    def is_cancellation(self, error: BaseException) -> bool:
        return is_cancelled_exception(error)

    def log_bug(self, message: str) -> None:
        workflow.logger.exception("%s", message)

    def log(self, message: str) -> None:
        workflow.logger.info("%s", message)


def _forget_what_was_dealt_with(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Do not log failures of children and activities whose pipe had already failed or been cancelled."""
    error = context.get("exception")
    if not isinstance(error, FailureError | PipelexError | asyncio.CancelledError):
        loop.default_exception_handler(context)


def _check_it_goes_on() -> None:
    """Refuse to start anything once the current task was cancelled.

    If a child or an activity succeeds, the SDK swallows the cancellation of the task that awaits it, so only the task
    itself shows it. Histories from before this check replay without it. Newer ones have a patch marker for it, but only
    if something was cancelled.

    Raises:
        CancelledError: the task was cancelled.
    """
    if is_cancelled() and workflow.patched(_STOPS):
        raise asyncio.CancelledError


async def _result(started: "workflow.ChildWorkflowHandle[Any, Any]", child: Child[R]) -> R:
    try:
        return await started
    except ChildWorkflowError as failed:
        if is_cancelled_exception(failed):
            raise
        raise from_failure(failed, what=child.what) from None


def _task_timeout() -> timedelta | None:
    """The workflow task time-out to give to children: this workflow's own, or None for the server's default."""
    timeout = workflow.info().task_timeout
    return None if timeout == _SERVERS_TASK_TIMEOUT else timeout


def _priority(activity: Activity[Any]) -> Priority:
    return Priority(
        priority_key=activity.dispatch[PRIORITY_KEY],
        fairness_key=observability.fairness_key(activity.fairness_key),
    )


_SAID_BY_THE_ERROR: Final = frozenset(hopeless_error_types())
"""The types of Pipelex's errors that are marked as non-retryable when they are raised. Listing them in the retry policy
would add two kilobytes to the history for every activity."""


def retry_policy(dispatch: Dispatch) -> RetryPolicy:
    """Temporal's retry policy for one dispatch."""
    types = dispatch[NON_RETRYABLE_ERROR_TYPES]
    return RetryPolicy(
        non_retryable_error_types=[name for name in types if name not in _SAID_BY_THE_ERROR],
        maximum_attempts=attempts_with_interruptions(
            dispatch[MAXIMUM_ATTEMPTS], may_wait=dispatch.activity in _OF_THE_FOLDER
        ),
        **{option.key: dispatch[option] for option in _RETRIES},
    )
