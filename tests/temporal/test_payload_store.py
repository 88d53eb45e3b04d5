"""Values in the payload store: on a real server, with real files."""

from pathlib import Path

import pytest
from temporalio.worker import Worker

from pipelex.content.stuff import Stuff
from pipelex.durable.options import EngineOptions
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.runner import Pipelex
from pipelex.temporal.codec import load_value, store_value
from pipelex.temporal.plugin import pipelex_runner
from tests.support import stored_values
from tests.support.project import Project
from tests.support.temporal import client_of, start_call
from tests.support.untyped import untyped


def blobs(project: Project) -> list[Path]:
    return sorted((project.root / ".pipelex" / "storage" / "temporal-payloads").iterdir())


async def test_a_workflow_hands_on_a_value_it_never_loads(idle: Pipelex, project: Project) -> None:
    client = await client_of(idle)
    worker = Worker(
        client,
        task_queue=project.queue,
        workflows=[stored_values.Passer, stored_values.Reader],
        activities=[stored_values.make_long_text, stored_values.measure, stored_values.measure_stored],
        workflow_runner=pipelex_runner(None, is_sandboxed=True),
    )
    async with worker:
        handle = await client.start_workflow(
            "Passer", 3_000_000, id=f"passer-{project.queue}", task_queue=project.queue
        )
        assert await handle.result() == [3_000_000] * 3
    assert (await handle.describe()).raw_description.workflow_execution_info.history_size_bytes < 8_000
    assert [path.stat().st_size > 3_000_000 for path in blobs(project)] == [True]


async def test_a_client_stores_and_loads_values_of_any_size(idle: Pipelex, project: Project) -> None:
    converter = (await client_of(idle)).data_converter
    stored = await store_value(converter, ["a"])
    assert stored.size < 100
    assert await store_value(converter, ["a"]) == stored
    assert await load_value(converter, stored, list[str]) == ["a"]
    assert len(blobs(project)) == 1


READERS = """
domain = "harbour"

[pipe.all]
type = "PipeBatch"
description = "Every page, with the whole book"
inputs = { book = "Text", pages = "Text[]" }
output = "Text[]"
branch_pipe_code = "read"
input_list_name = "pages"
input_item_name = "page"

[pipe.read]
type = "PipeCompose"
description = "A page"
inputs = { book = "Text", page = "Text" }
output = "Text"
template = "$page of {{ book.text | length }}"
"""


async def test_what_many_children_read_is_stored_once(app: Pipelex, project: Project) -> None:
    book, pages = "b" * 1_000_000, [f"page {rank}" for rank in range(10)]
    result = await app.load(project.method(READERS)).run({"book": book, "pages": pages}, pipe="all")
    assert untyped(result.content)["items"][9]["text"] == "page 9 of 1000000"
    sizes = [path.stat().st_size for path in blobs(project)]
    assert len([size for size in sizes if size > 1_000_000]) == 1


@pytest.mark.parametrize("slice_size", [500, 4])
async def test_it_is_stored_once_beside_items_that_are_large_too_and_in_slices(
    app: Pipelex, project: Project, slice_size: int
) -> None:
    book, pages = "b" * 1_000_000, [str(rank) * 150_000 for rank in range(9)]
    method = app.load(project.method(READERS))
    call = PipeCall(
        pipe="harbour.all",
        inputs={
            "book": Stuff("native.Text", {"text": book}),
            "pages": Stuff.of_list("native.Text", [{"text": page} for page in pages]),
        },
    )
    run = RunIdentity(run_id=f"run-{project.queue}")
    started = await start_call(app, method.library, call, EngineOptions(slice_size=slice_size), run)
    result = await started.result()
    assert untyped(result.content)["items"][8]["text"] == pages[8] + " of 1000000"
    sizes = [path.stat().st_size for path in blobs(project)]
    # Nine pages are more than a million bytes together; the book is stored once whatever it is sent with.
    assert len([size for size in sizes if 1_000_000 < size < 1_100_000]) == 1
