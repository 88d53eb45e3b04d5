"""Carries failures through an engine, so a durable run fails with the same report as an in-process run.

An engine has exceptions of its own for failures, which only its package knows. The package writes an `OutgoingFailure`
into such an exception, and reads an `IncomingFailure` from it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from pipelex.durable.limits import EngineLimits
from pipelex.errors import ErrorCategory, ErrorReport, Json, PipelexError


@dataclass(frozen=True, slots=True)
class OutgoingFailure:
    """A failure in the form that an engine sends."""

    type: str
    """The report's code as a name, which the engine may compare with `non_retryable_error_types`."""
    message: str
    detail: dict[str, Json]
    """The report; the only detail of the engine's exception."""
    is_retryable: bool
    """Whether the engine may try again. Such a failure should not set off alarms about the worker."""
    retry_after: timedelta | None
    """The wait before the next attempt, if the provider asks for one; else None."""


def outgoing(report: ErrorReport, *, may_retry: bool) -> OutgoingFailure:
    """A report in the form that an engine sends, without folders of this machine because it is read elsewhere.

    Args:
        report: the failure.
        may_retry: whether it is the failure of an activity, whose retry policy may repeat it if it is transient.
    """
    report = report.without_folders()
    is_retryable = may_retry and report.is_retryable
    wait: timedelta | None = None
    if is_retryable and report.retry_after is not None:
        wait = timedelta(seconds=report.retry_after)
    return OutgoingFailure(report.type_name, report.detail, report.to_json(), is_retryable, wait)


FailureKind = Literal["failed", "too_large", "terminated", "cancelled", "out_of_time", "without_store"]
OverrunLimit = Literal["run", "start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat"]


@dataclass(frozen=True, slots=True)
class IncomingFailure:
    """A failure that an engine reports."""

    message: str = ""
    detail: object = None
    """The first detail of the engine's exception: a report, if Pipelex raised it."""
    kind: FailureKind = "failed"
    limit: OverrunLimit = "start_to_close"
    """The time limit that was exceeded; it matters only for the kind `out_of_time`."""


def incoming(failure: IncomingFailure, limits: EngineLimits, *, what: str) -> PipelexError:
    """The error behind a failure that an engine reports.

    Args:
        failure: the failure.
        limits: the limits of the engine.
        what: the thing that failed, for failures without a report: `activity 'act_llm_gen_text'`.
    """
    report = _report_of(failure.detail)
    if report is not None:
        return PipelexError.from_report(report)
    said = f": {failure.message}" if failure.message else ""
    match failure.kind:
        case "out_of_time":
            return out_of_time(failure.limit, what, limits, said)
        case "too_large":
            return _error(
                "input.too_large",
                f"{limits.engine} ended {what}, whose values are too large for it{said}",
                ErrorCategory.CONTENT,
                params={"input": what},
                advice=limits.store_advice,
            )
        case "terminated":
            return _error("run.terminated", f"{what} was terminated{said}", params={"ended_by": "operator"})
        case "cancelled":
            return _error("run.cancelled", f"{what} was cancelled")
        case "without_store":
            return without_store(what, limits)
        case "failed":
            return _error("runtime.unexpected", f"{what} failed{said}")


def without_store(what: str, limits: EngineLimits) -> PipelexError:
    """The error for a value in a payload store that is not configured here.

    Args:
        what: the thing that the value belongs to.
        limits: the limits of the engine.
    """
    return _error(
        "runtime.misconfigured",
        f"a value of {what} is in the payload store of another worker or client, and there is none here",
        ErrorCategory.CONFIGURATION,
        params={"component": "payload_storage"},
        advice=limits.same_store_advice,
    )


def _report_of(detail: object) -> ErrorReport | None:
    if not isinstance(detail, dict) or "code" not in detail:
        return None
    return ErrorReport.from_json(detail)  # pyright: ignore[reportUnknownArgumentType] an engine passes JSON objects


_OVERRUNS: Final[dict[OverrunLimit, tuple[str, str | None]]] = {
    "run": ("did not end within the time that runs have", None),
    "heartbeat": (
        "was lost: nothing was heard of its worker in time",
        "Its worker ended or was cut off, or the server itself was away. Look at the server, and at the workers that "
        "take up such calls.",
    ),
    "schedule_to_start": (
        "waited too long for a worker",
        "Start a worker that takes it up, or raise schedule_to_start_timeout.",
    ),
    "schedule_to_close": (
        "did not succeed within its schedule_to_close_timeout",
        "Raise schedule_to_close_timeout, or look at the failures of its attempts.",
    ),
    "start_to_close": (
        "took longer than one attempt may",
        "Raise start_to_close_timeout for its queue or its model.",
    ),
}
"""Time limit → what happened, and the advice; None for the `run_time_advice` of the engine's limits."""


def out_of_time(limit: OverrunLimit, what: str, limits: EngineLimits, said: str = "") -> PipelexError:
    """The error for something that exceeded a time limit.

    Args:
        limit: the time limit that was exceeded.
        what: the thing that exceeded it: `activity 'act_llm_gen_text'`.
        limits: the limits of the engine.
        said: the end of the message, such as a colon and the engine's own words.
    """
    happened, advice = _OVERRUNS[limit]
    return _error(
        "run.timed_out", f"{what} {happened}{said}", ErrorCategory.TRANSIENT, advice=advice or limits.run_time_advice
    )


def _error(code: str, detail: str, category: ErrorCategory = ErrorCategory.UNKNOWN, **members: object) -> PipelexError:
    return PipelexError(code, detail, category=category, **members)
