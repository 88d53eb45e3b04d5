"""The words of a worker about failures: one line each, and the same facts as fields for programs."""

from datetime import timedelta

from pipelex.durable.tries import Tries
from pipelex.errors import ErrorReport, Json


def failed_run(run_id: str, report: ErrorReport) -> str:
    """The line for a run that failed."""
    where = "" if report.location.pipe is None else f" in pipe {report.location.pipe}"
    return f"run {run_id} failed{where}: {_what(report)}"


def failed_attempt(subject: object, activity: str, report: ErrorReport, tries: Tries, wait: timedelta | None) -> str:
    """The line for an attempt that failed.

    Args:
        subject: the run and pipe, in words.
        activity: the activity's name.
        report: what it failed of.
        tries: the attempt among those of its call.
        wait: the time until the next one; None: there is none.
    """
    of = f" of {tries.maximum}" if tries.maximum else ""
    what_next = "none is left" if wait is None else f"next try in {_seconds(wait)}"
    if not report.is_retryable:
        what_next = "not tried again"
    return f"{subject}: {activity} failed: {_what(report)} (failure {tries.failures + 1}{of}, {what_next})"


def unreached_attempt(subject: object, activity: str, report: ErrorReport, wait: timedelta) -> str:
    """The line for an attempt that found no provider to connect to; see `failed_attempt`."""
    return f"{subject}: {activity} sent nothing: {_what(report)} (no failed attempt, next try in {_seconds(wait)})"


def interrupted_attempt(subject: object, activity: str, tries: Tries, wait: timedelta | None) -> str:
    """The line for an attempt that ends with its worker; see `failed_attempt`."""
    soon = "" if wait is None else f" in {_seconds(wait)}"
    return f"{subject}: {activity} was interrupted in attempt {tries.number}; another worker makes it again{soon}"


def fields_of(report: ErrorReport) -> dict[str, Json]:
    """A failure as fields of a log record."""
    found: dict[str, Json] = {
        "error_code": report.code,
        "model": report.model,
        "provider": report.provider,
        "status": report.status,
        "failed_pipe": report.location.pipe,
    }
    return {name: value for name, value in found.items() if value is not None}


def _what(report: ErrorReport) -> str:
    model = "" if report.model is None else f"{report.model}: "
    return f"{model}{report.code}: {' '.join(report.detail.split())}"


def _seconds(wait: timedelta) -> str:
    seconds = wait.total_seconds()
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
