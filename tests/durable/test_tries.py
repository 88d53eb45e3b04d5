from datetime import timedelta

import pytest

from pipelex.durable.tries import (
    MOST_INTERRUPTIONS,
    MOST_UNREACHED,
    MOST_WAITS,
    Tries,
    attempts_with_interruptions,
    failures_allowed,
    interrupted,
    may_wait,
    time_of_work,
)
from pipelex.errors import PipelexError
from tests.durable.memory_engine import LIMITS

SECOND = timedelta(seconds=1)


def test_what_is_neither_a_failure_nor_a_wait_was_interrupted() -> None:
    assert Tries(number=1).interruptions == 0
    assert Tries(number=9, failures=2, waits=3, unreached=1).interruptions == 2
    assert Tries(number=2, failures=5).interruptions == 0, "heartbeats of a later attempt may be told to an earlier one"


@pytest.mark.parametrize(
    ("failures", "maximum", "is_last"),
    [(0, 0, False), (99, 0, False), (0, 1, True), (1, 3, False), (2, 3, True), (5, 3, True)],
)
def test_the_last_attempt_is_known_by_failures_alone(failures: int, maximum: int, is_last: bool) -> None:
    assert Tries(number=20, failures=failures, maximum=maximum).is_last is is_last


def test_a_call_that_brings_its_worker_down_is_given_up() -> None:
    Tries(number=1 + MOST_INTERRUPTIONS).check("activity 'a'", LIMITS)
    with pytest.raises(PipelexError, match=f"activity 'a' was interrupted {MOST_INTERRUPTIONS + 1} times") as refused:
        Tries(number=2 + MOST_INTERRUPTIONS).check("activity 'a'", LIMITS)
    assert (refused.value.code, refused.value.report.is_retryable) == ("runtime.unavailable", True)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("maximum", [0, 1, 3, 1_000])
def test_the_attempts_of_an_engine_tell_the_failures_that_are_allowed(maximum: int, waits: bool) -> None:
    told = attempts_with_interruptions(maximum, may_wait=waits)
    assert failures_allowed(told) == maximum
    assert may_wait(told) is (waits or not maximum)
    assert told == 0 or told - maximum >= MOST_INTERRUPTIONS


def test_an_engine_that_was_told_nothing_of_it_allows_no_number() -> None:
    assert failures_allowed(3) == 0
    assert not may_wait(MOST_WAITS)


def test_the_wait_grows_with_failures_and_not_with_interruptions() -> None:
    def wait(failures: int, longest: timedelta | None = None) -> timedelta:
        return Tries(number=50, failures=failures).wait(SECOND, 2.0, longest)

    assert [wait(failures).total_seconds() for failures in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert wait(5, SECOND * 10) == SECOND * 10
    assert wait(10_000) == SECOND * 100, "a hundred times the first one where nothing else is said"


def test_an_outage_is_waited_for_as_long_as_patience_lasts() -> None:
    def wait(unreached: int, patience: float, longest: timedelta | None = None) -> timedelta | None:
        return Tries(number=1, unreached=unreached).outage_wait(SECOND * patience, SECOND, 2.0, longest)

    assert [wait(unreached, 7) for unreached in (0, 1, 2, 3)] == [SECOND, SECOND * 2, SECOND * 4, None]
    assert wait(0, 0.5) is None
    assert wait(8, 100_000) == timedelta(minutes=1)
    assert wait(8, 100_000, SECOND * 3) == SECOND * 3
    assert wait(MOST_UNREACHED, 100_000) is None
    steep = Tries(number=1, unreached=MOST_UNREACHED - 1).outage_wait(SECOND * 100_000, SECOND, 1e30, None)
    assert steep == timedelta(minutes=1)


@pytest.mark.parametrize(("limit", "seconds"), [(None, None), (5, 4), (10, 8), (600, 598)])
def test_work_ends_before_the_engines_own_limit(limit: int | None, seconds: float | None) -> None:
    assert time_of_work(None if limit is None else SECOND * limit) == seconds


def test_an_interrupted_attempt_may_be_repeated() -> None:
    report = interrupted("activity 'a'").report
    assert (report.code, report.is_retryable, report.params) == ("runtime.unavailable", True, {"dependency": "worker"})
