"""Starting, attaching, cancelling, and what ends a run that cannot go on."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from pipelex.content.stuff import Stuff
from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.pipes import _execute
from pipelex.pipes.semantics import SEMANTICS
from pipelex.pipes.semantics._run import PipeRun
from pipelex.runner import Pipelex
from pipelex.runner.replays import prepare_replay
from pipelex.temporal.client import begin
from pipelex.temporal.dev_server import DevServer
from pipelex.tooling.viewer import RunFacts, run_document
from tests.support.methods import DESCRIBE_ALL, GREET, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, worker_of, write_project
from tests.support.silent_server import silent_server
from tests.support.temporal import client_of
from tests.support.untyped import untyped


async def test_one_id_is_one_run(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello Ada", text="Good day", delay=0.3)
    method = app.load(project.method(GREET))

    handles = await asyncio.gather(*(method.start({"name": "Ada"}, run_id=f"once-{project.queue}") for _ in range(5)))
    results = [await handle.result() for handle in handles]

    assert {result.text for result in results} == {"Good day"}
    assert len(stub.completions) == 1
    assert {handle.workflow_id for handle in handles} == {f"once-{project.queue}"}


async def test_the_run_of_an_older_client_is_the_same_one(
    app: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("Hello", text="first")
    method, run_id = app.load(project.method(GREET)), f"older-{project.queue}"
    with monkeypatch.context() as older:
        older.setattr(begin, "short_digest", str)
        assert (await method.run({"name": "Ada"}, run_id=run_id)).text == "first"

    assert (await method.run({"name": "Ada"}, run_id=run_id)).text == "first"
    assert len(stub.completions) == 1


async def test_an_id_of_an_ended_run_gives_its_result(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(text="first"), Reply(text="second"))
    method = app.load(project.method(GREET))
    run_id = f"again-{project.queue}"

    assert (await method.run({"name": "Ada"}, run_id=run_id)).text == "first"
    assert (await method.run({"name": "Ada"}, run_id=run_id)).text == "first"
    assert len(stub.completions) == 1


async def test_an_id_of_another_job_is_refused(app: Pipelex, idle: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="first", delay=0.3)
    run_id = f"other-{project.queue}"
    method = app.load(project.method(GREET))
    other = app.load(project.method(GREET.replace("Hello", "Good evening,"), "other.mthds"))
    run = await method.start({"name": "Ada"}, run_id=run_id)
    for _ in range(2):  # while it goes on, and after its end
        same = await method.start({"name": "Ada"}, run_id=run_id)
        assert (run.is_attached, same.is_attached) == (False, True)
        for job in (
            method.start({"name": "Bob"}, run_id=run_id),
            method.start({"name": "Ada"}, run_id=run_id, dry_run=True),
            method.start({"name": "Ada"}, run_id=run_id, on_item_failure="collect"),
            other.start({"name": "Ada"}, run_id=run_id),
        ):
            with pytest.raises(PipelexError, match=run_id) as failed:
                await job
            assert failed.value.code == "request.idempotency_conflict"
        assert (await same.result()).text == "first"
    ended = await method.start({"name": "Ada"}, run_id=run_id)
    assert ended.note == f"Run '{run_id}' has already completed; this is its result."
    async with project.app(overrides={"interpreter.pipeline_execution.max_concurrency": 3}) as tuned:
        assert (await tuned.load(project.method(GREET)).run({"name": "Ada"}, run_id=run_id)).text == "first"
    assert len(stub.completions) == 1


async def test_an_id_of_a_failed_run_tells_its_failure_and_how_to_go_on(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    stub.on("Hello", Reply(status=401), Reply(text="second"))
    method, run_id = app.load(project.method(GREET)), f"failed-{project.queue}"
    with pytest.raises(PipelexError) as first:
        await method.run({"name": "Ada"}, run_id=run_id)
    run = await method.start({"name": "Ada"}, run_id=run_id)
    with pytest.raises(PipelexError) as again:
        await run.result()
    assert again.value.code == first.value.code == "provider.credential_refused"
    assert f"pipelex runs retry {run_id}" in (again.value.report.advice or "")
    assert f"pipelex runs retry {run_id}" not in (first.value.report.advice or "")
    await run.retry()
    assert (await method.run({"name": "Ada"}, run_id=run_id)).text == "second"


async def test_attaching_after_the_end(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    result = await app.load(project.method(GREET)).run({"name": "Ada"})

    async with project.app() as elsewhere:
        handle = await elsewhere.attach(result.run_id)
        assert await handle.status() is RunState.COMPLETED
        assert (await handle.result(full_memory=True)).working_memory.root["name"].content == {"text": "Ada"}


async def test_attaching_to_nothing(idle: Pipelex) -> None:
    with pytest.raises(PipelexError) as failed:
        await idle.attach("no-such-run")
    assert failed.value.code == "run.not_found"


async def test_cancelling_reaches_the_provider_call(tmp_path: Path, temporal_server: DevServer) -> None:
    async with silent_server() as silent:
        project = write_project(tmp_path, stub=silent.url, target=temporal_server.target, queue="cancelling")
        overrides = {"temporal.worker_config.default_activity_heartbeat_timeout": "1s"}
        async with project.app(overrides=overrides) as app, worker_of(app):
            run = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["a"]})
            await asyncio.wait_for(silent.arrived.wait(), 20)
            assert not silent.left.is_set()

            await run.cancel()
            with pytest.raises(PipelexError) as failed:
                await asyncio.wait_for(run.result(), 20)
            await asyncio.wait_for(silent.left.wait(), 10)

            assert failed.value.code == "run.cancelled"
            assert await run.status() is RunState.CANCELLED


async def test_a_terminated_run_says_so(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="late", delay=3.0)
    run = await app.load(project.method(GREET)).start({"name": "Ada"})
    await run.terminate("enough")
    with pytest.raises(PipelexError, match="enough") as failed:
        await run.result()
    assert failed.value.code == "run.terminated"
    assert f"pipelex runs retry {run.run_id}" in (failed.value.report.advice or "")


async def test_pipes_whose_histories_are_gone(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    for number in (1, 2):
        stub.on(f"number {number} with", text=f"answer {number}")
    run = await app.load(project.method(chain_of(2))).start({"text": "sea"})
    await run.result()
    before, client = await run.trace(), await client_of(app)
    gone = WorkflowExecution(workflow_id=before.children[0].id)
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=gone)
    )
    async with asyncio.timeout(60):
        while not (first := (after := await run.trace(values=True)).children[0]).is_gone:
            await asyncio.sleep(0.1)
    assert (first.status, first.pipe, first.effects) == (RunState.COMPLETED, "step_1", [])
    assert first.inputs["text"].content == {"text": "sea"}
    assert isinstance(first.output, Stuff)
    assert first.output.content == {"text": "answer 1"}
    assert after.usage == before.usage, "what was paid for is known from the outcome"
    assert [child.is_gone for child in after.children] == [True, False]
    library = (await run.run.source()).library
    nodes = untyped(run_document(after, RunFacts(run.run_id, "temporal"), library)["nodes"])
    assert [(node["status"], node.get("gone")) for node in nodes] == [
        ("completed", is_gone) for is_gone in (None, True, None)
    ]
    assert nodes[1]["usage"][0]["calls"] == 1
    replay = await prepare_replay(app, run.run_id)
    assert replay.forecast.paid == {"harbour.step_1": 1, "harbour.step_2": 1}
    handle = await replay.start()
    assert (await handle.result()).text == "answer 2"
    assert len(stub.completions) == 3, "only the answer that is gone is asked for again"


HUGE = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "Grows"
inputs = { text = "Text" }
output = "Text"
steps = [{ pipe = "echo", result = "long" }, { pipe = "twice", result = "longer" }]

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo $text"

[pipe.twice]
type = "PipeCompose"
description = "Twice"
inputs = { long = "Text" }
output = "Text"
template = "$long, $long"
"""


