"""Several efforts side by side, bounded: the only fan-out there is.

Uses nothing of asyncio but tasks and `gather`, which run in the same order at every replay of a workflow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def drain(efforts: Iterable[Callable[[], Awaitable[Any]]], *, limit: int) -> None:
    """Await efforts, at most `limit` of them at a time, each new one as soon as another ends.

    Args:
        efforts: asked for the next one only when it may begin, and for no more once it had none.
        limit: the most that may be under way.

    Raises:
        BaseException: the first failure; the other efforts are cancelled, and their ends awaited, before it is raised.
    """
    waiting = iter(efforts)

    async def work() -> None:
        for effort in waiting:
            await effort()

    workers = [asyncio.ensure_future(work()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    except GeneratorExit:  # the workflow was put away in the middle: nothing can be awaited any more
        raise
    except BaseException:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise


async def together(efforts: Sequence[Callable[[], Awaitable[T]]], *, limit: int) -> list[T]:
    """Await efforts as `drain` does.

    Returns:
        Their results, in order.
    """
    results: list[T | None] = [None] * len(efforts)

    async def keep(index: int, effort: Callable[[], Awaitable[T]]) -> None:
        results[index] = await effort()

    kept = (partial(keep, index, effort) for index, effort in enumerate(efforts))
    await drain(kept, limit=min(limit, len(efforts)))
    return cast("list[T]", results)


def is_cancelled() -> bool:
    """Whether the current task was asked to end, even where what it awaited then ended well and swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
