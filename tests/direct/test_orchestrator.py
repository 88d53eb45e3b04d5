"""In-process runs behind the port of orchestrators: in the background, under one id, ended and taken up again."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.runner import Pipelex
from tests.support.methods import DESCRIBE_ALL, GREET, sequence_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, write_project

END = timedelta(seconds=30)


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path, stub=stub.url)


async def calls(stub: OpenAIStub, number: int) -> None:
    async with asyncio.timeout(30):
        while len(stub.completions) < number:
            await asyncio.sleep(0.02)


async def test_a_run_goes_on_in_the_background(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day", delay=0.3)
    async with project.app("direct") as app:
        run = await app.load(project.method(GREET)).start({"name": "Ada"})
        assert (await run.status(), run.is_attached, run.note) == (RunState.RUNNING, False, None)
        with pytest.raises(PipelexError) as failed:
            await run.retry()
        assert failed.value.code == "run.not_finished"
        assert (await (await app.attach(run.run_id)).result()).text == "Good day"
        described = await run.describe()
        assert (described.state, described.pipe, described.pipe_type) == (
            RunState.COMPLETED,
            "harbour.greet",
            "PipeLLM",
        )
        assert [effect.attempts for effect in (await run.trace()).effects] == [1]
        assert await run.waits() == []
        for late in (run.cancel(), run.terminate(), run.retry()):
            with pytest.raises(PipelexError) as failed:
                await late
            assert failed.value.code == "run.already_ended"


@pytest.mark.parametrize("shape", ["batch", "sequence"])
@pytest.mark.parametrize("how", ["cancel", "terminate", "caller", "close"])
async def test_nothing_is_started_after_a_run_is_ended(
    project: Project, stub: OpenAIStub, shape: str, how: str
) -> None:
    text, inputs = (sequence_of(30), {"text": "sea"}) if shape == "sequence" else (DESCRIBE_ALL, {"words": ["a"] * 60})
    stub.on(matches="(Describe|Say)", text="sea", delay=0.1)
    async with project.app("direct") as app:
        method = app.load(project.method(text))
        if how == "caller":
            waiting = asyncio.create_task(method.run(inputs, run_id="one"))
            await calls(stub, 5)
            run = await app.attach("one")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        else:
            run = await method.start(inputs)
            await calls(stub, 5)
        if how == "cancel":
            assert await run.cancel(within=END) is RunState.CANCELLED
        elif how == "terminate":
            await run.terminate("enough")
        elif how == "close":
            await app.aclose()
        ended = await run.run.ended(END)
        assert ended is (RunState.TERMINATED if how == "terminate" else RunState.CANCELLED)
        with pytest.raises(PipelexError) as failed:
            await run.result()
        assert failed.value.code == ("run.terminated" if how == "terminate" else "run.cancelled")
        await asyncio.sleep(0.3)  # what was on its way to the server has come to it
        assert len(stub.completions) < 25


async def test_one_id_is_one_job_in_every_process(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello Ada", text="Good day")
    notes: list[str | None] = []
    for number in range(2):
        async with project.app("direct") as app:  # another process knows no more
            run = await app.load(project.method(GREET)).start({"name": "Ada"}, run_id="monday")
            assert (await run.result()).text == "Good day"
            assert (await run.result()).working_memory.root["name"].content == {"text": "Ada"}
            assert run.is_attached is (number == 1)
            notes.append(run.note)
    assert notes == [None, "Run 'monday' has already completed; this is its result."]
    assert len(stub.completions) == 1
    other = project.method(GREET.replace("Hello", "Good evening,"), "other.mthds")
    async with project.app("direct") as app:
        for method, inputs in ((project.method(GREET), {"name": "Bob"}), (other, {"name": "Ada"})):
            with pytest.raises(PipelexError, match="monday") as failed:
                await app.load(method).start(inputs, run_id="monday")
            assert failed.value.code == "request.idempotency_conflict"
        # A dry run leaves no record, and asks for none.
        await app.load(other).run({"name": "Ada"}, run_id="monday", dry_run=True)
    assert len(stub.completions) == 1


async def test_the_same_id_in_one_process_attaches(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello Ada", text="Good day", delay=0.3)
    async with project.app("direct") as app:
        method = app.load(project.method(GREET))
        runs = await asyncio.gather(*(method.start({"name": "Ada"}, run_id="monday") for _ in range(4)))
        assert sorted(run.is_attached for run in runs) == [False, True, True, True]
        assert {(await run.result()).text for run in runs} == {"Good day"}
        with pytest.raises(PipelexError) as failed:
            await method.start({"name": "Bob"}, run_id="monday")
        assert failed.value.code == "request.idempotency_conflict"
    assert len(stub.completions) == 1


async def test_a_run_that_failed_is_run_again_under_its_id(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(status=401), Reply(text="Good day"))
    async with project.app("direct") as app:
        with pytest.raises(PipelexError):
            await app.load(project.method(GREET)).run({"name": "Ada"}, run_id="monday")
    async with project.app("direct") as app:
        run = await app.load(project.method(GREET)).start({"name": "Ada"}, run_id="monday")
        assert run.note == "Run 'monday' already exists and did not succeed (failed). It is run again."
        assert (await run.result()).text == "Good day"


def test_an_unknown_orchestrator_is_refused_with_the_nearest(project: Project) -> None:
    with pytest.raises(PipelexError, match="no orchestrator 'temporel'") as failed:
        _ = Pipelex(project.settings(), orchestrator="temporel").orchestrator
    assert "Did you mean temporal?" in (failed.value.report.advice or "")
    assert "direct, mistral-workflows, temporal" in (failed.value.report.advice or "")
