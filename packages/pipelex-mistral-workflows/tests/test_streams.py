"""The events of a run, as Mistral's client of the older generation streams them, and over the SDK's older route."""

import asyncio
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest
from mistralai.client import Mistral

from pipelex.mistral_workflows.progress import CALL_TASK, PIPE_TASK
from pipelex.orchestration import RunState
from test_worker import entered, worker

from mistral_project import MistralProject, serving, write_mistral_project
from mistral_stand_in.api import KEY, StandIn
from mistral_stand_in.server import TemporalServer
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

WORDS = ["one", "two", "three"]


async def streamed(api: StandIn, root: str) -> Counter[str]:
    """The tasks that the client hears of, over the whole tree, until the root has ended."""
    found: Counter[str] = Counter()
    async with (
        Mistral(api_key=KEY, server_url=api.url) as client,
        await client.workflows.events.get_stream_events_async(root_workflow_exec_id=root) as stream,
    ):
        async for message in stream:
            event = message.model_dump(mode="json")["data"]["data"]
            if event["event_type"] == "CUSTOM_TASK_STARTED":
                found[event["attributes"]["custom_task_type"]] += 1
            if event["event_type"] == "WORKFLOW_EXECUTION_COMPLETED" and event["workflow_exec_id"] == root:
                return found
    raise AssertionError("the stream ended before the run")


def test_the_client_here_is_of_the_older_generation() -> None:
    assert version("mistralai").startswith("2.")


@pytest.mark.usefixtures("polling")
async def test_a_client_streams_the_events_of_the_whole_tree(
    tmp_path: Path, stub: OpenAIStub, stand_in: StandIn
) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    project: MistralProject = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    async with project.app() as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
            heard = await asyncio.wait_for(streamed(stand_in, handle.workflow_id), 60)
    assert heard == {PIPE_TASK: 1 + len(WORDS), CALL_TASK: len(WORDS)}


async def test_a_platform_without_the_newer_route_of_events(tmp_path: Path, stub: OpenAIStub) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    server = TemporalServer()
    try:
        api = await StandIn(await server.start(), server.target, has_v2_events=False).start()
        project = write_mistral_project(tmp_path, stub=stub.url, api=api.url, deployment="older")
        async with project.app() as app:
            with await asyncio.to_thread(entered, worker(project, "older")):
                handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
                await asyncio.wait_for(handle.result(), 120)
                heard = await asyncio.wait_for(streamed(api, handle.workflow_id), 60)
            trace = await handle.trace()
        assert api.calls["POST v1/workflows/events"] > 0
        await api.stop()
    finally:
        server.stop()
    assert heard == {PIPE_TASK: 1 + len(WORDS), CALL_TASK: len(WORDS)}
    assert [child.status for child in trace.children] == [RunState.COMPLETED] * len(WORDS)
