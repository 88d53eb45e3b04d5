"""Heartbeats of an activity, by which the engine notices a lost worker and a cancelled run stops its calls."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

HEARTBEATS_PER_TIMEOUT: Final = 3
"""The number of heartbeats in each heartbeat time-out, so that a lost one does not lose the activity."""


def beat_until_done(beat: Callable[[], None], timeout: timedelta | None) -> None:
    """Send heartbeats until the asyncio task that runs the activity is done.

    The effect is only a part of the activity. Storing a result or sending an engine's events may also take long, and an
    activity that counts as lost meanwhile is performed, and paid for, again.

    The first heartbeat is sent after one interval: the start of the activity is itself a sign of life, so a short call
    needs no heartbeat.

    Args:
        beat: sends one heartbeat.
        timeout: the time without a heartbeat after which the activity counts as lost; None for no limit.
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
