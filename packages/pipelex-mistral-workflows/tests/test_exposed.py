"""Exposed pipes: workflows of their own, started by Mistral's client as anybody would, without Pipelex."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mistralai.client import Mistral

from pipelex.errors import ConfigurationError, PipelexError
from pipelex.mistral_workflows.config import parse_mistral_config
from pipelex_mistral_workflows.exposing import exposed_pipes

from mistral_project import DEPLOYMENT, EXPOSED_METHOD, MistralProject, serving, write_mistral_project
from mistral_stand_in.api import KEY, StandIn
from tests.support.openai_server import OpenAIStub

pytestmark = pytest.mark.usefixtures("polling")

SHIP = {"name": "Ada", "length": 12}


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


async def execute(stand_in: StandIn, workflow: str, input_: Any) -> Any:
    async with Mistral(api_key=KEY, server_url=stand_in.url) as client:
        return await client.workflows.execute_workflow_and_wait_async(
            workflow_identifier=workflow, input=input_, deployment_name=DEPLOYMENT, polling_interval=1
        )


def test_the_console_is_told_name_description_and_inputs(stand_in: StandIn) -> None:
    spec = stand_in.specs["greet-a-ship"]
    assert (spec["display_name"], spec["description"]) == ("quay.greet", "Greet a ship")
    assert spec["execution_timeout"] == "P1D"
    schema = spec["input_schema"]
    assert schema["required"] == ["ship", "words"]
    assert schema["properties"]["words"]["type"] == "array"
    assert schema["properties"]["ship"]["properties"].keys() == {"name", "length"}
    assert {"pipe-quay--moor", "pipe-quay--tell", "pipelex-run-pipe", "pipelex-run-slice"} <= stand_in.specs.keys()


def test_the_schema_of_inputs_takes_what_the_pipe_takes(stand_in: StandIn) -> None:
    schema = stand_in.specs["pipe-quay--call_race"]["input_schema"]
    check = Draft202012Validator(schema)
    assert (schema["required"], [*schema["$defs"]]) == (["race", "words"], ["Ship"])
    race = {"first": SHIP, "second": {"name": "Bo", "length": None}}
    assert check.is_valid({"race": race, "words": ["against", {"text": "and"}], "other": race})
    for wrong in ({"race": {"first": SHIP}}, {"race": {**race, "second": {}}}, {"words": ["against"]}, {"boat": SHIP}):
        assert not check.is_valid({"race": race, "words": ["against", "and"], **wrong})


async def test_a_pipe_is_started_with_plain_inputs(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    stub.on(None, text="Ahoy")
    async with project.app() as app:
        with serving(app):
            found = await execute(stand_in, "greet-a-ship", {"ship": SHIP, "words": ["salt", "wind"]})
            moored = await execute(stand_in, "pipe-quay--moor", {"ship": SHIP})
    assert found["outcome"]["stuff"]["content"] == {"text": "Ahoy"}
    assert moored["outcome"]["stuff"]["content"] == {"text": "Ada is moored"}
    assert "Ada" in stub.completions[0].prompt
    assert "wind" in stub.completions[0].prompt


@pytest.mark.parametrize(
    ("exposed", "said"),
    [
        ({"pipes": ["quay.gret"]}, "no pipe is called 'quay.gret', .*; did you mean 'quay.greet'?"),
        ({"pipes": ["quay.*"], "workflow_names": {"quay.mor": "m"}}, "'quay.mor', .*; did you mean 'quay.moor'?"),
        ({"pipes": ["quay.*"], "workflow_names": {"quay.moor": "pipe-quay--tell"}}, "cannot both be the workflow"),
        ({"pipes": ["other.*"]}, "no pipe is called 'other.\\*'"),
    ],
)
def test_pipes_that_cannot_be_exposed(project: MistralProject, exposed: dict[str, Any], said: str) -> None:
    project.method(EXPOSED_METHOD)
    settings = project.settings({"mistral_workflows.exposed": {"libraries": ["method.mthds"], **exposed}})
    with pytest.raises(ConfigurationError, match=said):
        exposed_pipes(settings, parse_mistral_config(settings))


@pytest.mark.parametrize("given", [{"ship": {"length": 3}}, {"boat": SHIP}, [1, 2], "Ada", None])
async def test_inputs_that_do_not_fit_end_the_run(project: MistralProject, stand_in: StandIn, given: Any) -> None:
    async with project.app() as app:
        with serving(app), pytest.raises(RuntimeError, match="FAILED"):
            await execute(stand_in, "pipe-quay--moor", given)


async def test_pipelex_starts_an_exposed_pipe_by_its_name(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    stub.on(None, text="Ahoy")
    overrides = {
        "mistral_workflows.exposed.pipes": ["quay.greet"],
        "mistral_workflows.exposed.workflow_names": {"quay.greet": "greet-a-ship"},
    }
    async with project.app(overrides=overrides) as app:
        with serving(app):
            handle = await app.load(project.method(EXPOSED_METHOD)).start(
                {"ship": SHIP, "words": ["salt"]}, pipe="greet"
            )
            result = await handle.result()
    assert result.content == {"text": "Ahoy"}
    assert stand_in.executions[handle.workflow_id].name == "greet-a-ship"


async def test_calls_of_a_backend_with_a_rate_have_a_queue_of_their_own(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    stub.on(None, text="Ahoy")
    rate = {"mistral_workflows.rate_limits.openai.max_calls": 600}
    async with project.app(overrides=rate) as app:
        with serving(app):
            handle = await app.load(project.method(EXPOSED_METHOD)).start(
                {"ship": SHIP, "words": ["salt"]}, pipe="greet"
            )
            assert (await handle.result()).content == {"text": "Ahoy"}
    history = await stand_in.client.get_workflow_handle(handle.workflow_id).fetch_history()
    queues = [
        event.activity_task_scheduled_event_attributes.task_queue.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert len(queues) == 1
    assert queues[0].startswith(f"{DEPLOYMENT}-rate-limited-")


async def test_a_wrong_key_is_told_as_such(project: MistralProject, stand_in: StandIn) -> None:
    stand_in.refusals["/deployments/"] = 403
    try:
        async with project.app() as app:
            with pytest.raises(PipelexError) as refused:
                await app.orchestrator.connect()
    finally:
        stand_in.refusals.clear()
    assert refused.value.code == "runtime.misconfigured"
    assert "api_key_id" in (refused.value.report.advice or "")
