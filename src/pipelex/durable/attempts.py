"""Runs an effect as one attempt of an activity.

It sends heartbeats, checks that the result can travel, and adds the number of the attempt to the report of a failure.
A worker remembers its latest results, in case the engine has not heard of them.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from pipelex.durable.failures import out_of_time
from pipelex.durable.heartbeats import beat_until_done
from pipelex.durable.limits import EngineLimits, characters_of, check_payload
from pipelex.durable.tries import time_of_work
from pipelex.errors import PipelexError
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)

ROOM: Final = 32 * 1024 * 1024
"""The default size of the memory, in characters of JSON: 32 Mi."""

MOST: Final = 1_000
"""The maximum number of results. While the engine is away, a worker gets no more work than it has slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of an activity, as an engine describes it."""

    activity: str
    """The activity's name."""
    call: str
    """The key of the call: the same in all its attempts, and in no other call."""
    number: int
    """The number of the attempt, from 1."""
    beat: Callable[[], None]
    """Sends a heartbeat."""
    heartbeat_timeout: timedelta | None
    """The time without a heartbeat after which the attempt counts as lost; None for no limit."""
    time_limit: timedelta | None = None
    """The time limit of the attempt; None for no limit."""
    limits: EngineLimits
    stored_above: int | None
    """The size in bytes above which a result is kept in the store; None if there is no store."""

    @property
    def seconds(self) -> float | None:
        """The time limit of the attempt, in seconds."""
        return None if self.time_limit is None else self.time_limit.total_seconds()


async def attempted(work: Awaitable[R], attempt: Attempt) -> R:
    """Await an effect, and send heartbeats until the activity is done.

    Args:
        work: the effect.
        attempt: the attempt.

    Raises:
        PipelexError: the effect failed or took too long, or its result is too large to travel; the report has the
            number of attempts. If the engine refused the result, it would repeat the call at the same cost, in vain.
    """
    try:
        beat_until_done(attempt.beat, attempt.heartbeat_timeout)
        result = await _in_time(work, attempt)
        what = f"the result of {attempt.activity}"
        check_payload(result, attempt.limits, what=what, stored_above=attempt.stored_above)
        return result
    except PipelexError as failed:
        raise failed.with_report(attempts=attempt.number) from None


async def _in_time(work: Awaitable[R], attempt: Attempt) -> R:
    limit = asyncio.timeout(time_of_work(attempt.time_limit))
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise out_of_time("start_to_close", f"activity '{attempt.activity}'", attempt.limits) from None


class LatestAnswers:
    """The results of a worker's latest calls.

    An engine that is down when a call is answered never hears of the answer, and asks for the call again. The worker
    that has the answer then reports it once more, instead of paying for another one.

    Args:
        room: the maximum total size of the results, in characters of JSON; a larger result is not kept.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._size = 0
        self._kept: OrderedDict[str, tuple[int, Wire]] = OrderedDict()

    def find(self, call: str, kind: type[R]) -> R | None:
        """The result of an earlier attempt; None if this worker has none.

        Args:
            call: the key of the call: the same in all its attempts, and in no other call.
            kind: the type of the result.
        """
        _, result = self._kept.get(call, (0, None))
        return result if isinstance(result, kind) else None

    def keep(self, call: str, result: Wire) -> None:
        """Keep the result of a call; the oldest results make room for it."""
        size = characters_of(result)
        if call in self._kept or size > self._room:
            return
        self._kept[call] = (size, result)
        self._size += size
        while self._size > self._room or len(self._kept) > MOST:
            _, (freed, _) = self._kept.popitem(last=False)
            self._size -= freed
