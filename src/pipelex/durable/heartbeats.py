"""Heartbeats of an activity: a lost worker is noticed, and a cancelled run stops paying."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

HEARTBEATS_PER_TIMEOUT: Final = 3
"""The number of heartbeats in each heartbeat time-out, so that a lost one does not lose the activity."""


@asynccontextmanager
async def heartbeats(beat: Callable[[], None], timeout: timedelta | None) -> AsyncGenerator[None]:
    """Tell the engine, while the block runs, that it does; the first time when a first interval has passed.

    The start of an activity is a sign of life by itself, and a short call costs no heartbeat.

    Args:
        beat: sends one heartbeat.
        timeout: the silence after which the engine takes the activity for lost; None: it never does.
    """
    if timeout is None:
        yield
        return
    interval = timeout.total_seconds() / HEARTBEATS_PER_TIMEOUT

    async def keep_beating() -> None:
        while True:
            await asyncio.sleep(interval)
            beat()

    beating = asyncio.create_task(keep_beating())
    try:
        yield
    finally:
        beating.cancel()
