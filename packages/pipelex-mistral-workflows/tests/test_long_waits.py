"""Waits of hours, lived through on a server that skips them: the real SDK's worker, in a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.runner import Pipelex, RunHandle
from test_runs import until
from test_worker import entered, worker

from mistral_project import MistralProject, write_mistral_project
from mistral_stand_in.api import StandIn
from mistral_stand_in.server import TimeSkippingServer
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply

pytestmark = pytest.mark.xdist_group("long waits")

HOUR = timedelta(hours=1)
WAITS = 2 * HOUR
"""The time between two attempts of a call."""
LIMIT = 24 * HOUR
"""The time that an execution has unless the settings say otherwise; Mistral's SDK would give it one hour."""
ATTEMPTS = LIMIT // WAITS


@dataclass
class Elsewhen:
    """A project whose runs have the time of another server."""

    api: StandIn
    project: MistralProject
    stub: OpenAIStub

    async def skip(self, time: timedelta) -> None:
        await TimeSkippingServer.skip(self.api.client, time)

    async def lasted(self, run: RunHandle) -> timedelta:
        found = await self.api.client.get_workflow_handle(run.workflow_id).describe()
        assert found.close_time is not None
        return found.close_time - found.start_time


@pytest_asyncio.fixture(scope="module")
async def elsewhen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Elsewhen]:
    root: Path = tmp_path_factory.mktemp("elsewhen")
    server = TimeSkippingServer()
    with OpenAIStub() as stub:
        try:
            api = await StandIn(await server.start(), server.target).start()
            project = write_mistral_project(root, stub=stub.url, api=api.url, deployment="elsewhen")
            file = root / ".pipelex" / "pipelex.toml"
            text = file.read_text(encoding="utf-8").replace(
                'initial_interval = "0:00:00.05"', 'initial_interval = "2h"'
            )
            text = text.replace(
                "maximum_attempts = 2", "maximum_attempts = 50\nretry_policy_config.backoff_coefficient = 1.0"
            )
            file.write_text(text, encoding="utf-8")
            with await asyncio.to_thread(entered, worker(project, "worker")):
                yield Elsewhen(api, project, stub)
            await api.stop()
        finally:
            server.stop()


async def started(app: Pipelex, elsewhen: Elsewhen, words: list[str]) -> RunHandle:
    """A run, once a call of it has failed and waits for its next attempt."""
    before = len(elsewhen.stub.completions)
    run = await app.load(elsewhen.project.method(DESCRIBE_ALL)).start({"words": words})
    await until(lambda: len(elsewhen.stub.completions) >= before + len(words))
    async with asyncio.timeout(60):
        while not await run.run.waits():
            await asyncio.sleep(0.1)
    return run


async def test_a_run_outlives_the_hour_that_the_sdk_would_give_it(elsewhen: Elsewhen) -> None:
    elsewhen.stub.on("Describe two", Reply(status=500), Reply(text="late"))
    elsewhen.stub.on("Describe one", text="sea")
    async with elsewhen.project.app() as app:
        run = await started(app, elsewhen, ["one", "two"])
        await elsewhen.skip(WAITS - HOUR / 6)
        assert (await run.describe()).state is RunState.RUNNING
        await elsewhen.skip(HOUR / 3)
        result = await asyncio.wait_for(run.result(), 60)
        assert WAITS <= await elsewhen.lasted(run) < WAITS + HOUR
    assert result.content == {"items": [{"text": "sea"}, {"text": "late"}]}


async def test_a_call_is_tried_for_as_long_as_its_execution_may_last(elsewhen: Elsewhen) -> None:
    """The server makes no attempt that would begin after the end: the run fails with the reason, and does not time out."""
    elsewhen.stub.on("Describe always", status=500)
    async with elsewhen.project.app() as app:
        run = await started(app, elsewhen, ["always"])
        for _ in range(ATTEMPTS - 1):
            asked = len(elsewhen.stub.completions)
            await elsewhen.skip(WAITS)
            await until(lambda asked=asked: len(elsewhen.stub.completions) > asked)
        with pytest.raises(PipelexError) as failed:
            await asyncio.wait_for(run.result(), 60)
        assert LIMIT - WAITS <= await elsewhen.lasted(run) < LIMIT
    assert (failed.value.code, failed.value.report.attempts) == ("provider.failed", ATTEMPTS)
