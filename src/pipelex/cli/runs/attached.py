"""Waiting for a run on Temporal, with progress and a word when no worker is there."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from temporalio.service import RPCError

from pipelex.cli._shared.console import say
from pipelex.cli._shared.progress import Progress
from pipelex.cli.runs.counts import count_pipes, run_query
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.client.submit import Submitter, wait_for_workers, wait_until_taken_up
from pipelex.temporal.client.waits import FailingTask, UnservedQueue, waits

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunResult
    from pipelex.runner._durable import RunHandle

T = TypeVar("T")

WORKER_SECONDS = 3.0
"""How long a task may wait before it is told that nobody takes it."""
_EVERY = 1.0
_WAITS_EVERY = 4.0
_CONNECTS_EVERY = 1.0
_OF_THE_CLUSTER = {"temporal", "search_attributes"}
"""The dependency or component that errors name when somebody else can mend them while we wait."""


class Patience:
    """Whether to go on trying while the cluster cannot be reached, or is not set up."""

    def __init__(self, app: "Pipelex", *, waits: bool, is_silent: bool) -> None:
        self._app = app
        self._waits = waits
        self._is_silent = is_silent
        self._is_told = False

    async def until_it_can(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What an attempt gives in the end; what is waited for is told once.

        Raises:
            PipelexError: it fails, and that is not to be waited for.
        """
        while True:
            try:
                return await attempt()
            except PipelexError as failed:
                if _OF_THE_CLUSTER.isdisjoint(
                    str(failed.report.params.get(key)) for key in ("dependency", "component")
                ):
                    raise
                queue = self._app.temporal_config.worker_config.default_task_queue
                worker = f"Workers that take runs: pipelex worker --task-queue {queue}"
                advice = "\n".join(filter(None, (failed.report.advice, worker)))
                if not self._waits:
                    raise failed.with_report(advice=advice) from failed.__cause__
                self._tell(f"{failed.report.detail}\n{advice}")
                await asyncio.sleep(_CONNECTS_EVERY)

    def _tell(self, text: str) -> None:
        if not self._is_told and not self._is_silent:
            say(f"{text}\nWaiting; Ctrl-C ends.")
        self._is_told = True


async def check_for_workers(submitter: Submitter) -> None:
    """Make sure somebody will take up a run.

    Raises:
        PipelexError: no worker polls the queue.
    """
    if await wait_for_workers(submitter, WORKER_SECONDS):
        return
    raise no_worker(submitter, "nothing was started")


def no_worker(submitter: Submitter, consequence: str) -> PipelexError:
    """The error that says which queue lacks a worker, and how to start one."""
    queue = submitter.config.worker_config.default_task_queue
    return PipelexError(
        "runtime.unavailable",
        f"no worker polls the task queue '{queue}' of namespace '{submitter.client.namespace}'; {consequence}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "worker"},
        advice=f"Start one with: pipelex worker --task-queue {queue}",
    )


async def follow(
    handle: "RunHandle", submitter: Submitter, shown: Progress, *, full_memory: bool = False, waits: bool = True
) -> "RunResult":
    """The run's result, with its progress shown until then.

    Args:
        handle: the run.
        submitter: of its cluster.
        shown: where progress goes.
        full_memory: see `RunHandle.result`.
        waits: go on when no worker takes the run up, or the server is away; it is told in any case.

    Raises:
        PipelexError: the run failed, was cancelled or timed out; or no worker takes it up or no server answers, and it
            is not to be waited for.
    """
    looking = asyncio.create_task(_look_for_workers(handle, submitter, shown, waits=waits))
    watchers = [
        asyncio.create_task(_count(handle, submitter, shown)),
        asyncio.create_task(_look_for_obstacles(handle, submitter, shown)),
        looking,
    ]
    result = asyncio.create_task(_result(handle, shown, full_memory=full_memory, waits=waits))
    try:
        await asyncio.wait((result, looking), return_when=asyncio.FIRST_COMPLETED)
        if not result.done() and looking.done() and not looking.cancelled():
            error = looking.exception()
            if isinstance(error, PipelexError):
                raise error
        return await result
    finally:
        for task in (result, *watchers):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _result(handle: "RunHandle", shown: Progress, *, full_memory: bool, waits: bool) -> "RunResult":
    is_told = False
    while True:
        try:
            return await handle.result(full_memory=full_memory)
        except PipelexError as failed:
            if not waits or failed.report.params.get("dependency") != "temporal":
                raise
            if not is_told:
                shown.note(f"{failed.report.detail}. Waiting for it; Ctrl-C leaves the run where it is.")
                is_told = True
            await asyncio.sleep(_CONNECTS_EVERY)


async def _count(handle: "RunHandle", submitter: Submitter, shown: Progress) -> None:
    query = run_query(submitter.config, handle.run_id, handle.workflow_id)
    while True:
        await asyncio.sleep(_EVERY)
        counts = await count_pipes(submitter.client, query)
        if counts is not None:
            shown.counts(counts)


async def _look_for_workers(handle: "RunHandle", submitter: Submitter, shown: Progress, *, waits: bool) -> None:
    try:
        if await wait_until_taken_up(handle.durable, WORKER_SECONDS):
            return
        is_polled = await submitter.has_workers()
    except (PipelexError, RPCError):  # the result tells what is wrong
        return
    if not waits:
        raise no_worker(
            submitter, f"run '{handle.run_id}' waits for one; cancel it: pipelex runs cancel {handle.run_id}"
        )
    queue = submitter.config.worker_config.default_task_queue
    command = f"pipelex worker --task-queue {queue}"
    if is_polled:
        shown.note(f"The workers of the task queue '{queue}' are busy or have just ended. Start another: {command}")
    else:
        shown.note(f"No worker polls the task queue '{queue}' yet. Start one with: {command}")
    shown.note("Waiting; Ctrl-C leaves the run where it is.")


async def _look_for_obstacles(handle: "RunHandle", submitter: Submitter, shown: Progress) -> None:
    """Tell once of everything the run waits for that does not come by itself."""
    query = run_query(submitter.config, handle.run_id, handle.workflow_id)
    told: set[str] = set()
    while True:
        await asyncio.sleep(_WAITS_EVERY)
        with suppress(Exception):
            found = await waits(submitter.client, query, timedelta(seconds=WORKER_SECONDS))
            for obstacle in (*found.queues, *found.tasks):
                key, text = _obstacle(obstacle, handle.run_id)
                if key not in told:
                    told.add(key)
                    shown.note(text)


def _obstacle(found: UnservedQueue | FailingTask, run_id: str) -> tuple[str, str]:
    """What it is, so that it is told once, and the words for it."""
    if isinstance(found, UnservedQueue):
        return found.queue, (
            f"{found.activity} waits in the task queue '{found.queue}', which no worker polls. "
            f"Start one with: pipelex worker --task-queue {found.queue} --scope runner"
        )
    report = found.error.report
    lines = [
        f"A worker cannot go on with {found.workflow_id}: {report.detail}.",
        *([report.advice] if report.advice else []),
        f"Temporal repeats it until it succeeds (attempt {found.attempt} is next); to give up: "
        f"pipelex runs terminate {run_id}",
    ]
    return report.detail, "\n".join(lines)
