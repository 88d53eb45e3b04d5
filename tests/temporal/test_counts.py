"""What a run costs the server, exactly: events, and bounds on bytes. The floor is a hand-written workflow's cost.

A workflow costs 5 events, each workflow task after the first 3, an activity 3, a child 3 in its parent. So a pipe with
one model call that runs as a child costs 9 in its parent, one after the other, and 11 of its own.
"""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from bench.actions import actions_of
from pipelex.errors.json import Json
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.dev_server import DevServer
from pipelex.testing import ScriptedModel, durable
from tests.support.methods import DESCRIBE_ALL, GREET, PARALLEL_OF_3, sequence_of, written
from tests.support.temporal import client_of

OWN_OF_ONE_LLM = 11
ROOT = 5
CHILD_IN_SEQUENCE = 9


async def sizes(client: Client, trace: PipeTrace) -> list[tuple[int, int]]:
    """Events and bytes of each workflow of a run, the root first."""
    described = await client.get_workflow_handle(trace.id).describe()
    info = described.raw_description.workflow_execution_info
    below = await asyncio.gather(*(sizes(client, child) for child in trace.children))
    return [(info.history_length, info.history_size_bytes), *(size for child in below for size in child)]


async def run_and_measure(app: Pipelex, folder: Path, method: str, inputs: dict[str, Json]) -> list[tuple[int, int]]:
    result = await app.load(written(folder, method)).run(inputs)
    client = await client_of(app)
    return await sizes(client, await read_trace(client, result.run_id))


async def test_one_llm_pipe(scripted_app: Pipelex, model: ScriptedModel, tmp_path: Path) -> None:
    model.pipes["greet"] = "Good day"
    ((events, size),) = await run_and_measure(scripted_app, tmp_path, GREET, {"name": "Ada"})
    assert events == OWN_OF_ONE_LLM
    assert size < 1_303 + 3_000


async def test_sequence_of_ten(scripted_app: Pipelex, model: ScriptedModel, tmp_path: Path) -> None:
    model.pipes["say"] = "ok"
    (events, size), *children = await run_and_measure(scripted_app, tmp_path, sequence_of(10), {"text": "a"})
    assert events == ROOT + 10 * CHILD_IN_SEQUENCE
    assert [child[0] for child in children] == [OWN_OF_ONE_LLM] * 10
    assert events + sum(child[0] for child in children) == ROOT + 10 * 20
    assert size < 13_472 + 10 * 2_000
    assert all(child[1] < 1_303 + 2_500 for child in children)


async def test_parallel_of_three(scripted_app: Pipelex, model: ScriptedModel, tmp_path: Path) -> None:
    model.pipes["say"] = "ok"
    (events, _), *children = await run_and_measure(scripted_app, tmp_path, PARALLEL_OF_3, {"text": "a"})
    assert events <= ROOT + 3 * CHILD_IN_SEQUENCE
    assert [child[0] for child in children] == [OWN_OF_ONE_LLM] * 3


async def test_pipes_that_run_no_other_need_no_workflow_of_their_own(
    model: ScriptedModel, temporal_server: DevServer, tmp_path: Path
) -> None:
    model.pipes["say"] = "ok"
    policy = {"temporal.worker_config.child_workflow_policy": "controllers"}
    async with durable(model, server=temporal_server, overrides=policy) as app:
        ((events, _),) = await run_and_measure(app, tmp_path, sequence_of(10), {"text": "a"})
    assert events == ROOT + 10 * (OWN_OF_ONE_LLM - ROOT)


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "actions"), [("every_pipe", 2 * 100 + 1), ("controllers", 100 + 1)])
async def test_what_is_billed(tmp_path: Path, model: ScriptedModel, policy: str, actions: int) -> None:
    """As many actions as a workflow written by hand takes: one per start and one per call, and no heartbeat."""
    model.pipes["describe"] = "ok"
    words = {"words": [f"word{number}" for number in range(100)]}
    async with DevServer(metrics_port=0) as server:
        overrides = {
            "temporal.worker_config.child_workflow_policy": policy,
            "temporal.search_attributes.enabled": False,
        }
        async with durable(model, server=server, overrides=overrides) as app:
            method = app.load(written(tmp_path, DESCRIBE_ALL))
            _, found = await actions_of(server, lambda: method.run(words))
    assert found.total() == actions
    assert not any("Heartbeat" in kind for kind in found)


@pytest.mark.slow
async def test_batch_of_a_hundred(scripted_app: Pipelex, model: ScriptedModel, tmp_path: Path) -> None:
    model.respond = lambda asked: asked.prompt.replace("Describe", "about")
    words = [f"word{number}" for number in range(100)]
    (events, size), *children = await run_and_measure(scripted_app, tmp_path, DESCRIBE_ALL, {"words": words})
    assert len(children) == 100
    assert events + sum(child[0] for child in children) <= ROOT + 100 * 20
    assert [child[0] for child in children] == [OWN_OF_ONE_LLM] * 100
    assert size / 100 < 1_275 + 2_000
