"""Methods that others start: other SDKs, the `temporal` command, workflows of one's own; and what they get wrong."""

import ast
import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowType
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from pipelex.cli.main import app as cli_app
from pipelex.orchestration import RunState
from pipelex.runner import Pipelex
from pipelex.temporal import MethodJob
from pipelex.temporal.dev_server import find_binary
from tests.support.methods import DESCRIBE_ALL, sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of, settled_counts

PAGE = REPOSITORY / "docs" / "distributed" / "from-other-code.md"
GREET = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "Greet in two steps"
inputs = { name = "Text" }
output = "Text"
steps = [{ pipe = "greet", result = "greeting" }, { pipe = "polish", result = "polished" }]

[pipe.greet]
type = "PipeLLM"
description = "Greet"
inputs = { name = "Text" }
output = "Text"
prompt = "Greet: $name"

[pipe.polish]
type = "PipeLLM"
description = "Polish"
inputs = { greeting = "Text" }
output = "Text"
prompt = "Polish: $greeting"
"""


async def plain_client(app: Pipelex) -> Client:
    """A client that knows nothing of Pipelex, as any other SDK's."""
    client = await client_of(app)
    return await Client.connect(client.service_client.config.target_host, namespace=client.namespace)


async def job_of(app: Pipelex, file: Path, inputs: Mapping[str, Any], run_id: str | None = None) -> MethodJob:
    return MethodJob.of(app.settings, await app.load(file).request(inputs, run_id=run_id))


async def outcome_of(client: Client, job: MethodJob, id_: str, arguments: list[Any] | None = None) -> Any:
    return await client.execute_workflow(
        job.workflow_type, args=arguments or job.arguments, id=id_, task_queue=job.task_queue
    )


@pytest.mark.parametrize("given", [3, 2], ids=["all", "without_the_last"])
async def test_any_sdk_starts_a_method(app: Pipelex, project: Project, stub: OpenAIStub, given: int) -> None:
    stub.on("Describe", text="fine")
    job = await job_of(app, project.method(DESCRIBE_ALL), {"words": ["a", "b", "c"]})
    id_ = f"plain-{given}-{project.root.name}"
    outcome = await outcome_of(await plain_client(app), job, id_, json.loads(json.dumps(job.arguments))[:given])
    assert len(outcome["stuff"]["content"]["items"]) == 3
    run = await app.attach(id_)
    assert await run.status() is RunState.COMPLETED
    assert len((await run.trace()).children) == 3
    assert (await settled_counts(run)).completed == 4


