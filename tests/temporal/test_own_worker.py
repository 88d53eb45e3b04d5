"""Workers that are put together from the public face alone, by Temporal's own names."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from pipelex.runner import Pipelex
from pipelex.temporal import PipelexPlugin
from pipelex.temporal.dev_server import DevServer
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, worker_of, write_project

METHOD = """
domain = "harbour"
main_pipe = "greet"

[pipe.greet]
type = "PipeLLM"
description = "Greet"
inputs = { name = "Text" }
output = "Text"
prompt = "Greet: $name"
"""

WORKER = """
import asyncio, pathlib, sys
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from pipelex.temporal import PipelexPlugin

async def main():
    plugin = PipelexPlugin.from_settings()
    on_client, target, ready = sys.argv[1] == "client", sys.argv[2], pathlib.Path(sys.argv[3])
    client = await Client.connect(target, plugins=[plugin] if on_client else [])
    converter = {} if on_client else {"plugins": [plugin]}
    async with Worker(client, task_queue=plugin.task_queue, **converter):
        ready.write_text("ready")
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("place", ["client", "worker"])
async def test_three_lines_make_a_worker(
    idle: Pipelex, project: Project, stub: OpenAIStub, temporal_server: DevServer, tmp_path: Path, place: str
) -> None:
    stub.on("Greet", text="hello")
    (project.root / "worker.py").write_text(WORKER, encoding="utf-8")
    ready, log = tmp_path / "ready", tmp_path / "worker.log"
    command = ["worker.py", place, temporal_server.target, str(ready)]
    with process(command, cwd=project.root, environ=project.environ, log=log) as worker:
        wait_for_file(ready, worker, log)
        result = await asyncio.wait_for(idle.load(project.method(METHOD)).run({"name": "Ann"}), 60)
    assert result.text == "hello"


@workflow.defn(sandboxed=False)
class Busy:
    """A workflow whose code does not yield for longer than the SDK allows by itself, which is two seconds."""

    @workflow.run
    async def run(self) -> str:
        time.sleep(3)
        return "done"


async def test_workflow_code_may_take_long(project: Project, temporal_server: DevServer) -> None:
    """The SDK on its own gives up a task whose code takes two seconds."""
    client = await Client.connect(temporal_server.target, plugins=[PipelexPlugin.from_settings(project.settings())])
    queue = f"{project.queue}-own"
    async with Worker(client, task_queue=queue, workflows=[Busy]):
        run = await client.start_workflow(Busy.run, id=queue, task_queue=queue)
        failed = await asyncio.wait_for(first_end_of_a_task(run), 60)
        assert (failed, await run.result()) == (None, "done")


async def first_end_of_a_task(run: WorkflowHandle[Any, Any]) -> str | None:
    """What the first workflow task that ended failed with; None where it did not fail."""
    while True:
        async for event in run.fetch_history_events(wait_new_event=True):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                return event.workflow_task_failed_event_attributes.failure.message
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                return None


async def namespace_of(server: DevServer) -> str:
    """A namespace of its own on the server, once it can be used."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    client = await Client.connect(server.target)
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromSeconds(86_400)
    await client.workflow_service.register_namespace(request)
    other = await Client.connect(server.target, namespace=name)
    for _ in range(240):
        try:
            await other.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
            await other.count_workflows()
            return name
        except RPCError:
            await asyncio.sleep(0.25)
    raise AssertionError("the namespace cannot be used")


async def test_two_workers_of_one_queue_name_in_two_namespaces_keep_to_their_own_models(
    tmp_path: Path, temporal_server: DevServer
) -> None:
    queue = f"shared-{tmp_path.name}"
    places = {"one": "default", "two": await namespace_of(temporal_server)}
    with OpenAIStub() as first, OpenAIStub() as second:
        stubs = {"one": first, "two": second}
        apps: dict[str, Pipelex] = {}
        files: dict[str, Path] = {}
        for name, stub in stubs.items():
            stub.on("Greet", text=f"hello from {name}")
            (tmp_path / name).mkdir()
            project = write_project(tmp_path / name, stub=stub.url, target=temporal_server.target, queue=queue)
            settings = {
                "temporal.temporal_config.temporal_server_configs.tests.namespace": places[name],
                "temporal.search_attributes.enabled": False,
            }
            apps[name], files[name] = project.app(overrides=settings), project.method(METHOD)
        async with apps["one"], apps["two"], worker_of(apps["one"]), worker_of(apps["two"]):
            runs = [apps[name].load(files[name]).run({"name": name}) for name in ("one", "two") for _ in range(5)]
            results = await asyncio.wait_for(asyncio.gather(*runs), 100)
        # The worker of the first ends before that of the second; and the other way round.
        async with apps["two"], worker_of(apps["two"]):
            async with apps["one"], worker_of(apps["one"]):
                pass
            results.append(await asyncio.wait_for(apps["two"].load(files["two"]).run({"name": "two"}), 60))
    assert [result.text for result in results] == ["hello from one"] * 5 + ["hello from two"] * 6