async def test_an_input_too_large_is_refused_at_the_start(unstored: Pipelex, project: Project) -> None:
    with pytest.raises(PipelexError, match="name") as failed:
        await asyncio.wait_for(unstored.load(project.method(GREET)).run({"name": "x" * 2_200_000}), 20)
    assert failed.value.code == "input.too_large"
    assert failed.value.report.params["input"] == "name"


async def test_a_result_too_large_fails_at_once(unstored: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Echo", text="x" * 1_500_000)
    with pytest.raises(PipelexError) as failed:
        await asyncio.wait_for(unstored.load(project.method(HUGE)).run({"text": "a"}), 20)
    assert failed.value.code == "input.too_large"
    assert failed.value.report.location.pipe == "harbour.twice"


async def test_an_answer_too_large_fails_at_once(unstored: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Echo", text="x" * 2_200_000)
    with pytest.raises(PipelexError) as failed:
        await asyncio.wait_for(unstored.load(project.method(HUGE)).run({"text": "a"}), 20)
    assert failed.value.code == "input.too_large"
    assert failed.value.report.location.pipe == "harbour.echo"
    assert len(stub.completions) == 1


WITH_A_DOCUMENT = """
domain = "harbour"

[pipe.all]
type = "PipeBatch"
description = "Every word with the document"
inputs = { words = "Text[]", document = "Text" }
output = "Text[]"
branch_pipe_code = "one"
input_list_name = "words"
input_item_name = "word"

[pipe.side_by_side]
type = "PipeParallel"
description = "The document eight times"
inputs = { word = "Text", document = "Text" }
output = "Composite"
branches = [
  { pipe = "one", result = "a" }, { pipe = "one", result = "b" }, { pipe = "one", result = "c" },
  { pipe = "one", result = "d" }, { pipe = "one", result = "e" }, { pipe = "one", result = "f" },
]

[pipe.one]
type = "PipeCompose"
description = "A word of the document"
inputs = { word = "Text", document = "Text" }
output = "Text"
template = "$word, {{ document.text|length }}"
"""


async def test_large_children_are_not_started_all_at_once(app: Pipelex, project: Project) -> None:
    # Eight children of 900 kB in one workflow task would be more than the server takes: it would terminate the run.
    method = app.load(project.method(WITH_A_DOCUMENT))
    document = "x" * 900_000

    batch = await asyncio.wait_for(method.run({"words": list("abcdefgh"), "document": document}, pipe="all"), 60)
    assert untyped(batch.content)["items"] == [{"text": f"{word}, 900000"} for word in "abcdefgh"]

    branches = await asyncio.wait_for(method.run({"word": "a", "document": document}, pipe="side_by_side"), 60)
    assert set(untyped(branches.content)) == set("abcdef")


async def test_an_unexpected_exception_ends_the_run(
    app: Pipelex, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def boom(run: PipeRun) -> NoReturn:
        raise KeyError(f"not foreseen in {run.pipe.code}")

    monkeypatch.setattr(_execute, "SEMANTICS", {**SEMANTICS, "PipeLLM": boom})
    reports: dict[str, object] = {}
    async with project.app("direct") as direct:
        for one in (app, direct):
            with pytest.raises(PipelexError, match="not foreseen in describe") as failed:
                await asyncio.wait_for(one.load(project.method(DESCRIBE_ALL)).run({"words": ["a"]}), 20)
            reports[one.orchestrator.name] = failed.value.report.to_json()
    assert failed.value.code == "runtime.unexpected"
    assert reports["direct"] == reports["temporal"]


async def test_a_queue_without_workers_is_noticed(idle: Pipelex) -> None:
    with pytest.raises(PipelexError, match="no worker polls") as failed:
        await idle.orchestrator.check_workers(timedelta(seconds=0.5))
    assert failed.value.report.params == {"dependency": "worker"}
    async with worker_of(idle):
        await idle.orchestrator.check_workers(timedelta(seconds=10))
