"""A run that did not succeed goes on, and nothing that was answered is paid for again: whatever ended it, and whether the
platform gives an id again or resets alone."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pipelex.durable.options import EngineOptions
from pipelex.errors import PipelexError
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.config import MistralWorkflowsConfig
from pipelex.orchestration import RunState
from pipelex.pipes.calls import PipeCall
from pipelex.runner import Pipelex, RunHandle
from pipelex.runner.replays import prepare_replay
from test_runs import until

from mistral_project import MistralProject, serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.temporal import start_call
from tests.temporal.test_cancel_and_retry import NESTED, TWO_BRANCHES

pytestmark = pytest.mark.usefixtures("polling")

END = timedelta(seconds=60)
WORDS = [f"word{number:02}" for number in range(10)]
WINDOW = 4
IS_PART = os.environ.get("PIPELEX_MISTRAL_TESTS") == "few"


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


@pytest_asyncio.fixture
async def app(project: MistralProject, request: pytest.FixtureRequest) -> AsyncIterator[Pipelex]:
    policy = getattr(request, "param", "every_pipe")
    async with project.app(overrides={"mistral_workflows.child_workflow_policy": policy}) as app:
        with serving(app):
            yield app


@pytest.fixture
def once(stand_in: StandIn) -> Iterator[None]:
    """A platform that takes an id once: Mistral does not say whether it is one."""
    stand_in.takes_ids_again = False
    yield
    stand_in.takes_ids_again = True


async def started(
    app: Pipelex, project: MistralProject, text: str, inputs: dict[str, Any], **options: Any
) -> RunHandle:
    method = app.load(project.method(text))
    pipe = method.pipe().ref
    call = PipeCall(pipe=pipe, inputs=method.read_inputs(inputs, pipe))
    return await start_call(app, method.library, call, EngineOptions(**{"max_concurrency": WINDOW} | options))


async def _terminated(run: RunHandle, stub: OpenAIStub, asked: int) -> None:
    await until(lambda: len(stub.completions) >= asked)
    await run.terminate("enough")


async def _cancelled(run: RunHandle, stub: OpenAIStub, asked: int) -> None:
    await until(lambda: len(stub.completions) >= asked)
    assert await run.cancel(within=END) is RunState.CANCELLED


async def _failed(run: RunHandle, stub: OpenAIStub, asked: int) -> None:
    assert await run.run.ended(END) is RunState.FAILED


End = Callable[[RunHandle, OpenAIStub, int], Awaitable[None]]
SHAPES: dict[str, tuple[str, dict[str, int], int, str]] = {
    "batch": (DESCRIBE_ALL, {}, 5, "word05"),
    "slices": (DESCRIBE_ALL, {"slice_size": 4}, 6, "word06"),
    "in an inner sequence": (NESTED, {}, 2, "two"),
    "in a later batch": (NESTED, {}, 6, "word03"),
}
"""Shape → the method, its options, after how many calls the run is ended, and the call that fails where it fails."""


ENDS = [_failed, _terminated, _cancelled]
EVERY = [*product(SHAPES, ENDS, ["every_pipe", "controllers"])]
PART = [
    ("slices", _failed, "every_pipe"),
    ("batch", _terminated, "controllers"),
    ("in an inner sequence", _cancelled, "every_pipe"),
]


@pytest.mark.parametrize(("shape", "end", "app"), PART if IS_PART else EVERY, indirect=["app"])
async def test_a_retry_pays_for_nothing_that_was_answered(
    app: Pipelex, project: MistralProject, stub: OpenAIStub, shape: str, end: End
) -> None:
    text, options, asked, refused = SHAPES[shape]
    if end is _failed:
        stub.on(f"Describe {refused}", Reply(status=401, delay=0.3), Reply(text="sea"))
    stub.on("Describe", text="sea", delay=0.2)
    run = await started(app, project, text, {"words": WORDS}, **options)
    await end(run, stub, asked)
    await run.retry()  # at once: what is under way still answers, and that is waited for
    result = await asyncio.wait_for(run.result(), 120)
    assert result.content == {"items": [{"text": "sea"}] * len(WORDS)}
    asked_again = {request.prompt: 1 for request in stub.completions if refused in request.prompt and end is _failed}
    every_call = len(WORDS) + (2 if text is NESTED else 0)
    counts = Counter(request.prompt for request in stub.completions)
    assert len(counts) == every_call
    assert {prompt: times - 1 for prompt, times in counts.items() if times > 1} == asked_again
    with pytest.raises(PipelexError) as done:
        await run.retry()
    assert done.value.code == "run.already_ended"


@pytest.mark.usefixtures("once")
async def test_a_platform_that_takes_an_id_once_resets(app: Pipelex, project: MistralProject, stub: OpenAIStub) -> None:
    await test_a_retry_pays_for_nothing_that_was_answered(app, project, stub, "in a later batch", _cancelled)


async def test_the_branches_that_ended_well_are_not_asked_again(
    app: Pipelex, project: MistralProject, stub: OpenAIStub
) -> None:
    stub.on("Describe b", Reply(status=401, delay=1.0), Reply(text="mended"))
    stub.on("Describe d", text="sea", delay=4.0)
    stub.on("Describe", text="sea")
    run = await started(app, project, TWO_BRANCHES, {})
    await _failed(run, stub, 0)
    await run.retry()
    await asyncio.wait_for(run.result(), 120)
    asked = Counter(request.prompt[:10] for request in stub.completions)
    assert (asked["Describe a"], asked["Describe b"], asked["Describe c"]) == (1, 2, 1)


async def test_a_run_is_retried_as_often_as_it_fails(app: Pipelex, project: MistralProject, stub: OpenAIStub) -> None:
    stub.on("Describe word02", Reply(status=401), Reply(status=401), Reply(text="sea"))
    stub.on("Describe word07", Reply(status=401), Reply(text="sea"))
    stub.on("Describe", text="sea")
    run = await started(app, project, DESCRIBE_ALL, {"words": WORDS}, max_concurrency=1)
    for _ in range(3):
        await _failed(run, stub, 0)
        await run.retry()
    assert (await asyncio.wait_for(run.result(), 120)).content == {"items": [{"text": "sea"}] * len(WORDS)}
    asked = Counter(request.prompt for request in stub.completions)
    assert asked["Describe word02."] == 3
    assert asked["Describe word07."] == 2
    assert sum(asked.values()) == len(WORDS) + 3


@pytest.mark.usefixtures("once")
async def test_a_platform_that_takes_an_id_once_starts_nothing_over(
    app: Pipelex, project: MistralProject, stub: OpenAIStub
) -> None:
    stub.on("Describe", text="sea")
    run = await started(app, project, NESTED, {"words": WORDS[:2]})
    await run.result()
    with pytest.raises(PipelexError) as refused:
        await run.retry(start_over="two")
    assert refused.value.code == "runtime.unsupported"
    assert f"runs replay {run.run_id} --from harbour.two" in (refused.value.report.advice or "")


async def test_a_run_that_timed_out_has_the_time_that_is_set_now(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that goes on hears by its heartbeat that nobody waits for it; only then is it asked again."""
    stub.on("Describe word01", Reply(text="late", delay=30.0), Reply(text="sea", delay=5.0))
    stub.on("Describe", text="sea")
    impatience = {"mistral_workflows.worker_config.default_activity_heartbeat_timeout": "3s"}
    async with project.app(overrides=impatience) as app:
        with serving(app):
            with monkeypatch.context() as impatient:
                impatient.setitem(stand_in.specs[names.RUN_PIPE], "execution_timeout", 4)
                run = await started(app, project, DESCRIBE_ALL, {"words": WORDS[:3]})
                assert await run.run.ended(END) is RunState.TIMED_OUT
            await run.retry()
            assert (await asyncio.wait_for(run.result(), 120)).content == {"items": [{"text": "sea"}] * 3}
    assert Counter(request.prompt for request in stub.completions) == {
        "Describe word00.": 1,
        "Describe word01.": 2,
        "Describe word02.": 1,
    }


