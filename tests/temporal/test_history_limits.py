"""A history that would grow beyond what the server bears ends the run with a word of ours, not with a termination."""

import asyncio
import re

import pytest
from temporalio.exceptions import TerminatedError

from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal import limits
from pipelex.temporal.failures import from_failure
from tests.support.methods import sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of

OUTPUT = 'output = "Composite"'
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
    monkeypatch.setattr(limits, "MOST_HISTORY_EVENTS", 100)
    stub.on("Say", text="ok")
    with pytest.raises(PipelexError, match=r"pipe 'harbour\.main' has 1\d\d events") as failed:
        await app.load(project.method(sequence_of(30))).run({"text": "a"})
    assert failed.value.code == "runtime.unsupported"
    assert len(stub.completions) < 15


MANY_BRANCHES = 2_050
"""More than the server lets a workflow wait for at a time, activities or children."""


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_more_branches_than_may_be_pending(project: Project, stub: OpenAIStub) -> None:
    branches = ", ".join(f'{{ pipe = "say", result = "b{rank}" }}' for rank in range(MANY_BRANCHES))
    method = sequence_of(1).replace('"PipeSequence"', '"PipeParallel"').replace('output = "Text"', OUTPUT, 1)
    method = re.sub(r"steps = \[.*?\]", f"branches = [{branches}]", method, flags=re.DOTALL)
    stub.on("Say", text="ok")
    settings = {"temporal.worker_config.child_workflow_policy": "controllers"}
    async with project.app(overrides=settings) as app, worker_of(app):
        result = await app.load(project.method(method)).run({"text": "a"})
    assert len(result.content) == len(stub.completions) == MANY_BRANCHES


def test_what_the_server_ends_for_its_size_is_said_to_be_too_large() -> None:
    error = from_failure(TerminatedError("Workflow history size exceeds limit."), what="run 'a'")
    assert (error.code, error.report.advice) == ("input.too_large", limits.STORE_ADVICE)
    assert from_failure(TerminatedError("enough of it"), what="run 'a'").code == "run.terminated"
