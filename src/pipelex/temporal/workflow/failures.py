"""Temporal's exceptions and our reports: the same error that a user sees in-process comes out of a durable run."""

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
"""Words of the server when it terminates a workflow."""

_OVERRUNS: Final[dict[TimeoutType | None, OverrunLimit]] = {
    TimeoutType.HEARTBEAT: "heartbeat",
    TimeoutType.SCHEDULE_TO_START: "schedule_to_start",
    TimeoutType.SCHEDULE_TO_CLOSE: "schedule_to_close",
}
"""The time limits that a failure names; anything else is an attempt's own."""


def to_application_error(
    report: ErrorReport, *, may_retry: bool, retry_delay: timedelta | None = None
) -> ApplicationError:
    """A report as Temporal's failure: the type is the code as a name, the report its only detail.

    Args:
        report: the failure.
        may_retry: whether the thrower is an activity, whose retry policy may repeat a transient failure.
        retry_delay: the wait before that, where no provider asks for one; None: as the retry policy says.
    """
    told = outgoing(report, may_retry=may_retry)
    return ApplicationError(
        told.message,
        told.detail,
        type=told.type,
        non_retryable=not told.is_retryable,
        next_retry_delay=told.retry_after or (retry_delay if told.is_retryable else None),
        # An expected failure of a provider is not an alarm of the worker.
        category=ApplicationErrorCategory.BENIGN if told.is_retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


class ReportingFailureConverter(DefaultFailureConverter):
    """Writes our errors with their reports, also those that the SDK meets while it reads or writes payloads.

    Messages and stack traces say nothing of this machine's folders, whoever raised the exception.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(_reported(exception), payload_converter, failure)
        failure.message = without_folders(without_secrets(failure.message))
        failure.stack_trace = without_folders(without_secrets(failure.stack_trace))


class SecretFailureConverter(ReportingFailureConverter):
    """The same, with messages and stack traces among what the codec encrypts."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(exception, payload_converter, failure)
        if failure.HasField("encoded_attributes"):
            return  # it comes from elsewhere, as it is
        attributes = {"message": failure.message, "stack_trace": failure.stack_trace}
        failure.encoded_attributes.CopyFrom(payload_converter.to_payloads([attributes])[0])
        failure.message, failure.stack_trace = "Encoded failure", ""


def _reported(exception: BaseException) -> BaseException:
    cause = exception.__cause__
    if isinstance(exception, ApplicationError) and isinstance(cause, PipelexError) and not cause.report.is_retryable:
        # What the SDK could not read or write, it would have repeated; the cause says that this is of no use.
        exception = cause
    if not isinstance(exception, PipelexError):
        return exception
    reported = to_application_error(exception.report, may_retry=True)
    reported.__cause__ = exception.__cause__
    return reported.with_traceback(exception.__traceback__)


def from_failure(error: BaseException, *, what: str, limits: EngineLimits = LIMITS) -> PipelexError:
    """The error behind a failure that Temporal reports, or an engine that is built on it.

    Args:
        error: the exception of a child workflow, an activity or a result.
        what: the thing that failed, for failures that carry no report of ours: `activity 'act_llm_gen_text'`.
        limits: the engine's.
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
    # What the SDK meets while it reads or writes a payload is the cause of an error of its own.
    for each in _causes(error):
        if isinstance(each, ApplicationError) and each.details and _is_report(each.details[0]):
            return IncomingFailure(each.message, each.details[0])
        if is_about_missing_store(each):
            return IncomingFailure(kind="without_store")
    return IncomingFailure(error.message)


def report_of(error: ApplicationError) -> ErrorReport | None:
    """The report that a failure of ours carries."""
    detail = next(iter(error.details), None)
    return ErrorReport.from_json(cast("Any", detail)) if _is_report(detail) else None


def _is_report(detail: object) -> bool:
    return isinstance(detail, dict) and "code" in detail


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def is_about_missing_store(error: BaseException) -> bool:
    """Whether the SDK met a reference to a stored payload where no store is configured."""
    return "[TMPRL1105]" in str(error)


def without_store(what: str) -> PipelexError:
    """The meaning of such an error; see `pipelex.durable.failures.without_store`."""
    return failures.without_store(what, LIMITS)