async def test_the_command_of_temporal(project: Project, stub: OpenAIStub, app: Pipelex, tmp_path: Path) -> None:
    stub.on("Greet", text="hello").on("Polish", text="Hello!")
    project.method(GREET, "greet.mthds")
    target = (await client_of(app)).service_client.config.target_host
    command = await run_cli(
        project, "build", "job", "greet.mthds", "-i", '{"name": "Ann"}', "--run-id", "cmd-1", "-f", "command"
    )
    words = shlex.split(command)
    assert words[:3] == ["temporal", "workflow", "start"]
    started = await asyncio.to_thread(
        subprocess.run,
        [str(find_binary()), *words[1:], "--address", target],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode == 0, started.stderr
    run = await app.attach("cmd-1")
    assert (await run.result()).text == "Hello!"
    assert (await run.describe()).pipe == "harbour.main"
    again = await app.load(project.root / "greet.mthds").start({"name": "Ann"}, run_id="cmd-1")
    assert again.is_attached  # the memo says that it is the same job


async def run_cli(project: Project, *words: str) -> str:
    from typer.testing import CliRunner

    def run() -> str:
        here = Path.cwd()
        os.chdir(project.root)
        try:
            done = CliRunner(env=project.environ).invoke(cli_app, list(words), prog_name="pipelex")
        finally:
            os.chdir(here)
        assert done.exit_code == 0, done.output
        return done.stdout

    return await asyncio.to_thread(run)


async def test_a_job_as_json(project: Project) -> None:
    project.method(GREET, "greet.mthds")
    job = json.loads(await run_cli(project, "build", "job", "greet.mthds", "-i", '{"name": "Ann"}'))
    assert (job["workflow_type"], job["task_queue"]) == ("PipeSequence", project.queue)
    assert job["arguments"][0]["call"]["inputs"]["name"]["concept"] == "native.Text"
    assert job["search_attributes"]["PipeCode"] == "main"
    assert "PipelineRunId" not in job["search_attributes"]
    assert "workflow_id" not in job


# --- what cannot be read ----------------------------------------------------------------------------------------------

Spoiling = Callable[[list[Any]], list[Any]]


def with_inputs(inputs: Any) -> Spoiling:
    """The arguments with other inputs in the job."""
    return lambda good: [{**good[0], "call": {**good[0]["call"], "inputs": inputs}}, *good[1:]]


TEXT = {"concept": "native.Text", "content": {"text": "Ann"}}
GARBAGE: dict[str, tuple[Spoiling, str]] = {
    "nothing": (lambda _: [], "the first argument (the job) is missing"),
    "no_crate": (lambda good: good[:1], "the second argument (the crate) is missing"),
    "a_text": (lambda good: ["garbage", *good[1:]], "the first argument (the job) cannot be read"),
    "null": (lambda good: [None, *good[1:]], "the first argument (the job) has the wrong type: null"),
    "bytes": (lambda good: [b"{}", *good[1:]], "the first argument (the job) has the wrong type: bytes"),
    "a_message": (lambda good: [WorkflowType(name="x"), *good[1:]], "(the job) has the wrong type: WorkflowType"),
    "large_inputs_of_bytes": (lambda good: [*good[:2], b"{}"], "(large inputs) has the wrong type: bytes"),
    "a_text_alone": (lambda _: ["garbage"], "the first argument (the job) cannot be read"),
    "another_member": (lambda good: [{**good[0], "wrong": 1}, *good[1:]], "wrong"),
    "no_call": (lambda good: [{}, *good[1:]], "call"),
    "a_crate_of_text": (lambda good: [good[0], "garbage", None], "crate"),
    "a_crate_of_text_alone": (lambda good: [good[0], "garbage"], "is not an object"),
    "an_empty_crate": (lambda good: [good[0], {}, None], ""),
    "an_unknown_pipe": (
        lambda good: [{**good[0], "call": {**good[0]["call"], "pipe": "harbour.other"}}, *good[1:]],
        "other",
    ),
    "no_input": (with_inputs({}), "the input 'name' (native.Text) is missing"),
    "another_input": (with_inputs({"name": TEXT, "nome": TEXT}), "'nome' is not an input"),
    "a_bare_input": (with_inputs({"name": "Ann"}), "call.inputs.name: Value error, not an object"),
    "an_input_without_content": (with_inputs({"name": {"concept": "native.Text"}}), "call.inputs.name"),
    "an_input_of_an_unknown_concept": (with_inputs({"name": {**TEXT, "concept": "x.Y"}}), "no concept 'x.Y'"),
    "an_input_of_another_concept": (
        with_inputs({"name": {"concept": "native.Number", "content": {"number": 5}}}),
        "takes a native.Text, not a native.Number",
    ),
    "a_list_for_one_value": (
        with_inputs({"name": {"concept": "native.Text", "content": {"items": [{"text": "Ann"}]}}}),
        "takes one value, not a list",
    ),
    "large_inputs_of_text": (lambda good: [*good[:2], "garbage"], "the third argument (large inputs) cannot be read"),
}


@pytest.mark.parametrize("case", GARBAGE)
async def test_an_argument_that_is_none_ends_the_run(
    app: Pipelex, project: Project, stub: OpenAIStub, case: str
) -> None:
    spoil, said = GARBAGE[case]
    job = await job_of(app, project.method(GREET), {"name": "Ann"})
    client = await plain_client(app)
    running = client.execute_workflow(
        job.workflow_type,
        args=spoil(job.arguments),
        id=f"bad-{case}-{project.root.name}",
        task_queue=job.task_queue,
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(running, 30)
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    (report,) = cause.details
    assert said in report["detail"]
    assert report["code"] != "runtime.unexpected"
    assert stub.completions == []


@workflow.defn
class Starting:
    """A workflow of one's own that starts a method by what it is given."""

    @workflow.run
    async def run(self, kind: str, arguments: list[Any], queue: str) -> Any:
        return await workflow.execute_child_workflow(kind, args=arguments, task_queue=queue)


async def test_a_child_of_one_s_own_workflow_is_checked_too(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    job = await job_of(app, project.method(GREET), {"name": "Ann"})
    client = await plain_client(app)
    own = f"own-{project.root.name}"
    async with Worker(client, task_queue=own, workflows=[Starting], workflow_runner=UnsandboxedWorkflowRunner()):
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(
                Starting.run,
                args=[job.workflow_type, with_inputs({})(job.arguments), job.task_queue],
                id=own,
                task_queue=own,
            )
    child = failed.value.cause
    assert child is not None
    assert "the input 'name' (native.Text) is missing" in str(child.__cause__)
    assert stub.completions == []


# --- a workflow of one's own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", ["plugin.task_queue", '"welcome_q"'], ids=["one_queue", "a_queue_of_its_own"])
async def test_the_page_s_own_program(idle: Pipelex, project: Project, stub: OpenAIStub, queue: str) -> None:
    """It runs as it is on the page, in a process of its own: alone, and on another queue beside a worker of ours."""
    stub.on("Greet: Ada", text="hello Ada").on("Greet: Bob", text="hello Bob")
    stub.on(matches=r"Polish: hello (\w+)", text="Hello, \\1!", expand=True)
    project.method(GREET, "greet.mthds")
    client = await client_of(idle)
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    id_ = f"welcome-{queue.strip(chr(34))}-{project.root.name}"
    for old, new in (
        ("localhost:7233", client.service_client.config.target_host),
        ('id="welcome"', f'id="{id_}"'),
        ("queue = plugin.task_queue", f"queue = {queue}"),
    ):
        assert old in program
        program = program.replace(old, new)
    (project.root / "own.py").write_text(program, encoding="utf-8")
    environ = {**os.environ, **project.environ}
    async with nullcontext() if queue == "plugin.task_queue" else worker_of(idle):
        running = await asyncio.create_subprocess_exec(
            sys.executable, "own.py", cwd=project.root, env=environ, stdout=PIPE, stderr=PIPE
        )
        out, err = await asyncio.wait_for(running.communicate(), 90)
    assert ast.literal_eval(out.decode()) == ["Hello, Ada!", "Hello, Bob!", "Hello, Bob!"], err.decode()
    children = {each.id async for each in client.list_workflows(f"WorkflowId STARTS_WITH '{id_}/'")}
    assert {f"{id_}/greeting-0/1-greet", f"{id_}/greeting-1/2-polish"} <= children


async def test_one_s_own_workflow_runs_deep_methods_beside_each_other(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    """Their pipes have the same paths: ids are below the entry, not below the workflow that started it."""
    stub.on("Say", text="ok")
    job = await job_of(app, project.method(sequence_of(2)), {"text": "a"})
    client = await plain_client(app)
    outcomes = await asyncio.gather(*(outcome_of(client, job, f"side-{rank}-{project.root.name}") for rank in range(2)))
    assert len(outcomes) == 2
