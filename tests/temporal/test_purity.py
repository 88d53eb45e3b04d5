"""Nothing that is not deterministic gets into a workflow. The layers themselves are kept by the import contracts."""

import asyncio
from typing import Any, cast

import grimp
import pytest
from temporalio.client import WorkflowFailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from pipelex.runner import Pipelex
from pipelex.temporal.plugin import PASSED_THROUGH, PipelexPlugin
from pipelex.temporal.worker.build import build_worker, plan_worker
from pipelex.temporal.worker.workflow_types import ALWAYS, WORKFLOWS
from tests.support.forbidden_at_import import AsksFilesAtImport
from tests.support.forbidden_in_code import AsksForChance
from tests.support.project import Project
from tests.support.temporal import client_of, config_of

IN_WORKFLOWS = ("errors", "config", "content", "language", "templating", "library", "pipes")


@pytest.fixture(scope="module")
def imports() -> Any:
    return grimp.build_graph("pipelex", exclude_type_checking_imports=True)


def test_workflows_reach_no_effect(imports: Any) -> None:
    reached = imports.find_upstream_modules("pipelex.temporal.workflows", as_package=True)
    forbidden = ("pipelex.inference", "pipelex.storage", "pipelex.direct", "pipelex.runner", "pipelex.cli")
    assert not sorted(module for module in reached if module.startswith(forbidden))


def test_what_workflows_reach_is_passed_through(imports: Any) -> None:
    reached = imports.find_upstream_modules("pipelex.temporal.workflows", as_package=True)
    left = {module for module in reached if not is_passed_through(module)} - {"pipelex", "pipelex.temporal"}
    assert not left, "the sandbox would load these anew for every run"


def test_passed_through_modules_are_pure(imports: Any) -> None:
    for name in IN_WORKFLOWS:
        assert f"pipelex.{name}" in PASSED_THROUGH
    assert not is_passed_through("pipelex.temporal.workflows")


def test_every_definition_is_alone_in_its_module() -> None:
    """The SDK looks at every member of every definition in a module, anew for every run."""
    definitions = [*WORKFLOWS.values(), *ALWAYS]
    assert len({definition.__module__ for definition in definitions}) == len(definitions)


@pytest.mark.parametrize(
    ("is_sandboxed", "runner"), [(True, SandboxedWorkflowRunner), (False, UnsandboxedWorkflowRunner)]
)
async def test_workers_run_workflows_in_the_sandbox(idle: Pipelex, is_sandboxed: bool, runner: type) -> None:
    client = await client_of(idle)
    plugin = PipelexPlugin(config_of(idle), idle.inference, is_sandboxed=is_sandboxed)
    worker = build_worker(client, plan_worker(config_of(idle)), plugin)
    config = cast("dict[str, Any]", worker.config(active_config=True))
    assert isinstance(config["workflow_runner"], runner)


async def test_a_workflow_that_asks_files_at_import_is_refused(idle: Pipelex) -> None:
    client = await client_of(idle)
    plugin = PipelexPlugin(config_of(idle), idle.inference)
    with pytest.raises(RuntimeError, match="Failed validating workflow AsksFilesAtImport"):
        Worker(client, task_queue="refused", workflows=[AsksFilesAtImport], plugins=[plugin])


async def test_a_workflow_that_asks_for_chance_does_not_get_it(idle: Pipelex, project: Project) -> None:
    client = await client_of(idle)
    plugin = PipelexPlugin(config_of(idle), idle.inference)
    async with Worker(client, task_queue=project.queue, workflows=[AsksForChance], plugins=[plugin]):
        handle = await client.start_workflow("AsksForChance", id=f"chance-{project.queue}", task_queue=project.queue)
        async with asyncio.timeout(20):
            while not (said := await last_task_failure(handle)):
                await asyncio.sleep(0.1)
        assert "Cannot access uuid.uuid4" in said
        await handle.terminate()
        with pytest.raises(WorkflowFailureError):
            await handle.result()


def is_passed_through(module: str) -> bool:
    """Whether the sandbox shares a module with the process; one that it shares, it shares with all that is in it."""
    return any(module == name or module.startswith(f"{name}.") for name in PASSED_THROUGH)


async def last_task_failure(handle: Any) -> str:
    events = [event async for event in handle.fetch_history_events()]
    messages = [event.workflow_task_failed_event_attributes.failure.message for event in events]
    return next((message for message in messages if message), "")
