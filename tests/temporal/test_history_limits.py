"""A history that would grow beyond what the server bears ends the run with a word of ours, not with a termination."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.exceptions import TerminatedError

from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.workflow.failures import from_failure
from pipelex.temporal.workflow.limits import LIMITS
from tests.support.methods import parallel_of, sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of
from tests.support.untyped import untyped

HAND_ON = """
domain = "harbour"

[pipe.hand_on]
type = "PipeSequence"
description = "From hand to hand"
inputs = { text = "Text" }
output = "Text"
steps = [STEPS]

[pipe.side_by_side]
type = "PipeParallel"
description = "Many hands"
inputs = { text = "Text" }
output = "Composite"
branches = [BRANCHES]

[pipe.pass]
type = "PipeCompose"
description = "Hand it on"
inputs = { text = "Text" }
output = "Text"
template = "$text"
""".replace("STEPS", ", ".join(['{ pipe = "pass", result = "text" }'] * 16)).replace(
    "BRANCHES", ", ".join(f'{{ pipe = "pass", result = "b{rank}" }}' for rank in range(30))
)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pipe", ["hand_on", "side_by_side"])
async def test_values_that_fill_a_history(unstored: Pipelex, project: Project, pipe: str) -> None:
    run = unstored.load(project.method(HAND_ON)).run({"text": "x" * 1_900_000}, pipe=pipe)
    with pytest.raises(PipelexError, match=f"pipe 'harbour.{pipe}' handed on take") as failed:
        await asyncio.wait_for(run, 240)
    assert failed.value.code == "input.too_large"
    assert "payload_codec_config" in (failed.value.report.advice or "")


async def test_steps_that_fill_a_history(
    app: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PipelexPlugin, "limits", replace(LIMITS, history_events=100))
    stub.on("Say", text="ok")
    with pytest.raises(PipelexError, match=r"pipe 'harbour\.main' has 1\d\d events") as failed:
        await app.load(project.method(sequence_of(30))).run({"text": "a"})
    assert failed.value.code == "runtime.unsupported"
    assert len(stub.completions) < 15


BRANCHES = 250


@pytest.mark.slow
async def test_a_workflow_never_waits_for_more_than_a_hundred_at_a_time(project: Project, stub: OpenAIStub) -> None:
    """The server lets a workflow wait for 2,000 activities or children, and fails the task that asks for one more."""
    method = parallel_of(*(f"b{rank}" for rank in range(BRANCHES)))
    stub.on("Say", text="ok", delay=0.5)
    settings = {"temporal.worker_config.child_workflow_policy": "controllers"}
    pending: list[int] = []
    async with project.app(overrides=settings) as app, worker_of(app):
        started = await app.load(project.method(method)).start({"text": "a"})
        ending = asyncio.create_task(started.result())
        handle = (await client_of(app)).get_workflow_handle(started.run_id)
        while not ending.done():
            pending.append(len((await handle.describe()).raw_description.pending_activities))
            await asyncio.sleep(0.1)
        result = await ending
    assert len(untyped(result.content)) == len(stub.completions) == BRANCHES
    assert 50 < max(pending) <= 100


def test_what_the_server_ends_for_its_size_is_said_to_be_too_large() -> None:
    error = from_failure(TerminatedError("Workflow history size exceeds limit."), what="run 'a'")
    assert (error.code, error.report.advice) == ("input.too_large", LIMITS.store_advice)
    assert from_failure(TerminatedError("enough of it"), what="run 'a'").code == "run.terminated"
