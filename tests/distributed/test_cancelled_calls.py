"""Calls of a run that was ended stop at once: no heartbeat tells their worker, for the first would come after minutes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.runner import RunHandle
from pipelex.temporal.dev_server import DevServer
from tests.distributed.inprocess import polling
from tests.support.methods import DESCRIBE_ALL, GREET
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project
from tests.support.silent_server import SilentServer, silent_server
from tests.support.temporal import workflow_of

W = "temporal.worker_config"
RARE_BEATS = {f"{W}.default_activity_heartbeat_timeout": "9m"}
WORDS = [f"word{number}" for number in range(6)]

ONE_REFUSES = (
    """
domain = "harbour"
main_pipe = "both"

[pipe.both]
type = "PipeParallel"
description = "One is refused while the other waits"
inputs = { name = "Text" }
output = "Composite"
branches = [{ pipe = "greet", result = "greeting" }, { pipe = "refuse", result = "refusal" }]
add_each_output = true

[pipe.refuse]
type = "PipeLLM"
description = "Refused"
inputs = { name = "Text" }
output = "Text"
prompt = "Refuse $name"
"""
    + GREET.partition("[pipe.greet]")[1]
    + GREET.partition("[pipe.greet]")[2]
)


@asynccontextmanager
async def waiting(
    tmp_path: Path, server: DevServer, name: str, *, refuses: str | None = None
) -> AsyncGenerator[tuple[Project, SilentServer]]:
    """A project whose model takes requests and never answers."""
    async with silent_server(refuses) as silent:
        yield write_project(tmp_path, stub=silent.url, target=server.target, queue=f"q-{tmp_path.name}-{name}"), silent


async def come(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():
            await asyncio.sleep(0.05)


async def _cancelled(run: RunHandle) -> None:
    await run.cancel()


async def _terminated(run: RunHandle) -> None:
    await run.terminate("enough")


@pytest.mark.parametrize("end", [_cancelled, _terminated])
@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
async def test_every_call_in_flight_ends_with_its_run(
    tmp_path: Path, temporal_server: DevServer, policy: str, end: Callable[[RunHandle], Any]
) -> None:
    overrides = {**RARE_BEATS, f"{W}.child_workflow_policy": policy}
    async with (
        waiting(tmp_path, temporal_server, policy) as (project, silent),
        project.app(overrides=overrides) as app,
        polling(app),
    ):
        run = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
        await come(lambda: silent.arrivals == len(WORDS))
        await end(run)
        await come(lambda: silent.departures == len(WORDS))
        with pytest.raises(PipelexError) as failed:
            await run.result()
        assert failed.value.code in ("run.cancelled", "run.terminated")
        assert silent.arrivals == len(WORDS)


async def test_a_worker_of_its_own_process(tmp_path: Path, temporal_server: DevServer) -> None:
    async with waiting(tmp_path, temporal_server, "own") as (project, silent):
        settings = project.root / ".pipelex" / "pipelex.toml"
        often = 'default_activity_heartbeat_timeout = "10s"'
        text = settings.read_text(encoding="utf-8")
        assert often in text
        settings.write_text(text.replace(often, often.replace("10s", "9m")), encoding="utf-8")
        ready, log = project.root / "ready", project.root / "worker.log"
        worker = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
        with process(worker, cwd=project.root, environ=project.environ, log=log) as child:
            await asyncio.to_thread(wait_for_file, ready, child, log)
            async with project.app() as app:
                run = await app.load(project.method(GREET)).start({"name": "Ada"})
                await come(lambda: silent.arrivals == 1)
                await run.cancel()
                await come(lambda: silent.departures == 1)
                assert await run.status() is RunState.CANCELLED
            child.terminate()
            assert await asyncio.to_thread(child.wait, 30) == 0
    said = log.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "WARN" not in said


async def test_a_call_that_its_parent_gives_up_on(tmp_path: Path, temporal_server: DevServer) -> None:
    async with (
        waiting(tmp_path, temporal_server, "parent", refuses="Refuse") as (project, silent),
        project.app(overrides=RARE_BEATS) as app,
        polling(app),
    ):
        run = await app.load(project.method(ONE_REFUSES)).start({"name": "Ada"})
        with pytest.raises(PipelexError):
            await run.result()
        await come(lambda: silent.arrivals == silent.departures == 1)


@pytest.mark.parametrize("interval", ["unlimited", "0:00:00.2"])
async def test_looks_are_a_setting(tmp_path: Path, temporal_server: DevServer, interval: str) -> None:
    overrides = {**RARE_BEATS, f"{W}.cancellation_check_interval": interval}
    async with (
        waiting(tmp_path, temporal_server, interval[:3]) as (project, silent),
        project.app(overrides=overrides) as app,
        polling(app),
    ):
        run = await app.load(project.method(GREET)).start({"name": "Ada"})
        await come(lambda: silent.arrivals == 1)
        await run.cancel()
        if interval == "unlimited":
            await asyncio.sleep(5)
        else:
            await come(lambda: silent.departures == 1)
        assert silent.departures == (interval != "unlimited")


async def test_looks_are_no_events_and_no_heartbeats(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi", delay=2.0)
    found: list[tuple[list[int], int]] = []
    for interval in ("unlimited", "0:00:00.1"):
        async with project.app(overrides={f"{W}.cancellation_check_interval": interval}) as app, polling(app):
            run = await app.load(project.root / "greet.mthds").start({"name": "Ada"})
            await come(lambda: len(stub.completions) == len(found) + 1)
            await asyncio.sleep(1)
            described = (await workflow_of(run).describe()).raw_description
            beats = sum(each.HasField("last_heartbeat_time") for each in described.pending_activities)
            assert (await run.result()).text == "Hi"
            found.append(([event.event_type for event in (await workflow_of(run).fetch_history()).events], beats))
    assert found[0] == found[1]
    assert found[1][1] == 0
