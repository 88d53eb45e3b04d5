"""Runs on the real SDK, from the start to the result, the tree and the end."""

from pathlib import Path

import pytest

from pipelex.pipes.trace import RunState

from mistral_project import serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

pytestmark = pytest.mark.usefixtures("polling")


async def test_a_batch_runs_as_a_tree(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["one", "two", "three"]})
            result = await handle.result()
        assert result.content == {"items": [{"text": f"about {word}"} for word in ("one", "two", "three")]}
        trace = await handle.trace()
        print(trace)
    assert trace.status is RunState.COMPLETED
    assert [child.status for child in trace.children] == [RunState.COMPLETED] * 3
