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

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, not {self.max_attempts}")

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
        policy: how often and how long apart.
        sleep: waits; replaced in tests.
        chance: a number in [0, 1) for the jitter; replaced in tests.

    Raises:
        PipelexError: the last failure, with `report.attempts` set.
    """
    count = 0
    while True:
        count += 1
        try:
            return await attempt()
        except PipelexError as error:
            wait = policy.wait(count, error.report.retry_after) if error.report.is_retryable else None
            if wait is None:
                raise error.with_report(attempts=count) from error.__cause__
            await sleep(wait * (1 + policy.jitter * chance()))
