"""A batch longer than a slice becomes a tree of workflows; nobody sees a difference but the server."""

from dataclasses import replace
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from pipelex.durable.options import EngineOptions
from pipelex.errors import PipelexError
from pipelex.orchestration import RunCounts
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.trace import PipeTrace
from pipelex.pipes.traces.steps import without_slices
from pipelex.runner import Pipelex, RunHandle
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.workflow.limits import LIMITS
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project
from tests.support.temporal import client_of, settled_counts, start_call

WORDS = [f"word{number:02}" for number in range(20)]
SLICE = 6
WINDOW = 3


async def start(
    app: Pipelex, project: Project, method: str = DESCRIBE_ALL, pipe: str = "describe_all", **chosen: Any
) -> RunHandle:
    loaded = app.load(project.method(method))
    call = PipeCall(pipe=f"harbour.{pipe}", inputs=loaded.read_inputs({"words": WORDS}, pipe))
    options = EngineOptions(slice_size=SLICE, max_concurrency=WINDOW, **chosen)
    return await start_call(app, loaded.library, call, options)


def echo(stub: OpenAIStub, **members: Any) -> None:
    stub.on(matches=r"Describe (\w+)\.", text="about \\1", expand=True, **members)


async def check_result(run: RunHandle) -> None:
    result = await run.result()
    assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
    assert [usage.calls for usage in result.usage] == [len(WORDS)]


async def history(app: Pipelex, id_: str, run_id: str | None = None) -> list[HistoryEvent]:
    client = await client_of(app)
    return [event async for event in client.get_workflow_handle(id_, run_id=run_id).fetch_history_events()]


async def result_bytes(app: Pipelex, run: RunHandle) -> bytes:
    last = (await history(app, run.workflow_id))[-1]
    return last.workflow_execution_completed_event_attributes.result.payloads[0].data


