"""A batch of a thousand: in slices, each start of a child small, nothing near what the platform refuses."""

from pathlib import Path

import pytest

from pipelex.mistral_workflows import names

from mistral_project import serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

ITEMS = 1_000

pytestmark = [pytest.mark.usefixtures("polling"), pytest.mark.slow, pytest.mark.timeout(1200)]


async def test_a_batch_of_a_thousand_runs_in_slices(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    words = [f"w{number:04}" for number in range(ITEMS)]
    stand_in.largest = 0
    # One process is worker, API and models at once here; calls are paid for once all the same.
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": words})
            result = await handle.result()
    assert result.content == {"items": [{"text": f"about {word}"} for word in words]}
    assert len(stub.completions) == ITEMS
    executions = [each for each in stand_in.executions.values() if each.root == handle.workflow_id]
    assert sum(each.name == names.RUN_SLICE for each in executions) == 2
    assert len(executions) == 1 + 2 + ITEMS
    assert stand_in.largest < 1_500_000
