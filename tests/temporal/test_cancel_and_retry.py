"""After a cancel nothing new is started; a run that did not succeed goes on from where it failed."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pipelex.durable.options import EngineOptions
from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.trace import pipes_of
from pipelex.runner import Pipelex, RunHandle
from tests.support.methods import DESCRIBE_ALL, GREET, sequence_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, worker_of
from tests.support.temporal import start_call

WORDS = [f"word{number:02}" for number in range(60)]
WINDOW = 4
END = timedelta(seconds=60)

CONDITION = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "Each, then a choice, then each again"
inputs = { words = "Text[]" }
output = "Text[]"
steps = [{ pipe = "all", result = "first" }, { pipe = "choose", result = "second" }]

[pipe.choose]
type = "PipeCondition"
description = "Always again"
inputs = { words = "Text[]" }
output = "Text[]"
expression = "'again'"
outcomes = { again = "all" }
default_outcome = "fail"

[pipe.all]
""" + DESCRIBE_ALL.partition("[pipe.describe_all]")[2].lstrip()


async def calls(stub: OpenAIStub, number: int) -> None:
    """Return once so many calls have come."""
    async with asyncio.timeout(60):
        while len(stub.completions) < number:
            await asyncio.sleep(0.02)


async def started(app: Pipelex, project: Project, text: str, inputs: dict[str, Any], **options: Any) -> RunHandle:
    method = app.load(project.method(text))
    pipe = method.pipe().ref
    call = PipeCall(pipe=pipe, inputs=method.read_inputs(inputs, pipe))
    return await start_call(app, method.library, call, EngineOptions(max_concurrency=WINDOW, **options))


BATCH = {"words": WORDS}
SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "batch": (DESCRIBE_ALL, BATCH, {}, 60),
    "slices": (DESCRIBE_ALL, BATCH, {"slice_size": 10}, 60),
    "collecting": (DESCRIBE_ALL, BATCH, {"on_item_failure": "collect"}, 60),
    "condition": (CONDITION, BATCH, {}, 120),
    "sequence": (sequence_of(40), {"text": "sea"}, {}, 40),
}


@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("delay", [0.0, 0.3])
async def test_nothing_is_started_after_a_cancel(
    project: Project, stub: OpenAIStub, shape: str, policy: str, delay: float
) -> None:
    text, inputs, options, every_call = SHAPES[shape]
    stub.on(matches="(Describe|Say)", text="sea", delay=delay)
    overrides = {"temporal.worker_config.child_workflow_policy": policy}
    async with project.app(overrides=overrides) as app, worker_of(app):
        run = await started(app, project, text, inputs, **options)
        await calls(stub, 6)
        await run.cancel()
        asked = len(stub.completions)
        assert await run.run.ended(END) is RunState.CANCELLED
        made = len(stub.completions)
        # What was started before the request reached the worker may still come: a window of children, and one of calls.
        assert made <= asked + 3 * WINDOW < every_call, f"{made} calls, {asked} at the cancel"
        with pytest.raises(PipelexError) as failed:
            await run.result()
        assert failed.value.code == "run.cancelled"
        with pytest.raises(PipelexError) as failed:
            await run.cancel()
        assert failed.value.code == "run.already_ended"
        assert len(stub.completions) == made


async def test_a_cancel_says_that_the_run_has_not_ended_yet(idle: Pipelex, project: Project) -> None:
    run = await idle.load(project.method(GREET)).start({"name": "Ada"})
    assert await run.cancel(within=timedelta(seconds=0.2)) is RunState.RUNNING
    async with worker_of(idle):
        assert await run.run.ended(END) is RunState.CANCELLED


async def _terminated(run: RunHandle) -> None:
    await run.terminate("enough")


async def _cancelled(run: RunHandle) -> None:
    assert await run.cancel(within=END) is RunState.CANCELLED


@pytest.mark.parametrize("end", [_terminated, _cancelled])
@pytest.mark.parametrize("shape", ["batch", "slices", "sequence"])
async def test_a_run_that_was_ended_goes_on(
    app: Pipelex, project: Project, stub: OpenAIStub, shape: str, end: Callable[[RunHandle], Any]
) -> None:
    _, _, options, _ = SHAPES[shape]
    text, inputs = (sequence_of(8), {"text": "sea"}) if shape == "sequence" else (DESCRIBE_ALL, {"words": WORDS[:14]})
    stub.on(matches="(Describe|Say)", text="sea", delay=0.2)
    run = await started(app, project, text, inputs, **options)
    await calls(stub, 5)
    with pytest.raises(PipelexError) as failed:
        await run.retry()
    assert failed.value.code == "run.not_finished"
    await end(run)
    await run.retry()
    result = await asyncio.wait_for(run.result(), 60)
    expected = {"text": "sea"} if shape == "sequence" else {"items": [{"text": "sea"}] * 14}
    assert result.content == expected
    with pytest.raises(PipelexError) as failed:
        await run.retry()
    assert failed.value.code == "run.already_ended"


def _describing(pipe: str) -> str:
    return f"""
[pipe.{pipe}]
type = "PipeLLM"
description = "Describe something"
output = "Text"
prompt = "Describe {pipe}."
"""


TWO_BRANCHES = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeParallel"
description = "Side by side"
output = "Composite"
branches = [{ pipe = "first", result = "first" }, { pipe = "second", result = "second" }]