async def test_results_come_in_order(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    echo(stub, gathered=WINDOW)
    run = await start(app, project)
    await check_result(run)
    assert stub.most_in_flight == WINDOW, "the window was full, and never more than that"


async def test_long_lists_are_held_by_reference_where_there_is_a_store(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    echo(stub)
    run = await start(app, project)
    await check_result(run)
    started = (await history(app, run.workflow_id))[0].workflow_execution_started_event_attributes
    job = started.input.payloads[0].data
    assert b'"parts"' in job
    assert b"word01" not in job
    assert b"about" not in await result_bytes(app, run)
    memory = (await run.result(full_memory=True)).working_memory
    assert memory.root["words"].items == [{"text": word} for word in WORDS]


async def test_without_a_store_lists_travel_whole(unstored: Pipelex, project: Project, stub: OpenAIStub) -> None:
    echo(stub)
    run = await start(unstored, project)
    await check_result(run)
    assert b"about word19" in await result_bytes(unstored, run)


@pytest.fixture(params=["with a store", "without"])
def either(request: pytest.FixtureRequest) -> Pipelex:
    return request.getfixturevalue("app" if request.param == "with a store" else "unstored")


async def test_a_slice_with_a_long_history_goes_on_in_a_new_one(
    either: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PipelexPlugin, "limits", replace(LIMITS, run_events=40))
    echo(stub)
    run = await start(either, project)
    await check_result(run)

    slice_id = f"{run.workflow_id}/describe[0-5]"
    last = (await history(either, slice_id))[0].workflow_execution_started_event_attributes
    assert last.continued_execution_run_id
    first = await history(either, slice_id, last.first_execution_run_id)
    assert len(first) <= 40 + 2
    assert first[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    (found,) = [child for child in (await run.trace()).children if child.id == slice_id]
    assert [child.id.rpartition("/")[2] for child in found.children] == [f"describe[{rank}]" for rank in range(6)]
    assert (found.pipe, found.status) == ("describe", "COMPLETED")


async def test_a_slice_whose_results_are_large_puts_them_away(
    app: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PipelexPlugin, "limits", replace(LIMITS, held_bytes=60))
    echo(stub)
    run = await start(app, project)
    await check_result(run)
    last = (await history(app, f"{run.workflow_id}/describe[0-5]"))[0].workflow_execution_started_event_attributes
    assert last.continued_execution_run_id


async def test_many_slices_are_slices_of_slices(
    either: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PipelexPlugin, "limits", replace(LIMITS, slices=2))
    echo(stub)
    run = await start(either, project)
    await check_result(run)
    trace = await run.trace()
    assert [child.id.rpartition("/")[2] for child in trace.children] == ["describe[0-11]", "describe[12-19]"]
    # Slices are the engine's: they count as no pipes, and what looks at pipes alone sees those of the batch.
    assert await settled_counts(run) == RunCounts(0, len(WORDS) + 1, 0)
    flat = without_slices(trace)
    assert {child.id.rpartition("/")[2] for child in flat.children} == {f"describe[{rank}]" for rank in range(20)}
    assert flat.usage == trace.usage
    # Of what has ended, a tree without its insides tells state and times.
    short = await run.trace(ended=False)
    assert [(child.id, child.pipe, child.status) for child in short.children] == [
        (child.id, child.pipe, child.status) for child in trace.children
    ]
    assert all(child.ended is not None and not child.children for child in short.children)


USES_OF_A_LIST = (
    DESCRIBE_ALL
    + """
[pipe.counted]
type = "PipeCompose"
description = "Counts what an operator is given"
inputs = { notes = "Text[]", words = "Text[]" }
output = "Text"
template = "{{ notes|length }} of {{ words|length }}, the last: {{ notes[-1].text }}"

[pipe.any_left]
type = "PipeCondition"
description = "Looks into a list"
inputs = { notes = "Text[]", words = "Text[]" }
output = "Text"
expression = "notes|length"
outcomes = { 20 = "counted" }
default_outcome = "fail"

[pipe.again]
type = "PipeSequence"
description = "Hands a list on in every way"
inputs = { words = "Text[]" }
output = "Text"
steps = [
  { pipe = "describe_all", result = "first" },
  { pipe = "describe", batch_over = "first", batch_as = "word", result = "notes" },
  { pipe = "any_left", result = "found" },
]
"""
)


async def test_a_list_by_reference_is_loaded_where_its_content_is_read(
    app: Pipelex, project: Project, stub: OpenAIStub
) -> None:
    stub.on(matches=r"Describe (.+)\.", text="about \\1", expand=True)
    run = await start(app, project, USES_OF_A_LIST, "again")
    result = await run.result(full_memory=True)
    assert result.text == "20 of 20, the last: about about word19"
    assert result.working_memory.root["notes"].items[0] == {"text": "about about word00"}


async def test_failing_items_of_all_slices_are_reported(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on(matches="word0[13]|word19", status=400, body={"error": {"message": "no", "code": "content_filter"}})
    echo(stub)
    result = await (await start(app, project, on_item_failure="collect")).result()
    assert len(result.main_stuff.items) == len(WORDS) - 3
    assert result.failures is not None
    assert result.failures.count == 3
    assert [failure.index for failure in result.failures.first] == [1, 3, 19]
    assert [failure.path for failure in result.failures.first] == [
        ("describe[1]",),
        ("describe[3]",),
        ("describe[19]",),
    ]


async def test_items_keep_the_ids_they_have_without_slices(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="ok")
    run = await start(app, project)
    await run.result()
    trace = await run.trace()

    def ids(pipe: PipeTrace) -> list[str]:
        return [pipe.id.removeprefix(run.workflow_id), *(id_ for child in pipe.children for id_ in ids(child))]

    found = ids(trace)
    assert {f"/describe[{index}]" for index in range(len(WORDS))} <= set(found)
    slices = [id_ for id_ in found if "-" in id_.rpartition("[")[2]]
    assert slices == ["/describe[0-5]", "/describe[6-11]", "/describe[12-17]", "/describe[18-19]"]


async def test_a_failing_item_is_named(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("word13", status=400, body={"error": {"message": "no", "code": "content_filter"}})
    stub.on("Describe", text="ok")
    run = await start(app, project)
    with pytest.raises(PipelexError) as failed:
        await run.result()
    location = failed.value.report.location
    assert (location.pipe, location.path) == ("harbour.describe", ("describe[13]",))
