"""Error reports across Temporal: the same object a user sees in-process comes out of a durable run."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

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

from pipelex.errors import ErrorCategory, ErrorReport, Json, PipelexError
from pipelex.temporal.workflow.limits import STORE_ADVICE

LONGEST_RETRY_AFTER = timedelta(minutes=15)
"""A provider's wish to wait longer than this ends in the retry policy's own intervals."""
_ENDED_FOR_SIZE = ("history size exceeds limit", "GrpcMessageTooLarge")
"""Words of the server when it terminates a workflow."""


def to_application_error(report: ErrorReport, *, may_retry: bool) -> ApplicationError:
    """A report as Temporal's failure: the type is the code as a name, the report its only detail.

    Args:
        report: what failed.
        may_retry: whether the thrower is an activity, whose retry policy may repeat a transient failure.
    """
    is_retryable = may_retry and report.is_retryable
    wait: timedelta | None = None
    if is_retryable and report.retry_after is not None:
        wait = min(timedelta(seconds=report.retry_after), LONGEST_RETRY_AFTER)
    return ApplicationError(
        report.detail,
        report.to_json(),
        type=report.type_name,
        non_retryable=not is_retryable,
        next_retry_delay=wait,
        # An expected failure of a provider is no alarm of the worker.
        category=ApplicationErrorCategory.BENIGN if is_retryable else ApplicationErrorCategory.UNSPECIFIED,
    )


class ReportingFailureConverter(DefaultFailureConverter):
    """Writes our errors with their reports, also those that the SDK meets while it reads or writes payloads."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See base class."""
        super().to_failure(_reported(exception), payload_converter, failure)


class SecretFailureConverter(ReportingFailureConverter):
    """The same, with messages and stack traces among what the codec encrypts."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


def _reported(exception: BaseException) -> BaseException:
    if not isinstance(exception, PipelexError):
        return exception
    reported = to_application_error(exception.report, may_retry=True)
    reported.__cause__ = exception.__cause__
    return reported.with_traceback(exception.__traceback__)


def from_failure(error: BaseException, *, what: str) -> PipelexError:
    """The error behind a failure that Temporal reports.

    Args:
        error: what a child workflow, an activity or a result raised.
        what: the thing that failed, for failures that carry no report of ours: `activity 'act_llm_gen_text'`.
    """
    current: BaseException | None = error
    while isinstance(current, ActivityError | ChildWorkflowError) and current.cause is not None:
        current = current.cause
    if isinstance(current, ApplicationError):
        # What the SDK meets while it reads or writes a payload is the cause of an error of its own.
        for each in _causes(current):
            report = _report_of(each)
            if report is not None:
                return PipelexError.from_report(report)
            if is_about_missing_store(each):
                return without_store(what)
        return _error("runtime.unexpected", f"{what} failed: {current.message}", ErrorCategory.UNKNOWN)
    if isinstance(current, TemporalTimeout):
        return _timed_out(current, what)
    if isinstance(current, TerminatedError):
        if any(said in str(current) for said in _ENDED_FOR_SIZE):
            return _error(
                "input.too_large",
                f"Temporal ended {what}, whose values are too large for it: {current.message}",
                ErrorCategory.CONTENT,
                params={"input": what},
                advice=STORE_ADVICE,
            )
        return _error(
            "run.terminated",
            f"{what} was terminated: {current.message}",
            ErrorCategory.UNKNOWN,
            params={"ended_by": "operator"},
        )
    if isinstance(current, CancelledError):
        return _error("run.cancelled", f"{what} was cancelled", ErrorCategory.UNKNOWN)
    message = current.message if isinstance(current, FailureError) else str(current)
    return _error("runtime.unexpected", f"{what} failed: {message}", ErrorCategory.UNKNOWN)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _report_of(error: BaseException) -> ErrorReport | None:
    if not isinstance(error, ApplicationError) or not error.details:
        return None
    told: object = error.details[0]
    if not isinstance(told, dict) or "code" not in told:
        return None
    return ErrorReport.from_json(cast("dict[str, Json]", told))


def is_about_missing_store(error: BaseException) -> bool:
    """Whether the SDK met a reference to a stored payload where no store is configured."""
    return "[TMPRL1105]" in str(error)


def without_store(what: str) -> PipelexError:
    """What such an error means."""
    return _error(
        "runtime.misconfigured",
        f"a value of {what} is in the payload store of another worker or client, and there is none here",
        ErrorCategory.CONFIGURATION,
        params={"component": "payload_storage"},
        advice="Set `[temporal.payload_codec_config] is_enabled = true`, and the same store on every worker and client.",
    )


def _timed_out(error: TemporalTimeout, what: str) -> PipelexError:
    match error.type:
        case TimeoutType.HEARTBEAT:
            detail = f"{what} was lost: its worker stopped answering"
            advice = "Look at the workers of its task queue."
        case TimeoutType.SCHEDULE_TO_START:
            detail = f"{what} waited too long for a worker"
            advice = "Start a worker that polls its task queue, or raise schedule_to_start_timeout."
        case TimeoutType.SCHEDULE_TO_CLOSE:
            detail = f"{what} did not succeed within its schedule_to_close_timeout"
            advice = "Raise schedule_to_close_timeout, or look at the failures of its attempts."
        case _:
            detail = f"{what} took longer than one attempt may"
            advice = "Raise start_to_close_timeout for its queue or its model."
    cause = f": {error.cause.message}" if isinstance(error.cause, FailureError) else ""
    return _error("run.timed_out", detail + cause, ErrorCategory.TRANSIENT, advice=advice)


def _error(code: str, detail: str, category: ErrorCategory, **members: object) -> PipelexError:
    return PipelexError(code, detail, category=category, **members)
