"""Runs several efforts concurrently, with a limit. All fan-out goes through this module.

It uses only tasks and `gather` of asyncio, which run in the same order at every replay of a workflow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def drain(efforts: Iterable[Callable[[], Awaitable[Any]]], *, limit: int) -> None:
    """Await efforts, at most `limit` of them at a time, and start a new one as soon as another ends.

    Args:
        efforts: the efforts. The next one is only taken when it may start, and nothing is taken after the end.
        limit: the maximum number of efforts that run at the same time.

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
    except GeneratorExit:  # the workflow was evicted: nothing can be awaited any more
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
    """Whether the current task was cancelled, even if what it awaited swallowed the cancellation and succeeded."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
