"""A whole pipe as one activity of a workflow that somebody else wrote."""

import os
from pathlib import Path

import pytest
from mistralai.client import Mistral

from pipelex.mistral_workflows.progress import STEP_TASK
from pipelex_mistral_workflows import simple

from mistral_project import DEPLOYMENT, write_mistral_project
from mistral_stand_in.api import KEY, StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

pytestmark = pytest.mark.usefixtures("polling")


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's working directory is a project."""
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    project.method(DESCRIBE_ALL)
    monkeypatch.chdir(tmp_path)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    simple._app.cache_clear()
    simple._method.cache_clear()


async def test_a_whole_pipe_is_one_activity_with_a_task_for_each_step(stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    wish = {"method": "method.mthds", "words": ["one", "two"]}
    async with Mistral(api_key=KEY, server_url=stand_in.url) as client:
        result = await client.workflows.execute_workflow_and_wait_async(
            workflow_identifier="own-workflow",
            execution_id=f"own-{os.urandom(4).hex()}",
            input=wish,
            deployment_name=DEPLOYMENT,
            polling_interval=1,
        )
    found = result["result"]
    assert found["value"]["content"] == {"items": [{"text": "about one"}, {"text": "about two"}]}
    assert found["usage"][0]["calls"] == 2
    tasks = [event for event in stand_in.events if event["attributes"].get("custom_task_type") == STEP_TASK]
    ended = [
        event["attributes"]["payload"]["value"] for event in tasks if event["event_type"] == "CUSTOM_TASK_COMPLETED"
    ]
    assert sorted((state["pipe"], state["state"]) for state in ended[-3:]) == [
        ("harbour.describe", "COMPLETED"),
        ("harbour.describe", "COMPLETED"),
        ("harbour.describe_all", "COMPLETED"),
    ]


async def test_a_failure_that_repeating_cannot_mend_is_tried_once(stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, status=401)
    async with Mistral(api_key=KEY, server_url=stand_in.url) as client:
        with pytest.raises(RuntimeError, match="FAILED"):
            await client.workflows.execute_workflow_and_wait_async(
                workflow_identifier="own-workflow",
                input={"method": "method.mthds", "words": ["one"]},
                deployment_name=DEPLOYMENT,
                polling_interval=1,
            )
    assert len(stub.completions) == 1
