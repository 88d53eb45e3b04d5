"""Ids, summaries, details and search attributes of a run and of everything below it (temporal reference, 8 and 11)."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from pipelex.durable.options import EngineOptions
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.workflow import observability
from tests.support.methods import DESCRIBE_ALL, SURVEY
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project
from tests.support.temporal import client_of, start_call


def answer_survey(stub: OpenAIStub) -> None:
    berths = [{"code": "B1", "depth": 3}, {"code": "B2"}, {"code": "B3", "depth": 9}]
    stub.on("Berths of", object={"items": berths})
    stub.on(matches=r"Describe berth (\w+)", text="\\1 is fine", expand=True)
    stub.on("History of", text="long").on("Varna", object={"date": "1972-05-01"})


def flat(trace: PipeTrace) -> list[PipeTrace]:
    return [trace, *(below for child in trace.children for below in flat(child))]


async def test_ids_types_and_effects_of_a_tree(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answer_survey(stub)
    result = await app.load(project.method(SURVEY)).run({"harbour": "Varna"})
    assert result.text == "Varna is large: 3 notes, 2 depths, 1972-05-01"

    trace = await read_trace(await client_of(app), result.run_id)
    found = {pipe.id.removeprefix(result.run_id): (pipe.type, pipe.status) for pipe in flat(trace)}
    assert found == {
        "": ("PipeSequence", "COMPLETED"),
        "/1-list_berths": ("PipeLLM", "COMPLETED"),
        "/2-describe[0]": ("PipeLLM", "COMPLETED"),
        "/2-describe[1]": ("PipeLLM", "COMPLETED"),
        "/2-describe[2]": ("PipeLLM", "COMPLETED"),
        "/4-judge_size": ("PipeCondition", "COMPLETED"),
        "/4-judge_size/praise": ("PipeCompose", "COMPLETED"),
        "/5-facts": ("PipeParallel", "COMPLETED"),
        "/5-facts/1-history": ("PipeLLM", "COMPLETED"),
        "/5-facts/2-founded": ("PipeStructure", "COMPLETED"),
        "/6-report": ("PipeCompose", "COMPLETED"),
    }
    effects = [effect.summary for pipe in flat(trace) for effect in pipe.effects]
    assert "LLM object list · pipe=list_berths · class=Berth · model=stub" in effects
    assert "LLM text · pipe=history · model=stub" in effects
    assert not any("Varna" in text for text in effects)


async def test_a_durable_trace_is_the_one_of_a_process(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answer_survey(stub)
    path = project.method(SURVEY)
    durable = await app.load(path).run({"harbour": "Varna"})
    async with project.app("direct") as direct:
        local = await direct.load(path).run({"harbour": "Varna"})
    assert local.trace is not None
    read = await read_trace(await client_of(app), durable.run_id)

    def shape(trace: PipeTrace) -> list[Any]:
        pipes = sorted(flat(trace), key=lambda pipe: pipe.id)
        return [
            (
                pipe.id.partition("/")[2],
                pipe.type,
                pipe.status,
                [(effect.name, effect.summary, effect.attempts, effect.usage) for effect in pipe.effects],
                pipe.usage,
            )
            for pipe in pipes
        ]

    assert shape(read) == shape(local.trace)
    assert read.usage == durable.usage == local.usage == local.trace.usage
    (used,) = read.usage
    assert (used.calls, used.input_tokens, used.output_tokens) == (6, 66, 42)
    assert used.cost_usd == pytest.approx(6 * (11 * 2.0 + 7 * 8.0) / 1e6)


async def test_search_attributes_go_down_the_tree(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answer_survey(stub)
    result = await app.load(project.method(SURVEY)).run({"harbour": "Varna"})
    client = await client_of(app)

    root = (await client.get_workflow_handle(result.run_id).describe()).typed_search_attributes
    leaf = (await client.get_workflow_handle(f"{result.run_id}/5-facts/1-history").describe()).typed_search_attributes
    for key in (observability.PIPELINE_RUN_ID, observability.SESSION_ID, observability.USER_ID):
        assert leaf.get(key) == root.get(key)
    assert root.get(observability.PIPELINE_RUN_ID) == result.run_id
    assert root.get(observability.SESSION_ID) == app.session_id
    assert (root.get(observability.PIPE_CODE), leaf.get(observability.PIPE_CODE)) == ("survey", "history")
    assert leaf.get(observability.DOMAIN_CODE) == "harbour"
    assert await found_by(client, f"PipelineRunId = '{result.run_id}' AND WorkflowType = 'PipeStructure'") == 1


async def found_by(client: Client, query: str) -> int:
    """How many workflows a query finds, once visibility has caught up."""
    for _ in range(100):
        count = (await client.count_workflows(query)).count
        if count:
            return count
        await asyncio.sleep(0.1)
    return 0


async def test_summary_and_details(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answer_survey(stub)
    result = await app.load(project.method(SURVEY)).run({"harbour": "Varna"})
    client = await client_of(app)
    root = await client.get_workflow_handle(result.run_id).describe()
    child = await client.get_workflow_handle(f"{result.run_id}/6-report").describe()

    assert await root.static_summary() == "survey — Survey a harbour"
    assert await child.static_summary() == "report — Write the report"
    for item in range(3):  # the items of a batch are told apart
        each = await client.get_workflow_handle(f"{result.run_id}/2-describe[{item}]").describe()
        assert (await each.static_summary() or "").startswith(f"describe[{item}] — ")
    details = await root.static_details()
    assert details is not None
    assert "| Pipe | `survey` |" in details
    assert f"| Pipeline run | `{result.run_id}` |" in details
    assert "Varna" not in details


@pytest.mark.parametrize("slice_size", [3, 100])
async def test_items_inside_anothers_workflow_are_told_apart(
    app: Pipelex, project: Project, stub: OpenAIStub, slice_size: int
) -> None:
    stub.on("Describe", text="fine")
    method = app.load(project.method(DESCRIBE_ALL))
    call = PipeCall(pipe="harbour.describe_all", inputs=method.read_inputs({"words": [f"w{n}" for n in range(7)]}))
    options = EngineOptions(child_workflows="controllers", slice_size=slice_size)
    run = await start_call(app, method.library, call, options)
    await run.result()
    effects = [effect.summary for pipe in flat(await run.trace()) for effect in pipe.effects]
    assert sorted(effects) == [f"LLM text · pipe=describe[{rank}] · model=stub" for rank in range(7)]


async def test_search_attributes_can_be_left_out(project: Project, stub: OpenAIStub) -> None:
    from tests.support.project import worker_of

    answer_survey(stub)
    overrides = {"temporal.search_attributes.enabled": False}
    async with project.app(overrides=overrides) as app, worker_of(app):
        result = await app.load(project.method(SURVEY)).run({"harbour": "Varna"})
        client = await client_of(app)
        for id_ in (result.run_id, f"{result.run_id}/6-report"):
            described = await client.get_workflow_handle(id_).describe()
            assert described.typed_search_attributes.get(observability.PIPE_CODE) is None


@pytest.mark.parametrize(("environment", "prefix"), [("unit_testing", "ut-"), ("ci", "ci-")])
async def test_the_environment_prefixes_workflow_ids(
    project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch, environment: str, prefix: str
) -> None:
    from pipelex.config import load_settings
    from tests.support.project import worker_of

    answer_survey(stub)
    settings = load_settings(cwd=project.root, environ={**project.environ, "PIPELEX_ENV": environment})
    async with Pipelex(settings, orchestrator="temporal") as app, worker_of(app):
        run = await app.load(project.method(SURVEY)).start({"harbour": "Varna"})
        assert run.workflow_id == prefix + run.run_id
        assert (await run.result()).text
