"""The bounded retry of one effect in this process."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pipelex.errors import PipelexError

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """The number of repetitions of a transient failure, and the pauses between them."""

    max_attempts: int = 4
    """The number of attempts, the first one included."""
    initial_interval: float = 1.0
    """The pause before the second attempt, in seconds."""
    backoff_coefficient: float = 2.0
    maximum_interval: float = 60.0
    """The longest wait of our own choosing, in seconds."""
    maximum_retry_after: float = 300.0
    """The longest wait that a provider may ask for, in seconds; the failure stands when it asks for more."""
    jitter: float = 0.25
    """The share of the wait that is added at random, so that callers do not come back together."""
    outage_seconds: float = 0.0
    """Seconds for which attempts that reach no provider are repeated without being counted: they cost nothing."""

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {self.max_attempts}")

    def outage_wait(self, attempt: int, waited: float) -> float | None:
        """Seconds to wait after an attempt that reached no provider; None where it counts as any other.

        Args:
            attempt: the number of such attempts so far, this one included.
            waited: the seconds that were waited after the others.
        """
        own = min(self.initial_interval * self.backoff_coefficient ** (attempt - 1), self.maximum_interval)
        return own if waited + own <= self.outage_seconds else None

    def wait(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds to wait after the given attempt (1-based), without the random part; None to give up."""
        if attempt >= self.max_attempts:
            return None
        own = min(self.initial_interval * self.backoff_coefficient ** (attempt - 1), self.maximum_interval)
        if retry_after is None:
            return own
        return None if retry_after > self.maximum_retry_after else max(own, retry_after)


async def with_retries(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> T:
    """Try an effect until it succeeds, fails for good, or the policy gives up.

    Args:
        attempt: makes one attempt; called once for each.
        policy: the number of repetitions, and the pauses between them.
        sleep: waits; replaced in tests.
        chance: a number in [0, 1) for the jitter; replaced in tests.

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
            await sleep(wait * (1 + policy.jitter * chance()))
