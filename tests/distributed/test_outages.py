"""A provider that no connection reaches is sent nothing: its calls wait, and use up no attempt."""

import asyncio
import logging
from datetime import timedelta

import pytest

from pipelex.durable.tries import MOST_UNREACHED, Tries
from pipelex.errors import PipelexError
from tests.distributed.inprocess import polling
from tests.support.inference_files import OTHER_MODELS, STUB_MODELS, write_stub_inference
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import free_port
from tests.support.project import Project

INPUT = {"name": "Ada"}
ONCE = {"temporal.worker_config.retry_policy_config.maximum_attempts": 1}
SECOND = timedelta(seconds=1)


def away(project: Project) -> tuple[str, int]:
    """Move the project's models to an address where nothing listens."""
    address = ("127.0.0.1", free_port())
    url = f"http://{address[0]}:{address[1]}/v1"
    write_stub_inference(project.root / ".pipelex" / "inference", url, models=STUB_MODELS + OTHER_MODELS)
    return address


async def told(caplog: pytest.LogCaptureFixture, what: str, times: int) -> None:
    async with asyncio.timeout(60):
        while sum(what in record.getMessage() for record in caplog.records) < times:
            await asyncio.sleep(0.05)


async def test_a_provider_that_is_away_costs_no_attempt(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    address = away(project)
    overrides = {**ONCE, "inference.outages.durable_retry_seconds": 120}
    with caplog.at_level(logging.WARNING, "pipelex.worker"):
        async with project.app(overrides=overrides) as app, polling(app):
            run = await app.load(project.root / "greet.mthds").start(INPUT)
            await told(caplog, "sent nothing: ", 3)
            with OpenAIStub(address=address) as back:
                back.on("Hello", text="Hi at last")
                result = await asyncio.wait_for(run.result(), 60)
    assert result.text == "Hi at last"
    assert len(back.requests) == 1


async def test_failures_count_beside_outages(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    address = away(project)
    overrides = {**ONCE, "inference.outages.durable_retry_seconds": 120}
    with caplog.at_level(logging.WARNING, "pipelex.worker"):
        async with project.app(overrides=overrides) as app, polling(app):
            run = await app.load(project.root / "greet.mthds").start(INPUT)
            await told(caplog, "sent nothing: ", 2)
            with OpenAIStub(address=address) as back:
                back.on("Hello", Reply(status=500), Reply(text="too late"))
                with pytest.raises(PipelexError) as failed:
                    await asyncio.wait_for(run.result(), 60)
    assert failed.value.code == "provider.failed"
    assert len(back.requests) == 1


async def test_without_patience_an_outage_is_a_failure(project: Project) -> None:
    away(project)
    async with project.app(overrides=ONCE) as app, polling(app):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        with pytest.raises(PipelexError, match="no connection to 'openai'") as failed:
            await asyncio.wait_for(run.result(), 60)
    assert (failed.value.code, failed.value.report.attempts) == ("provider.unavailable", 1)


@pytest.mark.parametrize(
    ("patience", "initial", "longest", "waits"),
    [
        (0, 1, None, []),
        (15, 1, None, [1, 2, 4, 8]),
        (300, 1, None, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
        (100, 40, 50, [40, 50]),
        (10_000, 1, 3, [1, 2, *[3] * (MOST_UNREACHED - 2)]),
    ],
)
def test_the_waits_of_an_outage(patience: int, initial: int, longest: int | None, waits: list[int]) -> None:
    found: list[float] = []
    most = None if longest is None else longest * SECOND
    while (
        wait := Tries(number=1, unreached=len(found)).outage_wait(patience * SECOND, initial * SECOND, 2.0, most)
    ) is not None:
        found.append(wait.total_seconds())
    assert found == waits


def test_outages_are_no_interruptions() -> None:
    assert Tries(number=7, failures=1, unreached=3).interruptions == 2
