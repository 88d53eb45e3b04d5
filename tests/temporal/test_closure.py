"""A child's payload holds what its pipe needs, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from pipelex.runner import Pipelex
from pipelex.testing import ScriptedModel
from tests.support.methods import SURVEY, written
from tests.support.temporal import client_of

OVERHEAD = 2_000
"""Most bytes a small leaf's arguments may have beside its values."""


async def arguments(client: Client, workflow_id: str) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The job, the crate and their bytes together, as the workflow got them."""
    async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
        assert event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
        job, crate, _ = event.workflow_execution_started_event_attributes.input.payloads
        return json.loads(job.data), json.loads(crate.data), len(job.data) + len(crate.data)
    raise AssertionError("no history")


@pytest.fixture
def model() -> ScriptedModel:
    berths = [{"code": "B1", "depth": 3}, {"code": "B2"}, {"code": "B3"}]
    founded = {"date": "1972-05-01"}
    return ScriptedModel(
        pipes={"list_berths": berths, "describe": "fine", "history": "long", "founded": founded},
    )


async def run_survey(app: Pipelex, folder: Path) -> tuple[Client, str]:
    result = await app.load(written(folder, SURVEY)).run({"harbour": "Varna"})
    return await client_of(app), result.run_id


async def test_a_leaf_gets_its_own_pipe_and_inputs(scripted_app: Pipelex, tmp_path: Path) -> None:
    client, run_id = await run_survey(scripted_app, tmp_path)
    job, crate, size = await arguments(client, f"{run_id}/2-describe[1]")

    assert list(crate["pipes"]) == ["harbour.describe"]
    assert set(crate["concepts"]) == {"harbour.Berth", "harbour.Note"}
    assert set(job["call"]["inputs"]) == {"berth", "harbour"}
    assert job["call"]["inputs"]["berth"]["content"] == {"code": "B2"}
    assert "run" not in job  # the search attributes tell it
    assert size < OVERHEAD


async def test_no_leaf_carries_much(scripted_app: Pipelex, tmp_path: Path) -> None:
    client, run_id = await run_survey(scripted_app, tmp_path)
    for step in ("1-list_berths", "2-describe[0]", "4-judge_size/praise", "5-facts/1-history", "5-facts/2-founded"):
        job, crate, size = await arguments(client, f"{run_id}/{step}")
        code = step.rpartition("/")[2].partition("-")[2].partition("[")[0] or "praise"
        assert list(crate["pipes"]) == [f"harbour.{code}"]
        values = len(json.dumps(job["call"]["inputs"]))
        assert size - values < OVERHEAD


async def test_a_controller_gets_its_branch_and_not_its_siblings(scripted_app: Pipelex, tmp_path: Path) -> None:
    client, run_id = await run_survey(scripted_app, tmp_path)
    job, crate, _ = await arguments(client, f"{run_id}/5-facts")
    assert set(crate["pipes"]) == {"harbour.facts", "harbour.history", "harbour.founded"}
    assert "concepts" not in crate
    assert set(job["call"]["inputs"]) == {"harbour"}


async def test_a_child_returns_one_value_and_no_memory(scripted_app: Pipelex, tmp_path: Path) -> None:
    client, run_id = await run_survey(scripted_app, tmp_path)
    history = await client.get_workflow_handle(f"{run_id}/5-facts/1-history").fetch_history()
    (payload,) = history.events[-1].workflow_execution_completed_event_attributes.result.payloads
    outcome = json.loads(payload.data)
    assert outcome["stuff"] == {"concept": "native.Text", "content": {"text": "long"}}
    assert set(outcome) == {"stuff", "usage"}
