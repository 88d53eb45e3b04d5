from datetime import timedelta
from typing import get_args

import pytest

from pipelex.durable.failures import (
    FailureKind,
    IncomingFailure,
    OverrunLimit,
    incoming,
    out_of_time,
    outgoing,
    without_store,
)
from pipelex.errors import ErrorCategory, ErrorReport
from tests.durable.memory_engine import LIMITS

BUSY = ErrorReport("provider.rate_limited", "busy", ErrorCategory.TRANSIENT, retry_after=2.5)
REFUSED = ErrorReport("model.content_refused", "no", ErrorCategory.CONTENT)


@pytest.mark.parametrize(
    ("report", "may_retry", "is_retryable", "wait"),
    [
        (BUSY, True, True, timedelta(seconds=2.5)),
        (BUSY, False, False, None),
        (REFUSED, True, False, None),
        (ErrorReport("provider.unavailable", "down", ErrorCategory.TRANSIENT), True, True, None),
    ],
)
def test_a_failure_goes_out_as_its_report(
    report: ErrorReport, may_retry: bool, is_retryable: bool, wait: timedelta | None
) -> None:
    told = outgoing(report, may_retry=may_retry)
    assert (told.type, told.message) == (report.type_name, report.detail)
    assert (told.is_retryable, told.retry_after) == (is_retryable, wait)
    back = incoming(IncomingFailure("as the engine says", told.detail, "terminated"), LIMITS, what="run 'a'")
    assert back.report == report, "a report of ours says more than the engine's kind of failure"


CODES: dict[FailureKind, str] = {
    "failed": "runtime.unexpected",
    "too_large": "input.too_large",
    "terminated": "run.terminated",
    "cancelled": "run.cancelled",
    "out_of_time": "run.timed_out",
    "without_store": "runtime.misconfigured",
}


@pytest.mark.parametrize("kind", get_args(FailureKind))
@pytest.mark.parametrize("detail", [None, "text", {"other": "object"}, ["code"]])
def test_a_failure_without_a_report_has_the_code_of_its_kind(kind: FailureKind, detail: object) -> None:
    error = incoming(IncomingFailure("said so", detail, kind), LIMITS, what="activity 'a'")
    assert error.code == CODES[kind]
    assert "activity 'a'" in error.report.detail
    if kind == "too_large":
        assert (error.report.advice, error.report.params) == (LIMITS.store_advice, {"input": "activity 'a'"})


def test_a_failure_without_words_ends_its_sentence() -> None:
    assert incoming(IncomingFailure(), LIMITS, what="run 'a'").report.detail == "run 'a' failed"
    said = incoming(IncomingFailure("boom"), LIMITS, what="run 'a'").report.detail
    assert said == "run 'a' failed: boom"


@pytest.mark.parametrize("limit", get_args(OverrunLimit))
def test_what_is_out_of_time_says_which_limit_to_raise(limit: OverrunLimit) -> None:
    error = out_of_time(limit, "activity 'a'", LIMITS, ": it slept")
    assert (error.code, error.report.is_retryable) == ("run.timed_out", True)
    assert error.report.detail.startswith("activity 'a' ")
    assert error.report.detail.endswith(": it slept")
    assert error.report.advice
    assert (
        incoming(IncomingFailure(kind="out_of_time", limit=limit), LIMITS, what="a").report.advice
        == error.report.advice
    )


def test_a_value_of_another_store_asks_for_the_same_one() -> None:
    error = without_store("the run", LIMITS)
    assert error.report.advice == LIMITS.same_store_advice
    assert error.report.category is ErrorCategory.CONFIGURATION