[pipe.first]
type = "PipeSequence"
description = "Fails at its second step"
output = "Text"
steps = [{ pipe = "a", result = "a" }, { pipe = "b", result = "b" }]

[pipe.second]
type = "PipeSequence"
description = "Goes on meanwhile"
output = "Text"
steps = [{ pipe = "c", result = "c" }, { pipe = "d", result = "d" }]
""" + "".join(_describing(pipe) for pipe in "abcd")
NESTED = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "First one, then a sequence of others, then each word"
inputs = { words = "Text[]" }
output = "Text[]"
steps = [
  { pipe = "inner", result = "inner" },
  { pipe = "describe", batch_over = "words", batch_as = "word", result = "all" },
]

[pipe.inner]
type = "PipeSequence"
description = "Two of them"
output = "Text"
steps = [{ pipe = "one", result = "one" }, { pipe = "two", result = "two" }]

[pipe.one]
type = "PipeLLM"
description = "One"
output = "Text"
prompt = "Describe one."

[pipe.two]
type = "PipeLLM"
description = "Two"
inputs = { one = "Text" }
output = "Text"
prompt = "Describe two, after $one."

[pipe.describe]
""" + DESCRIBE_ALL.partition("[pipe.describe]")[2].lstrip()
ENDED_EARLY: dict[str, tuple[str, dict[str, int], int]] = {
    "batch": (DESCRIBE_ALL, {}, 5),
    "slices": (DESCRIBE_ALL, {"slice_size": 5}, 7),
    "in an inner sequence": (NESTED, {}, 2),
    "in a later batch": (NESTED, {}, 7),
}


@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
@pytest.mark.parametrize("end", [_terminated, _cancelled])
@pytest.mark.parametrize("shape", ENDED_EARLY)
async def test_a_retry_pays_for_nothing_that_was_answered(
    project: Project, stub: OpenAIStub, shape: str, end: Callable[[RunHandle], Any], policy: str
) -> None:
    text, options, asked = ENDED_EARLY[shape]
    stub.on("Describe", text="sea", delay=0.3)
    overrides = {"temporal.worker_config.child_workflow_policy": policy}
    async with project.app(overrides=overrides) as app:
        async with worker_of(app):
            run = await started(app, project, text, {"words": WORDS[:14]}, **options)
            await calls(stub, asked)
            await end(run)
        # A call that the worker had been given when the run ended may still be made until the worker has shut down.
        effects = [effect for pipe in pipes_of(await run.trace()) for effect in pipe.effects]
        answered = [effect for effect in effects if effect.status is RunState.COMPLETED]
        made = len(stub.completions)
        async with worker_of(app):
            await run.retry()
            result = await asyncio.wait_for(run.result(), 60)

    assert result.content == {"items": [{"text": "sea"}] * 14}
    every_call = 16 if text is NESTED else 14
    assert 1 <= len(answered) < every_call
    assert len(stub.completions) - made == every_call - len(answered)


@pytest.mark.parametrize("end", [_terminated, _cancelled])
async def test_a_run_that_was_ended_before_it_began_goes_on(
    idle: Pipelex, project: Project, stub: OpenAIStub, end: Callable[[RunHandle], Any]
) -> None:
    stub.on("Hello", text="Hi")
    run = await idle.load(project.method(GREET)).start({"name": "Ada"})
    ending = asyncio.create_task(end(run))
    await asyncio.sleep(0.5)
    async with worker_of(idle):
        await ending
        await run.retry()
        assert (await asyncio.wait_for(run.result(), 60)).text == "Hi"
    assert len(stub.completions) == 1


async def test_the_branches_that_ended_well_are_not_asked_again(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    stub.on("Describe b", Reply(status=400), Reply(text="mended"))
    stub.on("Describe", text="sea", delay=1.0)
    method = app.load(project.method(TWO_BRANCHES))
    run = await method.start({})
    assert await run.run.ended(END) is RunState.FAILED
    effects = [effect for pipe in pipes_of(await run.trace()) for effect in pipe.effects]
    answered = sum(effect.status is RunState.COMPLETED for effect in effects)
    made = len(stub.completions)
    await run.retry()
    await asyncio.wait_for(run.result(), 60)
    assert len(stub.completions) - made == 4 - answered


async def test_a_run_that_timed_out_goes_on(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", Reply(text="late", delay=12.0), Reply(text="sea"))
    overrides = {"temporal.worker_config.run_timeout": "6s"}
    async with project.app(overrides=overrides) as app, worker_of(app):
        run = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["a"]})
        assert await run.run.ended(END) is RunState.TIMED_OUT
        await run.retry()
        assert (await run.result()).content == {"items": [{"text": "sea"}]}


async def test_a_retry_of_a_run_that_timed_out_has_the_time_that_is_set_now(project: Project, stub: OpenAIStub) -> None:
    stub.on("Say", Reply(text="one"), Reply(text="late", delay=12.0), Reply(text="two", delay=7.0))
    limit = "temporal.worker_config.run_timeout"
    async with project.app(overrides={limit: "6s"}) as app, worker_of(app):
        run = await app.load(project.method(sequence_of(2))).start({"text": "sea"})
        assert await run.run.ended(END) is RunState.TIMED_OUT
        async with project.app(overrides={limit: "60s"}) as patient:
            again = await patient.attach(run.run_id)
            await again.retry()
            assert (await again.result()).text == "two"
    assert len(stub.completions) == 3
