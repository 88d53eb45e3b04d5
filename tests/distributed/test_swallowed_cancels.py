"""Calls that swallow their cancellation: the task counts as not cancelled afterwards, and the worker ends in time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from pipelex.temporal.worker import build
from pipelex.temporal.worker.cancels import CancelWatch
from tests.support.project import Project
from tests.support.temporal import client_of


@workflow.defn(name="swallowing")
class Swallowing:
    """Waits for one activity, also when it was told to cancel it."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "swallow",
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(minutes=5),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


async def _ignores() -> None:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(60)


async def _finishes_its_work(started: "list[asyncio.Task[None]]") -> None:
    started.append(asyncio.create_task(asyncio.sleep(2)))
    try:
        await asyncio.shield(started[0])
    except asyncio.CancelledError:
        await started[0]


async def _keeps_the_rules() -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()


async def test_an_activity_that_never_ends_keeps_no_worker(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "LATE_SECONDS", 1.0)
    begun, is_freed = asyncio.Event(), asyncio.Event()

    @activity.defn(name="swallow")
    async def swallow() -> None:
        begun.set()
        while not is_freed.is_set():
            with suppress(asyncio.CancelledError):
                await is_freed.wait()

    async with project.app() as app:
        client, queue = await client_of(app), f"{project.queue}-own"
        runner = UnsandboxedWorkflowRunner()
        worker = Worker(client, task_queue=queue, workflows=[Swallowing], activities=[swallow], workflow_runner=runner)
        async with asyncio.timeout(60), build.running(worker):
            started = await client.start_workflow("swallowing", id=queue, task_queue=queue)
            await begun.wait()
        await started.terminate()
        is_freed.set()
        await worker.shutdown()
    assert f"The worker of '{queue}' did not end in time, and is left behind." in caplog.text


CALLS: dict[str, Callable[[], Awaitable[None]]] = {
    "ignores": _ignores,
    "finishes its work": lambda: _finishes_its_work([]),
    "keeps the rules": _keeps_the_rules,
}


async def _fails() -> None:
    raise ValueError("a fault of its own")


async def _error_of_a_group() -> type[BaseException]:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_fails())
            await asyncio.sleep(60)
    except BaseExceptionGroup as failed:
        await asyncio.sleep(0)  # from Python 3.13 on, a group cancels a task again that still counts as cancelled
        return type(failed.exceptions[0])
    except asyncio.CancelledError:
        return asyncio.CancelledError
    raise AssertionError("the group did not fail")


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_of_a_swallowed_cancellation_is_left(project: Project, call: str) -> None:
    """What the task does next is not taken for cancelled: a group of tasks fails with its own error."""
    watch = CancelWatch(timedelta(seconds=0.1))
    begun = asyncio.Event()
    found: list[Any] = []

    @activity.defn(name="swallow")
    async def swallow() -> None:
        async with watch.watching():
            begun.set()
            await CALLS[call]()
        task = asyncio.current_task()
        assert task is not None
        found.extend([task.cancelling(), await _error_of_a_group()])

    async with project.app() as app:
        client = await client_of(app)
        queue = f"{project.queue}-own"
        worker = Worker(
            client,
            task_queue=queue,
            workflows=[Swallowing],
            activities=[swallow],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            started = await client.start_workflow("swallowing", id=queue, task_queue=queue)
            await begun.wait()
            await asyncio.sleep(0.3)
            await started.cancel()
            with suppress(WorkflowFailureError):
                await asyncio.wait_for(started.result(), 60)
    assert found == [0, ValueError]
