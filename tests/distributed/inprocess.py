"""Workers of any queue, scope and profile in this process, for projects on the session's server."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.client import Client

from pipelex.runner import Pipelex
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.worker.build import build_worker, plan_worker, running
from tests.distributed.cluster import scheduled
from tests.support.temporal import client_of, config_of

T = TypeVar("T")


@asynccontextmanager
async def polling(
    app: Pipelex,
    *,
    scope: str | None = None,
    queue: str | None = None,
    profile: str | None = None,
    client: Client | None = None,
) -> AsyncGenerator[None]:
    """A worker while the block runs."""
    plugin = PipelexPlugin(config_of(app), app.inference, scope=scope)
    plan = plan_worker(config_of(app), task_queue=queue, profile=profile)
    if client is None:
        client = await client_of(app)
    async with running(build_worker(client, plan, plugin)):
        yield


@asynccontextmanager
async def all_polling(app: Pipelex, *queues: str) -> AsyncGenerator[None]:
    """A router on the default queue, and a runner on each of these."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(polling(app, scope="router"))
        for queue in queues:
            await stack.enter_async_context(polling(app, scope="runner", queue=queue))
        yield


async def until(look: Callable[[], Awaitable[T]], seconds: float = 20.0) -> T:
    """The first answer that is not empty."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.05)
        return found


async def first_scheduled(app: Pipelex, workflow_id: str) -> ActivityTaskScheduledEventAttributes:
    """How a workflow schedules its first activity."""
    client = await client_of(app)
    return (await until(lambda: scheduled(client, workflow_id)))[0]
