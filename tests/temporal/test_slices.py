"""A batch longer than a slice becomes a tree of workflows; nobody sees a difference but the server."""

import pytest
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project

from pipelex.errors import PipelexError
from pipelex.pipes.runtime import PipeCall, RunIdentity, RunOptions
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex, new_run_id
from pipelex.runner._durable import RunHandle

WORDS = [f"word{number:02}" for number in range(20)]
SLICE = 6
WINDOW = 3


async def start(app: Pipelex, project: Project) -> RunHandle:
    method = app.load(project.method(DESCRIBE_ALL))
    call = PipeCall(pipe="harbour.describe_all", inputs=method.read_inputs({"words": WORDS}))
    options = RunOptions(slice_size=SLICE, max_concurrency=WINDOW)
    return await (await app.durable()).start(method.library, call, RunIdentity(run_id=new_run_id()), options)


async def test_results_come_in_order(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on(matches=r"Describe (\w+)\.", text="about \\1", expand=True, delay=0.02)
    run = await start(app, project)
    result = await run.result()

    assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
    assert [usage.calls for usage in result.usage] == [len(WORDS)]
    assert stub.most_in_flight == WINDOW


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
