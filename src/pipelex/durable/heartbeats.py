"""Heartbeats of an activity: a lost worker is noticed, and a cancelled run stops paying."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

HEARTBEATS_PER_TIMEOUT: Final = 3
"""The number of heartbeats in each heartbeat time-out, so that a lost one does not lose the activity."""


def beat_until_done(beat: Callable[[], None], timeout: timedelta | None) -> None:
    """Tell the engine from now on that the activity goes on, until the task that runs it is done.

    The effect is only a part of it. What comes after, keeping a result or sending an engine's events, may take long,
    too, and an activity that is taken for lost meanwhile is performed, and paid for, again.

    The first heartbeat is sent when a first interval has passed: the start of an activity is a sign of life by itself,
    and a short call costs no heartbeat.

    Args:
        beat: sends one heartbeat.
        timeout: the silence after which the engine takes the activity for lost; None: it never does.
    """
    running = asyncio.current_task()
    if timeout is None or running is None:
        return
    beating = asyncio.create_task(_keep_beating(beat, timeout.total_seconds() / HEARTBEATS_PER_TIMEOUT))
    running.add_done_callback(lambda _: beating.cancel())


async def _keep_beating(beat: Callable[[], None], interval: float) -> None:
    while True:
        await asyncio.sleep(interval)
        beat()
