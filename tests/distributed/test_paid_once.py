"""A worker that dies between a provider's answer and Temporal's knowing of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.api.workflow.v1 import PendingActivityInfo

from pipelex.runner import Pipelex, RunHandle
from pipelex.temporal.dev_server import DevServer
from tests.distributed.tls_gate import gate
from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub
from tests.support.processes import kill, process, wait_for_file
from tests.support.project import Project, worker_of, write_project
from tests.support.temporal import client_of

pytestmark = pytest.mark.slow

SETTINGS = """
[inference.result_cache]
is_enabled = {is_enabled}

[runtime.storage.local]
path = "{store}"

[temporal.temporal_config]
selected_server = "tests"
temporal_server_configs.tests.target_host = "{target}"

[temporal.worker_config]
default_task_queue = "{queue}"
default_activity_heartbeat_timeout = "2s"
task_timeout = "2s"

[temporal.worker_runtime_profiles.profiles.default]
graceful_shutdown_timeout = "0s"
sticky_queue_schedule_to_start_timeout = "1s"
"""


def project_at(root: Path, target: str, stub: OpenAIStub, *, is_enabled: bool) -> Project:
    """A project on one store and one queue with the others of the test."""
    root.mkdir()
    project = write_project(root, stub=stub.url)
    names = {"store": root.parent / "store", "target": target, "queue": f"paid_{root.parent.name}"}
    settings = SETTINGS.format(is_enabled=str(is_enabled).lower(), **names)
    (root / ".pipelex" / "pipelex.toml").write_text(settings, encoding="utf-8")
    return project


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to pass")


@pytest.mark.parametrize(("is_enabled", "requests"), [(True, 1), (False, 2)], ids=["kept", "not_kept"])
async def test_an_answer_outlives_the_worker_that_got_it(
    tmp_path: Path, temporal_server: DevServer, is_enabled: bool, requests: int
) -> None:
    results = tmp_path / "store" / "results"
    with OpenAIStub() as stub:
        stub.on("Hello", text="Hi, Ada", delay=1.0, input_tokens=100, output_tokens=10)
        async with gate(temporal_server.target, None) as between:
            cut_off = project_at(tmp_path / "first", between.target, stub, is_enabled=is_enabled)
            project = project_at(tmp_path / "second", temporal_server.target, stub, is_enabled=is_enabled)
            async with project.app() as app:
                ready, log = cut_off.root / "ready", cut_off.root / "log"
                arguments = ["-m", "tests.support.worker_process", str(ready)]
                with process(arguments, cwd=cut_off.root, environ=cut_off.environ, log=log) as first:
                    await asyncio.to_thread(wait_for_file, ready, first, log)
                    run = await app.load(project.method(GREET)).start({"name": "Ada"})
                    await until(lambda: len(stub.requests) == 1)
                    between.is_cut = between.is_holding = (
                        True  # from here on, Temporal and the worker hear nothing of each other
                    )
                    await until(lambda: stub.answered == 1)
                    if is_enabled:
                        await until(lambda: list(results.rglob("*.json")))
                    kill(first)
                async with worker_of(app):
                    result = await asyncio.wait_for(run.result(), 60)
    assert result.text == "Hi, Ada"
    assert len(stub.requests) == requests
    assert len({request.headers["idempotency-key"] for request in stub.requests}) == 1
    (usage,) = result.usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, 100, 10)
    assert results.exists() == is_enabled


async def test_an_answer_of_which_the_server_heard_nothing_is_reported_again(
    tmp_path: Path, temporal_server: DevServer
) -> None:
    """The worker lives, and the server is out of reach for longer than it waits for heartbeats."""
    with OpenAIStub() as stub:
        stub.on("Hello", text="Hi, Ada", delay=1.0, input_tokens=100, output_tokens=10)
        async with gate(temporal_server.target, None) as between:
            cut_off = project_at(tmp_path / "first", between.target, stub, is_enabled=False)
            project = project_at(tmp_path / "second", temporal_server.target, stub, is_enabled=False)
            async with cut_off.app() as worker, project.app() as app, worker_of(worker):
                run = await app.load(project.method(GREET)).start({"name": "Ada"})
                await until(lambda: len(stub.requests) == 1)
                between.is_cut = between.is_holding = True
                await until(lambda: stub.answered == 1)
                while (await pending(app, run)).attempt == 1:
                    await asyncio.sleep(0.2)
                between.is_cut = between.is_holding = False
                result = await asyncio.wait_for(run.result(), 60)
    assert (result.text, len(stub.requests)) == ("Hi, Ada", 1)
    (usage,) = result.usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, 100, 10)


async def pending(app: Pipelex, run: RunHandle) -> PendingActivityInfo:
    """The call of a run that the server waits for."""
    described = await (await client_of(app)).get_workflow_handle(run.workflow_id).describe()
    (activity,) = described.raw_description.pending_activities
    return activity
