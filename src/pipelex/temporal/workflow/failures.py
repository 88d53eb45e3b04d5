"""Converts reports to and from Temporal's exceptions, so a durable run fails with the error of an in-process run."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, cast

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeout

from pipelex.durable import failures
from pipelex.durable.failures import IncomingFailure, OverrunLimit, incoming, outgoing
from pipelex.durable.limits import EngineLimits
from pipelex.errors import ErrorReport, PipelexError
from pipelex.errors.folders import without_folders
from pipelex.errors.hidden import without_secrets
from pipelex.temporal.workflow.limits import LIMITS

_ENDED_FOR_SIZE: Final = ("history size exceeds limit", "GrpcMessageTooLarge")
"""Words of the server when it terminates a workflow because of its size."""

_OVERRUNS: Final[dict[TimeoutType | None, OverrunLimit]] = {
    TimeoutType.HEARTBEAT: "heartbeat",
    TimeoutType.SCHEDULE_TO_START: "schedule_to_start",
    TimeoutType.SCHEDULE_TO_CLOSE: "schedule_to_close",
}
"""The type of a time-out → its time limit; any other type means the limit of one attempt."""


def to_application_error(
    report: ErrorReport, *, may_retry: bool, retry_delay: timedelta | None = None
) -> ApplicationError:
    """A report as Temporal's failure, with its code as the type and the report itself as the only detail.

    Args:
        report: the failure.
        may_retry: whether it is the failure of an activity, whose retry policy may repeat it if it is transient.
        retry_delay: the wait before the next attempt, unless the provider asks for one; None to follow the policy.
    """
    told = outgoing(report, may_retry=may_retry)
    return ApplicationError(
        told.message,
        told.detail,
        type=told.type,
        non_retryable=not told.is_retryable,
        next_retry_delay=told.retry_after or (retry_delay if told.is_retryable else None),
        # A failure that is tried again should not set off alarms about the worker.
        category=ApplicationErrorCategory.BENIGN if told.is_retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


class ReportingFailureConverter(DefaultFailureConverter):
    """Writes Pipelex's errors with their reports, even those raised while the SDK reads or writes payloads.

    It removes this machine's folders and secrets from messages and stack traces, whoever raised the exception.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(_reported(exception), payload_converter, failure)
        failure.message = without_folders(without_secrets(failure.message))
        failure.stack_trace = without_folders(without_secrets(failure.stack_trace))


class SecretFailureConverter(ReportingFailureConverter):
    """Writes failures as its base class does, but has the codec encrypt their messages and stack traces as well."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(exception, payload_converter, failure)
        if failure.HasField("encoded_attributes"):
            return  # it was encoded elsewhere, and is passed on unchanged
        attributes = {"message": failure.message, "stack_trace": failure.stack_trace}
        failure.encoded_attributes.CopyFrom(payload_converter.to_payloads([attributes])[0])
        failure.message, failure.stack_trace = "Encoded failure", ""


def _reported(exception: BaseException) -> BaseException:
    cause = exception.__cause__
    if isinstance(exception, ApplicationError) and isinstance(cause, PipelexError) and not cause.report.is_retryable:
        # The SDK would try again after it failed to read or write a payload; the cause says that this cannot help.
        exception = cause
    if not isinstance(exception, PipelexError):
        return exception
    reported = to_application_error(exception.report, may_retry=True)
    reported.__cause__ = exception.__cause__
    return reported.with_traceback(exception.__traceback__)


def from_failure(error: BaseException, *, what: str, limits: EngineLimits = LIMITS) -> PipelexError:
    """The error behind a failure that Temporal, or an engine that is built on it, reports.

    Args:
        error: the exception of a child workflow, an activity or a result.
        what: the thing that failed, for failures without a report: `activity 'act_llm_gen_text'`.
        limits: the limits of the engine.
    """
    current: BaseException | None = error
    while isinstance(current, ActivityError | ChildWorkflowError) and current.cause is not None:
        current = current.cause
    return incoming(_met(current), limits, what=what)


def _met(error: BaseException | None) -> IncomingFailure:
    match error:
        case ApplicationError():
            return _thrown(error)
        case TemporalTimeout():
            said = error.cause.message if isinstance(error.cause, FailureError) else ""
            return IncomingFailure(said, kind="out_of_time", limit=_OVERRUNS.get(error.type, "start_to_close"))
        case TerminatedError():
            is_too_large = any(said in str(error) for said in _ENDED_FOR_SIZE)
            return IncomingFailure(error.message, kind="too_large" if is_too_large else "terminated")
        case CancelledError():
            return IncomingFailure(kind="cancelled")
        case FailureError():
            return IncomingFailure(error.message)
        case _:
            return IncomingFailure(str(error))


def _thrown(error: ApplicationError) -> IncomingFailure:
    # An error raised while the SDK reads or writes a payload is the cause of another one that the SDK raises.
    for each in _causes(error):
        if isinstance(each, ApplicationError) and each.details and _is_report(each.details[0]):
            return IncomingFailure(each.message, each.details[0])
        if is_about_missing_store(each):
            return IncomingFailure(kind="without_store")
    return IncomingFailure(error.message)


def report_of(error: ApplicationError) -> ErrorReport | None:
    """The report that a failure carries; None if it carries none."""
    detail = next(iter(error.details), None)
    return ErrorReport.from_json(cast("Any", detail)) if _is_report(detail) else None


def _is_report(detail: object) -> bool:
    return isinstance(detail, dict) and "code" in detail


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def is_about_missing_store(error: BaseException) -> bool:
    """Whether the SDK met a reference to a stored payload where no store is configured."""
    return "[TMPRL1105]" in str(error)


def without_store(what: str) -> PipelexError:
    """The error for a value in a store that is not configured here; see `pipelex.durable.failures.without_store`."""
    return failures.without_store(what, LIMITS)
