"""Counts the attempts of a call: failures count separately from interruptions by a lost or stopped worker.

An engine counts all attempts alike. So its maximum is the configured one plus room for interruptions, and each attempt
passes the number of true failures to the next one in its heartbeats.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pipelex.durable.limits import EngineLimits
from pipelex.errors import ErrorCategory, PipelexError

MOST_INTERRUPTIONS: Final = 20
"""The number of times that the end of its worker may interrupt one call, beside its `maximum_attempts`. A call that
brings its worker down is not repeated for ever."""

MOST_WAITS: Final = 1_000_000
"""Attempts beside these, for a call that waits for a worker with the folder of its method: it waits, and does not fail."""

MOST_UNREACHED: Final = 12
"""How often one call may find no provider to connect to, beside its failures; the engine's room is that of interruptions."""

LONGEST_OUTAGE_WAIT: Final = timedelta(minutes=1)
"""The longest wait before a provider is sought again."""

LATEST_SHARE: Final = 0.2
"""The share of an attempt's time limit that is left for telling the engine that the attempt took too long."""

LATEST: Final = timedelta(seconds=2)
"""The most of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """One attempt, with the counts of its call's earlier attempts."""

    number: int
    """The number of the attempt, from 1."""
    failures: int = 0
    """The number of earlier attempts that truly failed."""
    waits: int = 0
    """The number of earlier attempts whose worker did not have the folder of the method."""
    unreached: int = 0
    """The number of earlier attempts that could not connect to the provider; they do not count as failures."""
    maximum: int = 0
    """The most failures of the call; 0 for no limit."""

    @property
    def interruptions(self) -> int:
        """The number of earlier attempts whose worker was stopped or lost."""
        return max(0, self.number - 1 - self.failures - self.waits - self.unreached)

    @property
    def is_last(self) -> bool:
        """Whether a failure of this attempt makes the call fail."""
        return self.maximum > 0 and self.failures + 1 >= self.maximum

    def check(self, what: str, limits: EngineLimits) -> None:
        """Refuse to begin a call that was interrupted too often.

        Args:
            what: the call: `activity 'act_llm_gen_text'`.
            limits: the engine's.

        Raises:
            PipelexError: `runtime.unavailable`.
        """
        if self.interruptions <= MOST_INTERRUPTIONS:
            return
        raise PipelexError(
            "runtime.unavailable",
            f"{what} was interrupted {self.interruptions} times: its workers were stopped or lost before it ended",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "worker"},
            advice=limits.lost_workers_advice,
        )

    def outage_wait(
        self, patience: timedelta, initial: timedelta, coefficient: float, longest: timedelta | None
    ) -> timedelta | None:
        """The wait after this attempt, which found no provider; None where it counts as a failure.

        Args:
            patience: the sum of all such waits, at most.
            initial: the first one.
            coefficient: how many times longer each further wait is.
            longest: the longest wait; None: a minute.
        """
        most = min(longest or LONGEST_OUTAGE_WAIT, LONGEST_OUTAGE_WAIT)
        waits = [_grown(initial, coefficient, number, most) for number in range(self.unreached + 1)]
        is_over = self.unreached >= MOST_UNREACHED or sum(waits, timedelta(0)) > patience
        return None if is_over else waits[-1]

    def wait(self, initial: timedelta, coefficient: float, longest: timedelta | None) -> timedelta:
        """The wait before the next attempt: as many intervals as there were failures, whatever interrupted others.

        Args:
            initial: the wait after a first failure.
            coefficient: how many times longer each further wait is.
            longest: the longest wait; None: a hundred times the first one.
        """
        return _grown(initial, coefficient, self.failures, longest or initial * 100)


def _grown(initial: timedelta, coefficient: float, steps: int, longest: timedelta) -> timedelta:
    """A wait that has grown `steps` times, limited to the longest one."""
    try:
        return min(initial * coefficient**steps, longest)
    except OverflowError:
        return longest


def attempts_with_interruptions(maximum: int, *, may_wait: bool = False) -> int:
    """The most attempts that an engine is told; 0 stays: no limit.

    Args:
        maximum: the number of times that the call may fail.
        may_wait: whether it may have to wait for a worker with the folder of its method.
    """
    if not maximum:
        return 0
    return maximum + MOST_INTERRUPTIONS + (MOST_WAITS if may_wait else 0)


def failures_allowed(attempts: int) -> int:
    """The number of failures that `attempts_with_interruptions` was made of.

    It is 0 for the number of an engine that was told no such thing.
    """
    return max(0, attempts - MOST_INTERRUPTIONS - (MOST_WAITS if attempts > MOST_WAITS else 0))


def may_wait(attempts: int) -> bool:
    """Whether a call with that most attempts may wait for a worker with the folder of its method."""
    return attempts == 0 or attempts > MOST_WAITS


def interrupted(what: str) -> PipelexError:
    """The error of an attempt that ends because its worker stops.

    Args:
        what: the call: `activity 'act_llm_gen_text'`.
    """
    return PipelexError(
        "runtime.unavailable",
        f"the worker of {what} was stopped before it ended; another worker makes it again",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "worker"},
        advice="A worker's graceful_shutdown_timeout that is longer than such a call takes lets it end.",
    )


def time_of_work(limit: timedelta | None) -> float | None:
    """Seconds that the work of an attempt may take, so that its end is told before the engine's own limit.

    Args:
        limit: the engine's, for one attempt.
    """
    if limit is None:
        return None
    return (limit - min(LATEST, limit * LATEST_SHARE)).total_seconds()
