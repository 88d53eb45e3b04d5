"""Runs on the real SDK, from the start to the result, the tree and the end."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.orchestrator import MistralOrchestrator
from pipelex.orchestration import RunFilter, RunState
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex

from mistral_project import ATTEMPTS, DEPLOYMENT, MistralProject, serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply

pytestmark = pytest.mark.usefixtures("polling")

ECHO = """
domain = "harbour"
main_pipe = "both"

[pipe.both]
type = "PipeSequence"
description = "Write a text, then put it with the one that is given"
inputs = { text = "Text" }
output = "Text"
steps = [{ pipe = "write", result = "written" }, { pipe = "put_together", result = "whole" }]

[pipe.write]
type = "PipeLLM"
description = "Write a text"
inputs = { text = "Text" }
output = "Text"
prompt = "Write about $text"

[pipe.put_together]
type = "PipeCompose"
description = "Both texts"
inputs = { text = "Text", written = "Text" }
output = "Text"
template = "{{ text }}{{ written }}"
"""


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


def orchestrator_of(app: Pipelex) -> MistralOrchestrator:
    assert isinstance(app.orchestrator, MistralOrchestrator)
    return app.orchestrator


def states(trace: PipeTrace) -> Counter[RunState]:
    found = Counter([trace.status])
    for child in trace.children:
        found += states(child)
    return found


async def test_a_batch_runs_as_a_tree(project: MistralProject, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["one", "two", "three"]})
            result = await handle.result()
        trace = await handle.trace()
        described = await handle.describe()
        counts = await handle.run.counts()
    assert result.content == {"items": [{"text": f"about {word}"} for word in ("one", "two", "three")]}
    assert (trace.pipe, trace.type, trace.status) == ("harbour.describe_all", "PipeBatch", RunState.COMPLETED)
    assert sorted(child.id.removeprefix(handle.workflow_id) for child in trace.children) == [
        "/describe[0]",
        "/describe[1]",
        "/describe[2]",
    ]
    assert {child.pipe for child in trace.children} == {"harbour.describe"}
    told = {f"LLM text · pipe=describe[{rank}] · model=stub" for rank in range(3)}
    assert {child.effects[0].summary for child in trace.children} == told
    assert sum(usage.calls for usage in trace.usage) == 3
    assert (described.pipe, described.state) == ("harbour.describe_all", RunState.COMPLETED)
    assert (counts.completed if counts else 0) == 4


async def test_the_report_of_a_failure_is_in_the_events(project: MistralProject, stub: OpenAIStub) -> None:
    stub.on(None, status=401)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(ECHO)).start({"text": "tides"})
            with pytest.raises(PipelexError) as failed:
                await handle.result()
        trace = await handle.trace()
    report = failed.value.report
    assert report.code == "provider.credential_refused"
    assert (report.location.pipe, report.location.path) == ("harbour.write", ("1-write",))
    assert report.model == "stub"
    assert len(stub.completions) == 1  # a refused key is asked for once
    assert trace.error == report
    assert trace.children[0].effects[0].error is not None


async def test_a_provider_that_fails_is_asked_as_often_as_configured(project: MistralProject, stub: OpenAIStub) -> None:
    stub.on(None, status=500)
    async with project.app() as app:
        with serving(app), pytest.raises(PipelexError) as failed:
            await app.load(project.method(ECHO)).run({"text": "tides"})
    assert len(stub.completions) == ATTEMPTS
    assert failed.value.report.attempts == ATTEMPTS


async def test_cancelling_a_run_ends_its_whole_tree(project: MistralProject, stub: OpenAIStub) -> None:
    stub.on(None, text="slowly", delay=60)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": [f"w{n}" for n in range(3)]})
            await until(lambda: len(stub.completions) == 3)
            assert await handle.cancel(within=timedelta(seconds=60)) is RunState.CANCELLED
            with pytest.raises(PipelexError, match="cancelled"):
                await handle.result()
            trace = await handle.trace()
            with pytest.raises(PipelexError, match="ended already"):
                await handle.cancel()
    assert states(trace) == {RunState.CANCELLED: 4}
    assert {effect.status for child in trace.children for effect in child.effects} == {RunState.CANCELLED}


async def test_a_terminated_run_says_so(project: MistralProject, stub: OpenAIStub) -> None:
    stub.on(None, text="slowly", delay=60)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(ECHO)).start({"text": "tides"})
            await until(lambda: bool(stub.completions))
            await handle.terminate("enough")
            with pytest.raises(PipelexError) as ended:
                await handle.result()
            trace = await handle.trace()
    assert states(trace) == {RunState.TERMINATED: 2}
    assert trace.children[0].effects[0].status is not RunState.RUNNING
    assert ended.value.code == "run.terminated"


async def test_a_failed_run_goes_on_from_where_it_failed(project: MistralProject, stub: OpenAIStub) -> None:
    stub.on("Describe two.", Reply(status=401), Reply(text="about two"))
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    async with project.app(overrides={"interpreter.pipeline_execution.max_concurrency": 1}) as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["one", "two", "three"]})
            with pytest.raises(PipelexError, match="refused"):
                await handle.result()
            await handle.retry()
            result = await handle.result()
    assert result.content == {"items": [{"text": f"about {word}"} for word in ("one", "two", "three")]}
    asked = Counter(request.prompt for request in stub.completions)
    assert (asked["Describe one."], asked["Describe two."]) == (1, 2)


async def test_one_id_is_one_job(project: MistralProject, stub: OpenAIStub, tmp_path: Path) -> None:
    stub.on(None, text="foam")
    id_ = f"orders:2026 № {tmp_path.name}"
    async with project.app() as app:
        method = app.load(project.method(ECHO))
        with serving(app):
            first = await method.start({"text": "waves"}, run_id=id_)
            assert (await first.result()).content == {"text": "wavesfoam"}
            again = await method.start({"text": "waves"}, run_id=id_)
            with pytest.raises(PipelexError) as refused:
                await method.start({"text": "others"}, run_id=id_)
            with pytest.raises(PipelexError, match="has 323 characters when it is encoded"):
                await method.start({"text": "waves"}, run_id="é" * 64)
        assert (await (await app.attach(id_)).result()).content == {"text": "wavesfoam"}
        listed = await orchestrator_of(app).list(RunFilter(limit=50))
    assert again.is_attached
    assert refused.value.code == "request.idempotency_conflict"
    assert len(stub.completions) == 1
    assert [run.run_id for run in listed].count(id_) == 1


async def test_values_beyond_the_platforms_sizes_go_to_the_storage(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    given, answered = "g" * 3_000_000, "a" * 2_500_000
    stub.on(None, text=answered)
    stand_in.largest = 0
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(ECHO)).start({"text": given})
            result = await handle.result(full_memory=True)
    assert result.content == {"text": given + answered}
    assert stand_in.largest < 1_500_000


async def test_what_nobody_foresaw_ends_the_run(project: MistralProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelex_mistral_workflows import workflows

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(workflows.entry, "run_pipe", broken)
    async with project.app() as app:
        with serving(app):
            with pytest.raises(PipelexError) as failed:
                await app.load(project.method(ECHO)).run({"text": "tides"})
            api = orchestrator_of(app).platform.api
            for given in ({"text": "tides"}, {"pipelex_job": {"job": {"pipe": 3}}}, {"pipelex_job": "none"}):
                id_ = f"no-job-{len(str(given))}"
                assert await api.execute(names.RUN_PIPE, id_, given, DEPLOYMENT)
                assert await (await app.attach(id_)).run.ended(timedelta(seconds=60)) is RunState.FAILED
    assert failed.value.code == "runtime.unexpected"
    assert "ZeroDivisionError" in failed.value.report.detail


async def until(condition: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)
