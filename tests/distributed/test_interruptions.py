"""What the end of a worker interrupts is made again, and is not a failure of the provider."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipelex.durable import tries
from pipelex.durable.tries import MOST_INTERRUPTIONS
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal.dev_server import DevServer
from tests.distributed.inprocess import polling
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import kill, process, wait_for_file
from tests.support.project import Project

INPUT = {"name": "Ada"}
W = "temporal.worker_config"
RETRY = f"{W}.retry_policy_config"
LONG = Reply(text="Hi", delay=20.0)


def tried(attempts: int, **others: Any) -> dict[str, Any]:
    return {f"{RETRY}.maximum_attempts": attempts, **{f"{W}.{key}": value for key, value in others.items()}}


async def asked(stub: OpenAIStub, times: int) -> None:
    async with asyncio.timeout(60):
        while len(stub.requests) < times:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def stopped_in_a_call(app: Pipelex, stub: OpenAIStub, times: int) -> AsyncGenerator[None]:
    """A runner that is stopped, without any grace, once the model was asked so often."""
    async with polling(app, scope="runner"):
        await asked(stub, times)
        yield


async def test_restarts_of_workers_use_up_no_attempt(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", LONG, LONG, LONG, Reply(text="Hi at last"))
    async with project.app(overrides=tried(1)) as app, polling(app, scope="router"):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        for times in (1, 2, 3):
            async with stopped_in_a_call(app, stub, times):
                pass
        async with polling(app, scope="runner"):
            result = await asyncio.wait_for(run.result(), 60)

    assert result.text == "Hi at last"
    assert len(stub.requests) == 4
    assert len({request.headers["idempotency-key"] for request in stub.requests}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_processes_that_end_use_up_no_attempt(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, ended_by: signal.Signals
) -> None:
    stub.on("Hello", LONG, LONG, LONG, Reply(text="Hi at last"))
    settings = project.root / ".pipelex" / "pipelex.toml"
    text = settings.read_text(encoding="utf-8").replace("maximum_attempts = 2", "maximum_attempts = 1")
    settings.write_text(text.replace('heartbeat_timeout = "10s"', 'heartbeat_timeout = "2s"'), encoding="utf-8")
    log = project.root / "runner.log"
    async with project.app() as app, polling(app, scope="router"):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        for times in (1, 2, 3):
            ready = project.root / f"ready{times}"
            runner = ["-m", "pipelex.cli", "worker", "--scope", "runner", "--ready-file", str(ready)]
            with process(runner, cwd=project.root, environ=project.environ, log=log) as child:
                await asyncio.to_thread(wait_for_file, ready, child, log)
                await asked(stub, times)
                child.send_signal(ended_by)
                assert await asyncio.to_thread(child.wait, 30) == (0 if ended_by == signal.SIGTERM else -ended_by)
                kill(child)
        async with polling(app, scope="runner"):
            result = await asyncio.wait_for(run.result(), 60)

    assert (result.text, len(stub.requests)) == ("Hi at last", 4)


async def test_failures_count_across_interruptions(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(status=500), LONG, Reply(status=500), Reply(text="too late"))
    async with project.app(overrides=tried(2)) as app, polling(app, scope="router"):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        async with stopped_in_a_call(app, stub, 2):
            pass
        async with polling(app, scope="runner"):
            with pytest.raises(PipelexError) as failed:
                await asyncio.wait_for(run.result(), 60)

    assert failed.value.code == "provider.failed"
    assert (len(stub.requests), failed.value.report.attempts) == (3, 3)


async def test_a_call_that_ends_its_workers_is_given_up(
    project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST_INTERRUPTIONS", 2)
    stub.on("Hello", LONG)
    async with project.app(overrides=tried(0)) as app, polling(app, scope="router"):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        for times in (1, 2, 3):
            async with stopped_in_a_call(app, stub, times):
                pass
        async with polling(app, scope="runner"):
            with pytest.raises(PipelexError) as failed:
                await asyncio.wait_for(run.result(), 60)

    report = failed.value.report
    assert (report.code, report.attempts, len(stub.requests)) == ("runtime.unavailable", 3, 3)
    assert "interrupted 3 times" in report.detail
    assert "graceful_shutdown_timeout" in report.what_to_do


async def test_an_attempt_that_takes_too_long_is_a_failure(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", LONG)
    overrides = tried(2, default_activity_start_to_close_timeout="2s")
    async with project.app(overrides=overrides) as app, polling(app):
        with pytest.raises(PipelexError) as failed:
            await asyncio.wait_for(app.load(project.root / "greet.mthds").run(INPUT), 60)

    report = failed.value.report
    assert (report.code, report.attempts, len(stub.requests)) == ("run.timed_out", 2, 2)
    assert report.model == "stub"


async def test_a_durable_call_has_the_time_of_its_activity(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(text="Hi at last", delay=2.0))
    overrides = {**tried(1), "inference.call_timeout": 0.2}
    async with project.app(overrides=overrides) as app, polling(app):
        result = await asyncio.wait_for(app.load(project.root / "greet.mthds").run(INPUT), 60)
    assert "Hi at last" in str(result.content)


def test_there_is_room_for_a_rolling_restart() -> None:
    assert tries.attempts_with_interruptions(3) == 3 + MOST_INTERRUPTIONS
    assert tries.failures_allowed(tries.attempts_with_interruptions(3)) == 3
    assert tries.attempts_with_interruptions(0) == 0
