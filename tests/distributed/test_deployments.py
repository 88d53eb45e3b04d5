"""The shipped deployments, started by their own commands: who does what, and what a part that stops delays."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from pipelex.durable.tries import failures_allowed
from pipelex.errors.json import Json
from pipelex.runner import Pipelex, RunResult
from tests.distributed.cluster import KEYS, Cluster, deployed, scheduled, who_ran
from tests.support.dialects import key_of
from tests.support.documents import PdfPage, encoded, pdf, plain
from tests.support.http_stub import Answer, http_stub
from tests.support.methods import POOLS_TOUR
from tests.support.openai_server import OpenAIStub
from tests.support.temporal import client_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("deployments")]

LLM = "act_llm_gen_text"
EXTRACT = "act_extract_gen_extract_pages"
DRAW = "act_img_gen_images"


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "page.pdf"
    file.write_bytes(pdf(PdfPage(["A lighthouse."])))
    return {"document": {"concept": "Document", "content": {"url": str(file)}}, "word": "sea"}


@pytest.fixture
def stub() -> OpenAIStub:
    return OpenAIStub().on(matches=r"Describe (\S+) to (\S+)", text=r"\2 knows \1", expand=True)


@pytest_asyncio.fixture
async def pictures() -> AsyncIterator[str]:
    image = base64.b64encode(encoded(plain(60, 40))).decode()
    details = {"text_tokens": 1, "image_tokens": 0}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": details}
    made = Answer.of_json({"created": 1, "data": [{"b64_json": image}], "usage": usage})
    async with http_stub(lambda _: made) as server:
        yield server.url


async def run(app: Pipelex, cluster: Cluster, inputs: dict[str, Json], pipe: str | None = None) -> RunResult:
    file = cluster.folder / "tour.mthds"
    file.write_text(POOLS_TOUR, encoding="utf-8")
    return await asyncio.wait_for(app.load(file).run(inputs, pipe=pipe), 60)


async def test_a_single_worker_does_everything(
    tmp_path: Path, stub: OpenAIStub, pictures: str, inputs: dict[str, Json]
) -> None:
    with (
        stub,
        deployed("single-worker", tmp_path, url=stub.url, pictures=pictures, queue="temporal_task_queue") as cluster,
    ):
        async with cluster.client() as app:
            result = await run(app, cluster, inputs)
            ran = await who_ran(await client_of(app), result.run_id)

    pid = cluster.workers["worker"]
    queue = "temporal_task_queue"
    assert sorted(ran) == [(EXTRACT, queue, pid), (DRAW, queue, pid), (LLM, queue, pid), (LLM, queue, pid)]
    assert f"worker     polls temporal_task_queue  scope full            pid {pid}" in cluster.said


async def test_routers_and_pools(tmp_path: Path, stub: OpenAIStub, pictures: str, inputs: dict[str, Json]) -> None:
    with stub, deployed("router-and-runners", tmp_path, url=stub.url, pictures=pictures) as cluster:
        pids = cluster.workers
        async with cluster.client() as app:
            client = await client_of(app)
            result = await run(app, cluster, inputs)
            ran = await who_ran(client, result.run_id)
            assert sorted(ran) == [
                (EXTRACT, "extract_q", pids["extract"]),
                (DRAW, "img_gen_q", pids["img-gen"]),
                *[(LLM, "llm_q", pids["llm"])] * 2,
            ]

            # A pool that is gone delays its own work alone.
            cluster.stop("extract")
            waiting = await app.load(cluster.folder / "tour.mthds").start(inputs)
            assert (await run(app, cluster, {"word": "sand"}, "ask_gpt")).text == "gpt knows sand"
            for _ in range(100):
                ran = await who_ran(client, waiting.run_id)
                if len([each for each in ran if each.pid is not None]) == 3:
                    break
                await asyncio.sleep(0.1)
            others = [(DRAW, "img_gen_q"), (LLM, "llm_q"), (LLM, "llm_q")]
            assert sorted(each[:2] for each in ran if each.pid is not None) == others
            assert await waiting.status() == "RUNNING"

            # Another process takes its place, and one more shares the load of a pool.
            cluster.add("extract-2", "--task-queue", "extract_q", "--scope", "runner-extract", "--profile", "cpu")
            await asyncio.wait_for(waiting.result(), 60)
            ran = await who_ran(client, waiting.run_id)
            assert (EXTRACT, "extract_q", pids["extract-2"]) in ran

            cluster.add("llm-2", "--task-queue", "llm_q", "--scope", "runner-llm")
            many = await run(app, cluster, {"words": [f"w{number}" for number in range(16)]}, "ask_many")
            ran = await who_ran(client, many.run_id)
            assert {each.pid for each in ran} == {pids["llm"], pids["llm-2"]}
            assert {each.pid for each in ran}.isdisjoint({pids["router"]})


async def test_each_provider_by_itself(
    tmp_path: Path, stub: OpenAIStub, pictures: str, inputs: dict[str, Json]
) -> None:
    per_second = 4
    edits = [
        (".pipelex/pipelex.toml", "per_second = 20.0", f"per_second = {per_second}.0"),
        ("workers.toml", 'name       = "openai"\ntask_queue = "openai_q"\nscope      = "runner-llm"\nprocesses  = 1',
         'name       = "openai"\ntask_queue = "openai_q"\nscope      = "runner-llm"\nprocesses  = 2'),
    ]  # fmt: skip
    with stub, deployed("per-provider", tmp_path, url=stub.url, pictures=pictures, edits=edits) as cluster:
        pids = cluster.workers
        async with cluster.client() as app:
            client = await client_of(app)
            result = await run(app, cluster, inputs)
            ran = await who_ran(client, result.run_id)
            by_queue = {(each.activity, each.queue): each.pid for each in ran}
            assert by_queue[EXTRACT, "ocr_q"] == pids["ocr"]
            assert by_queue[DRAW, "img_gen_q"] == pids["img-gen"]
            assert by_queue[LLM, "anthropic_q"] == pids["anthropic"]
            assert by_queue[LLM, "openai_q"] in (pids["openai-1"], pids["openai-2"])
            keys = {request.body["model"]: key_of(request.headers) for request in stub.completions}
            assert keys == {"gpt-test": KEYS["OPENAI_API_KEY"], "claude-test": KEYS["ANTHROPIC_API_KEY"]}

            # Each queue has its own retries; the cap holds over both processes of its pool.
            words = [f"w{number}" for number in range(24)]
            many = await run(app, cluster, {"words": words}, "ask_many")
            ran = await who_ran(client, many.run_id)
            assert {each.pid for each in ran} == {pids["openai-1"], pids["openai-2"]}
            arrivals = sorted(request.at for request in stub.completions if "Describe w" in request.prompt)
            # The server lets a second's worth through at once; were the cap of each process, one second would do.
            assert arrivals[-1] - arrivals[0] >= (24 - 2.5 * per_second) / per_second
            assert await _attempts(client, result.run_id) == {
                "openai_q": 5, "anthropic_q": 8, "ocr_q": 3, "img_gen_q": 2,
            }  # fmt: skip


async def _attempts(client: Client, run_id: str) -> dict[str, int]:
    found: dict[str, int] = {}
    async for execution in client.list_workflows(f"PipelineRunId = '{run_id}'"):
        for attributes in await scheduled(client, execution.id):
            found[attributes.task_queue.name] = failures_allowed(attributes.retry_policy.maximum_attempts)
    return found
