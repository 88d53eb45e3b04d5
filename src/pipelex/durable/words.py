"""The log lines of a worker about failures, and the same facts as fields for programs."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pipelex.durable.tries import Tries
from pipelex.errors import ErrorReport, Json

_ITEM: Final = re.compile(r"(?:\d+-)?(?P<code>[^\[\]]+)(?P<rank>\[\d+\])")


def item_in(path: Sequence[str]) -> str | None:
    """The innermost item of a batch on a path: `note[3]` for `2-note[3]/1-summarize`; None if there is none."""
    found = next(filter(None, map(_ITEM.fullmatch, reversed(path))), None)
    return None if found is None else found["code"] + found["rank"]


def in_words(pipe: str, item: str | None) -> str:
    """A pipe and its batch item: `note[3]` if the batch runs the pipe, `summarize of note[3]` for a pipe below it."""
    code, _, rank = (item or "").partition("[")
    if item is None:
        return pipe
    return f"{pipe}[{rank}" if code == pipe.rpartition(".")[2] else f"{pipe} of {item}"


def failed_run(run_id: str, report: ErrorReport) -> str:
    """The line for a run that failed."""
    pipe = report.location.pipe
    where = "" if pipe is None else f" in pipe {in_words(pipe, item_in(report.location.path))}"
    return f"run {run_id} failed{where}: {_what(report)}"


def failed_attempt(subject: object, activity: str, report: ErrorReport, tries: Tries, wait: timedelta | None) -> str:
    """The line for an attempt that failed.

    Args:
        subject: the run and pipe, in words.
        activity: the activity's name.
        report: the failure.
        tries: the attempt, with the counts of its call.
        wait: the time until the next attempt; None if there is none.
    """
    of = f" of {tries.maximum}" if tries.maximum else ""
    what_next = "none is left" if wait is None else f"next try in {_seconds(wait)}"
    if not report.is_retryable:
        what_next = "not tried again"
    return f"{subject}: {activity} failed: {_what(report)} (failure {tries.failures + 1}{of}, {what_next})"


def unreached_attempt(subject: object, activity: str, report: ErrorReport, wait: timedelta) -> str:
    """The line for an attempt that could not connect to its provider; see `failed_attempt`."""
    return f"{subject}: {activity} sent nothing: {_what(report)} (no failed attempt, next try in {_seconds(wait)})"


def interrupted_attempt(subject: object, activity: str, tries: Tries, wait: timedelta | None) -> str:
    """The line for an attempt that ends because its worker stops; see `failed_attempt`."""
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
        "failed_item": item_in(report.location.path),
    }
    return {name: value for name, value in found.items() if value is not None}


def _what(report: ErrorReport) -> str:
    model = "" if report.model is None else f"{report.model}: "
    return f"{model}{report.code}: {' '.join(report.detail.split())}"


def _seconds(wait: timedelta) -> str:
    seconds = wait.total_seconds()
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
