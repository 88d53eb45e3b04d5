"""The retry of one effect: the wait that a provider may ask for, and the bounded repetition in this process.

tenacity could run the loop, but the whole policy would still be here: attempts that reach no provider are not counted,
and observers are told of each pause. stamina counts every attempt.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from pipelex.errors import ErrorCategory, ErrorReport, PipelexError

T = TypeVar("T")

LONGEST_RETRY_AFTER = 900.0
"""The default for the longest wait that a provider may ask for, in seconds."""


def within_wait(failed: PipelexError, longest: float) -> PipelexError:
    """The failure, which is no longer retried if its provider asks for a longer wait than a call may take.

    The performer of an effect calls it, for every orchestrator, so that the limit is the same in-process and durably.

    Args: failed: the failure of an attempt. longest: the longest wait, in seconds.
    """
    report = failed.report
    if not report.is_retryable or report.retry_after is None or report.retry_after <= longest:
        return failed
    detail = f"it asks for a retry in {_words(report.retry_after)}, but a call waits at most {_words(longest)}"
    return failed.with_report(
        category=ErrorCategory.CAPACITY,
        detail=f"{report.detail}; {detail}",
        advice="Continue after that time with `pipelex runs retry`, name another model, or raise 'longest_retry_after' of "
        "[inference].",
    )


_LENGTHS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def _words(seconds: float) -> str:
    """A length of time in words: `45 s`, `15 min`, `2 h 30 min`, `3 d`."""
    whole = round(seconds)
    for (unit, word), (smaller, more) in pairwise(_LENGTHS):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {word} {rest} {more}" if rest else f"{whole // unit} {word}"
    return f"{whole} s"


@dataclass(frozen=True)
class RetryPolicy:
    """The number of repetitions of a transient failure, and the pauses between them."""

    max_attempts: int = 4
    """The number of attempts, the first one included."""
    initial_interval: float = 1.0
    """The pause before the second attempt, in seconds."""
    backoff_coefficient: float = 2.0
    maximum_interval: float = 60.0
    """The longest wait that we choose ourselves, in seconds."""
    jitter: float = 0.25
    """The share of that wait that is added at random, so that callers do not come back all at once."""
    outage_seconds: float = 0.0
    """How long attempts that reach no provider are repeated uncounted, in seconds; they cost nothing."""

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {self.max_attempts}")

    def outage_wait(self, attempt: int, waited: float) -> float | None:
        """The seconds to wait after an attempt that reached no provider; None when it counts like any other.

        Args:
            attempt: the number of such attempts so far, this one included.
            waited: the seconds that were waited after the others.
        """
        own = self.own_wait(attempt)
        return own if waited + own <= self.outage_seconds else None

    def wait(self, attempt: int, retry_after: float | None) -> float | None:
        """The seconds to wait after the given attempt (1-based), without the random part; None to give up."""
        return None if attempt >= self.max_attempts else max(self.own_wait(attempt), retry_after or 0.0)

    def own_wait(self, attempt: int) -> float:
        """The seconds to wait after an attempt when no provider asks for more."""
        return min(self.initial_interval * self.backoff_coefficient ** min(attempt - 1, 60), self.maximum_interval)


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause before an effect is tried again."""

    report: ErrorReport
    """The failure before it."""
    seconds: float
    failures: int
    """The number of failures so far that count towards `max_attempts`."""


def _untold(pause: Pause) -> None:
    """Do nothing."""


async def with_retries(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    pausing: Callable[[Pause], None] = _untold,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """Try an effect until it succeeds, fails for good, or the policy gives up.

    Args:
        attempt: makes one attempt.
        policy: the number of repetitions, and the pauses between them.
        pausing: called with each pause when it begins.
        sleep: waits; replaced in tests.
        chance: returns a number in [0, 1) for the jitter; replaced in tests.

    Raises:
        PipelexError: the last failure, with `report.attempts` set.
    """
    count = unreached = 0
    waited = 0.0
    while True:
        try:
            return await attempt()
        except PipelexError as error:
            wait = policy.outage_wait(unreached + 1, waited) if error.report.is_free else None
            if wait is not None:
                unreached, waited = unreached + 1, waited + wait
            else:
                count += 1
                wait = policy.wait(count, error.report.retry_after) if error.report.is_retryable else None
            if wait is None:
                raise error.with_report(attempts=count + unreached) from error.__cause__
            seconds = wait + policy.own_wait(max(count, 1)) * policy.jitter * chance()
            pausing(Pause(error.report, seconds, count))
            await sleep(seconds)
