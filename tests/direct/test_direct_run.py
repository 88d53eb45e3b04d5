import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.errors import PipelexError
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex
from tests.support.methods import DESCRIBE_ALL, GREET, SURVEY
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import ATTEMPTS, Project, write_project
from tests.support.silent_server import silent_server


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path, stub=stub.url)


@pytest_asyncio.fixture
async def app(project: Project) -> AsyncIterator[Pipelex]:
    async with project.app("direct") as runtime:
        yield runtime


async def test_watching_a_run(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Berths of", object={"items": [{"code": "B1"}, {"code": "B2"}, {"code": "B3"}]})
    stub.on("Describe", text="fine").on("History", text="long").on("Varna", object={"date": "1972-05-01"})
    seen: list[tuple[int, int]] = []

    def look(root: PipeTrace) -> None:
        pipes = [root, *below(root)]
        seen.append((len(pipes), sum(pipe.status == "COMPLETED" for pipe in pipes)))

    result = await app.load(project.method(SURVEY)).run({"harbour": "Varna"}, on_change=look)

    assert result.trace is not None
    assert seen == sorted(seen)
    assert seen[-1] == (11, 11)
    assert [child.id.removeprefix(f"{result.run_id}/") for child in result.trace.children][:3] == [
        "1-list_berths",
        "2-describe[0]",
        "2-describe[1]",
    ]


def below(trace: PipeTrace) -> list[PipeTrace]:
    return [pipe for child in trace.children for pipe in (child, *below(child))]


async def test_no_more_items_at_a_time_than_configured(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="fine", delay=0.1)
    overrides = {"interpreter.pipeline_execution.max_concurrency": 3}
    async with project.app("direct", overrides=overrides) as app:
        await app.load(project.method(DESCRIBE_ALL)).run({"words": list("abcdefghij")})
    assert stub.most_in_flight == 3


@pytest.mark.slow
async def test_the_trace_counts_attempts(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(status=503, body={"error": {"message": "busy"}}), Reply(text="hi"))
    result = await app.load(project.method(GREET)).run({"name": "Ada"})
    assert result.trace is not None
    assert [effect.attempts for effect in result.trace.effects] == [ATTEMPTS]


async def test_a_failure_cancels_what_runs_beside_it(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe bad", status=401, body={"error": {"message": "no", "code": "invalid_api_key"}}, delay=0.2)
    stub.on("Describe", text="late", delay=2.0)
    statuses: list[str] = []

    def look(root: PipeTrace) -> None:
        statuses[:] = [pipe.status for pipe in (root, *root.children)]

    began = asyncio.get_running_loop().time()
    with pytest.raises(PipelexError):
        await app.load(project.method(DESCRIBE_ALL)).run({"words": ["a", "bad", "c"]}, on_change=look)
    assert asyncio.get_running_loop().time() - began < 2.0
    assert statuses == ["FAILED", "CANCELLED", "FAILED", "CANCELLED"]


async def test_cancelling_closes_the_provider_call(tmp_path: Path) -> None:
    async with silent_server() as silent:
        project = write_project(tmp_path, stub=silent.url)
        async with project.app("direct") as app:
            running = asyncio.create_task(app.load(project.method(GREET)).run({"name": "Ada"}))
            await asyncio.wait_for(silent.arrived.wait(), 10)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await asyncio.wait_for(silent.left.wait(), 5)


@pytest.mark.slow
async def test_a_repeated_request_keeps_its_key_and_no_two_items_share_one(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    stub.on("Describe a", Reply(status=503), Reply(text="fine")).on("Describe b", text="fine")
    await app.load(project.method(DESCRIBE_ALL)).run({"words": ["a", "b"]})
    keys: dict[str, list[str]] = {}
    for request in stub.requests:
        headers = {name.lower(): value for name, value in request.headers.items()}
        keys.setdefault(request.prompt, []).append(headers["idempotency-key"])
    first, again = keys["Describe a."]
    assert first == again
    assert keys["Describe b."] != [first]