async def test_a_replay_right_after_a_terminate_takes_what_is_under_way(
    app: Pipelex, project: MistralProject, stub: OpenAIStub
) -> None:
    stub.on("Describe", text="sea", delay=0.5)
    run = await started(app, project, DESCRIBE_ALL, {"words": WORDS[:3]})
    await _terminated(run, stub, 3)
    replay = await prepare_replay(app, run.run_id)
    assert (replay.forecast.reused, replay.forecast.paid) == ({"harbour.describe": 3}, {})
    result = await asyncio.wait_for((await replay.start()).result(), 120)
    assert result.content == {"items": [{"text": "sea"}] * 3}
    assert len(stub.completions) == 3


async def test_a_retry_does_not_wait_for_ever(
    app: Pipelex,
    project: MistralProject,
    stub: OpenAIStub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(MistralWorkflowsConfig, "answers_within", timedelta(seconds=1))
    stub.on("Describe word01", Reply(text="late", delay=4.0), Reply(text="sea"))
    stub.on("Describe", text="sea")
    run = await started(app, project, DESCRIBE_ALL, {"words": WORDS[:2]})
    await _terminated(run, stub, 2)
    await run.retry()
    assert f"1 call of run '{run.run_id}' did not end within 1 seconds of its end" in caplog.text
    assert (await asyncio.wait_for(run.result(), 120)).content == {"items": [{"text": "sea"}] * 2}
    assert Counter(request.prompt for request in stub.completions) == {"Describe word00.": 1, "Describe word01.": 2}


async def test_a_run_whose_events_cannot_be_read_goes_on_all_the_same(
    app: Pipelex, project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    """What it was answered is asked for again: the platform tells nobody what that was."""
    stub.on("Describe word02", Reply(status=401, delay=0.5), Reply(text="sea"))
    stub.on("Describe", text="sea")
    run = await started(app, project, DESCRIBE_ALL, {"words": WORDS[:3]})
    await _failed(run, stub, 0)
    for event in stand_in.events:
        if event["root_workflow_exec_id"] == run.workflow_id and "input" in event["attributes"]:
            event["attributes"]["input"]["encoding_options"] = ["encrypted"]
    await run.retry()
    assert (await asyncio.wait_for(run.result(), 120)).content == {"items": [{"text": "sea"}] * 3}
