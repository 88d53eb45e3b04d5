"""Several efforts side by side, bounded: the only fan-out there is.

Uses nothing of asyncio but tasks and `gather`, which run in the same order at every replay of a workflow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar, cast

T = TypeVar("T")


async def together(efforts: Sequence[Callable[[], Awaitable[T]]], *, limit: int) -> list[T]:
    """Await efforts, at most `limit` of them at a time, each new one as soon as another ends.

    Returns:
        Their results, in order.

    Raises:
        BaseException: the first failure; the other efforts are cancelled, and their ends awaited, before it is raised.
    """
    results: list[T | None] = [None] * len(efforts)
    waiting = iter(enumerate(efforts))

    async def work() -> None:
        for index, effort in waiting:
            results[index] = await effort()

    workers = [asyncio.ensure_future(work()) for _ in range(min(limit, len(efforts)))]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    return cast("list[T]", results)
