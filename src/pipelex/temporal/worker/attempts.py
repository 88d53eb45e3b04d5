"""Makes one attempt of an activity. Heartbeats carry its counts and its usage to the next attempt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from temporalio import activity
from temporalio.converter import ActivitySerializationContext
from temporalio.exceptions import ApplicationError

from pipelex.durable.attempts import Attempt, attempted
from pipelex.durable.limits import EngineLimits
from pipelex.durable.tries import Tries, failures_allowed, interrupted, may_wait
from pipelex.durable.words import failed_attempt, fields_of, interrupted_attempt, unreached_attempt
from pipelex.errors import ErrorCategory, ErrorReport, PipelexError
from pipelex.inference.calls.ledger import CallLedger
from pipelex.pipes.wire import Wire
from pipelex.temporal.codec import store_of, store_value, stored_above
from pipelex.temporal.worker.late import check_it_is_awaited
from pipelex.temporal.worker.subjects import current_subject
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.subjects import Subject

R = TypeVar("R", bound=Wire)

METHOD_TREE: Final = "method_tree"
"""The capability that an error names if the worker does not have the folder of a method."""

WAITS_FOR: Final = timedelta(seconds=10)
"""The wait before a call that needs another worker is offered again."""

_COUNTS: Final = ("failures", "waits", "unreached")
"""The counts in a heartbeat, in order; they follow the ledger."""

LOGGER: Final = logging.getLogger("pipelex.worker")


class Keeping(Protocol):
    """A store that keeps large results before an attempt counts as a success."""

    @property
    def stored_above(self) -> int | None:
        """The size in bytes from which a result is kept; None if there is no store."""
        ...

    async def keep(self, result: Wire) -> None:
        """Keep a result if it is large.

        Raises:
            PipelexError: the store does not accept it.
        """
        ...


class SdkStore:
    """The store of the client's data converter.

    Results are stored before the SDK stores them, because the SDK would repeat an attempt whose result it cannot store,
    and Pipelex would not notice.
    """

    def __init__(self) -> None:
        self._converter = activity.client().data_converter
        self.stored_above = stored_above(self._converter)

    async def keep(self, result: Wire) -> None:
        """See `Keeping.keep`."""
        least = self.stored_above
        if (
            least is None
            or store_of(self._converter) is None
            or len(result.model_dump_json(exclude_unset=True)) < least
        ):
            return
        info = activity.info()
        context = ActivitySerializationContext(
            namespace=info.namespace,
            activity_id=info.activity_id,
            activity_type=info.activity_type,
            activity_task_queue=info.task_queue,
            workflow_id=info.workflow_id,
            workflow_type=info.workflow_type,
            is_local=info.is_local,
        )
        await store_value(self._converter.with_context(context), result)


class CurrentAttempt:
    """The attempt that the current activity makes.

    Heartbeats tell the next attempt what this one used and whether it truly failed. The SDK sends the last heartbeat
    with a failure, and the server keeps it if the worker is lost.

    Args:
        limits: the limits of the engine.
        keeping: keeps large results; by default the store of the client.
        outage_seconds: the seconds of waiting during which attempts that cannot connect to their provider do not count
            as failures.
    """

    def __init__(self, limits: EngineLimits, keeping: Keeping | None = None, *, outage_seconds: float = 0.0) -> None:
        info = activity.info()
        self._limits = limits
        self._keeping = keeping or SdkStore()
        ledger, failures, waits, unreached = _told(info.heartbeat_details)
        policy = info.retry_policy
        self._policy = policy
        self._patience = timedelta(seconds=outage_seconds)
        self.ledger = CallLedger.from_json(ledger)
        """The usage of the call so far."""
        self.tries = Tries(
            number=info.attempt,
            failures=failures,
            waits=waits,
            unreached=unreached,
            maximum=0 if policy is None else failures_allowed(policy.maximum_attempts),
        )
        self._counted = dict(zip(_COUNTS, (failures, waits, unreached), strict=True))
        self.told = Attempt(
            activity=info.activity_type,
            call=f"{info.workflow_id}:{info.workflow_run_id}:{info.activity_id}",
            number=info.attempt,
            beat=self._beat,
            heartbeat_timeout=info.heartbeat_timeout,
            time_limit=info.start_to_close_timeout,
            limits=limits,
            stored_above=self._keeping.stored_above,
        )
        self._what = f"activity '{info.activity_type}'"

    async def made(self, begin: Callable[[], Awaitable[R]]) -> R:
        """Make the attempt.

        Args:
            begin: starts the effect.

        Raises:
            ApplicationError: the attempt failed, or its worker was stopped; the error says whether to try again.
            CancelledError: the server no longer waits for the attempt.
            Exception: an unexpected one, if the call may be tried again.
        """
        self._check()
        await check_it_is_awaited()
        try:
            result = await attempted(begin(), self.told)
            await self._keeping.keep(result)
        except PipelexError as failed:
            raise self._failure(failed) from None
        except asyncio.CancelledError:
            if not _is_of_the_worker():
                raise
            raise self._interruption() from None
        except Exception as bug:
            self._tell(failures=self.tries.failures + 1)
            if self.tries.is_last:
                raise ApplicationError(str(bug), type=type(bug).__name__, non_retryable=True) from bug
            raise
        return result

    def _check(self) -> None:
        try:
            self.tries.check(self._what, self._limits)
        except PipelexError as hopeless:
            report = hopeless.with_report(attempts=self.tries.number - 1).report
            raise to_application_error(report, may_retry=False) from None

    def _failure(self, failed: PipelexError) -> ApplicationError:
        report = failed.report
        if self._waits_for_its_folder(report):
            return self._wait(report)
        seek_again = self._outage_wait(report)
        if seek_again is not None:
            self._tell(unreached=self.tries.unreached + 1)
            self._log(unreached_attempt(self._subject, self.told.activity, report, seek_again), report)
            return to_application_error(report, may_retry=True, retry_delay=seek_again)
        if not report.is_retryable or self.tries.is_last:
            self._log(failed_attempt(self._subject, self.told.activity, report, self.tries, None), report)
            return to_application_error(report, may_retry=False)
        self._tell(failures=self.tries.failures + 1)
        error = to_application_error(report, may_retry=True)
        delay = self._delay(error)
        self._log(failed_attempt(self._subject, self.told.activity, report, self.tries, delay), report)
        return self._delayed(report, error, delay)

    def _outage_wait(self, report: ErrorReport) -> timedelta | None:
        policy = self._policy
        if policy is None or not report.is_free:
            return None
        return self.tries.outage_wait(
            self._patience, policy.initial_interval, policy.backoff_coefficient, policy.maximum_interval
        )

    def _waits_for_its_folder(self, report: ErrorReport) -> bool:
        attempts = 0 if self._policy is None else self._policy.maximum_attempts
        return report.params.get("capability") == METHOD_TREE and may_wait(attempts)

    def _wait(self, report: ErrorReport) -> ApplicationError:
        """Leave the call to a worker that has the folder, however long it takes to find one."""
        self._tell(waits=self.tries.waits + 1)
        waiting = PipelexError(
            "runtime.unavailable",
            f"{report.detail}; it waits for a worker that does",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": METHOD_TREE},
            advice=f"{report.what_to_do} A worker may have several: --library OLD --library NEW.",
        ).report
        if not self.tries.waits:
            LOGGER.warning(
                "%s", f"{self._subject}: {self.told.activity} waits: {report.detail}", extra=fields_of(waiting)
            )
        return to_application_error(waiting, may_retry=True, retry_delay=WAITS_FOR)

    def _interruption(self) -> ApplicationError:
        report = interrupted(self._what).report
        error = to_application_error(report, may_retry=True)
        delay = self._delay(error)
        LOGGER.warning("%s", interrupted_attempt(self._subject, self.told.activity, self.tries, delay))
        return self._delayed(report, error, delay)

    def _delayed(self, report: ErrorReport, error: ApplicationError, delay: timedelta | None) -> ApplicationError:
        """The error, with a delay if the server's own would be too long because it also counts other attempts."""
        return to_application_error(report, may_retry=True, retry_delay=delay) if self._counts_apart else error

    @property
    def _counts_apart(self) -> bool:
        return bool(self.tries.interruptions or self.tries.unreached)

    def _delay(self, error: ApplicationError) -> timedelta | None:
        if error.next_retry_delay is not None or self._policy is None:
            return error.next_retry_delay
        policy = self._policy
        return self.tries.wait(policy.initial_interval, policy.backoff_coefficient, policy.maximum_interval)

    def _log(self, line: str, report: ErrorReport) -> None:
        LOGGER.warning("%s", line, extra=fields_of(report))

    @property
    def _subject(self) -> Subject:
        return current_subject() or Subject.of_workflow(activity.info().workflow_id or "")

    def _tell(self, **counts: int) -> None:
        """Pass changed counts to the next attempt, in a heartbeat now and in all later ones."""
        self._counted |= counts
        self._beat()

    def _beat(self) -> None:
        counts = [self._counted[name] for name in _COUNTS]
        while counts and not counts[-1]:
            counts.pop()
        ledger = None if self.ledger.is_empty else self.ledger.to_json()
        activity.heartbeat(*([ledger, *counts] if counts or ledger is not None else ()))


def _told(details: Any) -> tuple[Any, int, int, int]:
    """The ledger of earlier attempts, and their numbers of failures, waits for a folder and failed connections."""
    ledger, *counts = (*details, None, None, None, None)[:4]
    failures, waits, unreached = (count if isinstance(count, int) else 0 for count in counts)
    return ledger, failures, waits, unreached


def _is_of_the_worker() -> bool:
    """Whether the attempt is cancelled because its worker is stopped, rather than because the server ended it."""
    details = activity.cancellation_details()
    if details is not None and (details.cancel_requested or details.paused or details.reset or details.timed_out):
        return False
    return activity.is_worker_shutdown()
