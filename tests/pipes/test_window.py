"""The one fan-out: what is under way is bounded, ends together, and may be put away in the middle."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from pipelex.pipes.window import drain, together


async def test_results_are_in_order_and_no_more_than_the_limit_are_under_way() -> None:
    under_way, most = 0, 0

    async def effort(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(7 - number):
            await asyncio.sleep(0)
        under_way -= 1
        return number

    assert await together([partial(effort, number) for number in range(7)], limit=3) == list(range(7))
    assert most == 3


async def test_the_first_failure_ends_the_others_before_it_is_raised() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("first")

    efforts: list[Callable[[], Awaitable[None]]] = [waits, fails, waits]
    with pytest.raises(ValueError, match="first"):
        await drain(efforts, limit=2)
    assert ended == ["waits"], "and the third one never began"


async def test_what_is_put_away_in_the_middle_awaits_nothing() -> None:
    """An engine that gives up a workflow closes its coroutines, outside of any loop that would run them."""
    before = asyncio.all_tasks()
    running = together([asyncio.Event().wait], limit=1)
    running.send(None)
    await asyncio.sleep(0)
    running.close()
    for task in asyncio.all_tasks() - before:
        task.cancel()
