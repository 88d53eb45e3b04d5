"""Waiting for a run on Temporal, with progress and a word when no worker is there."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from pipelex.cli._counts import count_pipes, run_query
from pipelex.cli._progress import Progress
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.submit import Submitter, wait_for_workers

if TYPE_CHECKING:
    from pipelex.runner import RunResult
    from pipelex.runner._durable import RunHandle

WORKER_SECONDS = 5.0
_EVERY = 1.0


async def check_for_workers(submitter: Submitter) -> None:
    """Make sure somebody will take up a run.

    Raises:
        PipelexError: no worker polls the queue.
    """
    if await wait_for_workers(submitter, WORKER_SECONDS):
        return
    queue = submitter.config.worker_config.default_task_queue
    raise PipelexError(
        "runtime.unavailable",
        f"no worker polls the task queue '{queue}' of namespace '{submitter.client.namespace}'; nothing was started",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "worker"},
        advice="Start one with: pipelex worker",
    )


async def follow(
    handle: "RunHandle", submitter: Submitter, shown: Progress, *, full_memory: bool = False
) -> "RunResult":
    """The run's result, with its progress shown until then.

    Raises:
        PipelexError: the run failed, was cancelled or timed out.
    """
    watchers = [
        asyncio.create_task(_count(handle, submitter, shown)),
        asyncio.create_task(_look_for_workers(submitter, shown)),
    ]
    try:
        return await handle.result(full_memory=full_memory)
    finally:
        for watcher in watchers:
            watcher.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await watcher


async def _count(handle: "RunHandle", submitter: Submitter, shown: Progress) -> None:
    query = run_query(submitter.config, handle.run_id, handle.workflow_id)
    while True:
        await asyncio.sleep(_EVERY)
        counts = await count_pipes(submitter.client, query)
        if counts is not None:
            shown.counts(counts)


async def _look_for_workers(submitter: Submitter, shown: Progress) -> None:
    if await wait_for_workers(submitter, WORKER_SECONDS):
        return
    queue = submitter.config.worker_config.default_task_queue
    shown.note(f"No worker polls the task queue '{queue}' yet. Start one with: pipelex worker --task-queue {queue}")
    shown.note("Waiting; Ctrl-C leaves the run where it is.")
