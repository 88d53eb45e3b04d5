"""Results of paid calls that outlive the attempt that got them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import load_settings
from pipelex.errors import PipelexError
from pipelex.inference import Inference, InferenceOptions, ModelDeck, performers
from pipelex.inference.calls.logical import logical_call
from pipelex.inference.calls.results import ResultCache
from pipelex.storage import Storage
from tests.support.jobs import LUCY, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    settings = load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)})
    return Storage.open(settings.runtime.storage, tmp_path)


@pytest.fixture
async def inference(inference_dir: Path, store: Storage) -> AsyncIterator[Inference]:
    deck = ModelDeck.load([inference_dir], {})
    service = Inference(deck, InferenceOptions(call_timeout=5.0), results=ResultCache(store))
    yield service
    await service.aclose()


async def attempt(inference: Inference, job: Any, call: str = "run/1#1", activity: str = "act_llm_gen_text") -> Any:
    with logical_call(call):
        return await performers(inference)[activity](job)


def entries(tmp_path: Path) -> list[Path]:
    return list((tmp_path / ".pipelex" / "storage" / "results").rglob("*.json"))


async def test_a_later_attempt_finds_the_result_with_its_usage(stub: OpenAIStub, inference: Inference, tmp_path: Path):
    stub.on("Hello", text="Hi", input_tokens=9).on("boat", object=LUCY)
    first = await attempt(inference, text_job("Hello"))
    assert await attempt(inference, text_job("Hello")) == first
    boat = await attempt(inference, object_job("Which boat?"), "run/1#2", "act_llm_gen_object")
    assert await attempt(inference, object_job("Which boat?"), "run/1#2", "act_llm_gen_object") == boat
    assert boat.content == LUCY
    assert len(stub.requests) == 2
    assert len(entries(tmp_path)) == 2


async def test_another_call_and_another_job_are_asked(stub: OpenAIStub, inference: Inference):
    stub.on("Hello", text="Hi")
    await attempt(inference, text_job("Hello"))
    await attempt(inference, text_job("Hello"), "run/2#1")
    await attempt(inference, text_job("Hello, you"))
    await attempt(inference, text_job("Hello, you", temperature=0.9))
    assert len(stub.requests) == 4


@pytest.fixture
async def shared(inference_dir: Path, store: Storage) -> AsyncIterator[Inference]:
    """As `inference`, for the calls of all runs."""
    deck = ModelDeck.load([inference_dir], {})
    service = Inference(deck, InferenceOptions(call_timeout=5.0), results=ResultCache(store, across_runs=True))
    yield service
    await service.aclose()


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.01)


async def equal_calls(inference: Inference, stub: OpenAIStub, many: int = 5) -> list[asyncio.Task[Any]]:
    """Equal calls of as many runs; the others begin while the first has its request in flight."""
    before = len(stub.requests)
    calls = [asyncio.create_task(attempt(inference, text_job("Hello"), "run-0/1#1"))]
    await eventually(lambda: len(stub.requests) > before)
    for rank in range(1, many):
        calls.append(asyncio.create_task(attempt(inference, text_job("Hello"), f"run-{rank}/1#1")))
    return calls


async def test_of_equal_calls_in_flight_one_asks(stub: OpenAIStub, shared: Inference, tmp_path: Path):
    stub.on("Hello you", text="Hi you").on("Hello", text="Hi", delay=0.3)
    other = attempt(shared, text_job("Hello you"), "run-x/1#1")
    calls = await asyncio.gather(*await equal_calls(shared, stub))
    assert [(call.text, call.kept_from) for call in calls] == [("Hi", None), *[("Hi", "run-0")] * 4]
    assert (await other).text == "Hi you"
    assert len(stub.requests) == 2
    assert (await attempt(shared, text_job("Hello"), "run-9/1#1")).kept_from == "run-0"
    assert len(stub.requests) == 2


async def test_equal_calls_in_flight_each_ask_where_runs_share_nothing(stub: OpenAIStub, inference: Inference):
    stub.on("Hello", text="Hi", delay=0.1)
    calls = await asyncio.gather(*await equal_calls(inference, stub, 3))
    assert [call.kept_from for call in calls] == [None] * 3
    assert len(stub.requests) == 3


async def test_of_equal_calls_the_next_asks_when_the_first_fails(stub: OpenAIStub, shared: Inference):
    stub.on("Hello", Reply(status=503, delay=0.3), Reply(text="Hi"))
    first, *others = await asyncio.gather(*await equal_calls(shared, stub), return_exceptions=True)
    assert isinstance(first, PipelexError)
    assert [getattr(call, "text", call) for call in others] == ["Hi"] * 4
    assert len(stub.requests) == 2


@pytest.mark.parametrize("cancelled", [[0], [1, 3], [0, 2], [0, 1, 2, 3, 4]], ids=str)
async def test_a_cancelled_call_cancels_no_equal_one(stub: OpenAIStub, shared: Inference, cancelled: list[int]):
    stub.on("Hello", text="Hi", delay=0.5)
    calls = await equal_calls(shared, stub)
    for rank in cancelled:
        calls[rank].cancel()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [rank for rank, each in enumerate(ended) if isinstance(each, asyncio.CancelledError)] == cancelled
    assert {getattr(each, "text", each) for rank, each in enumerate(ended) if rank not in cancelled} <= {"Hi"}
    assert len(stub.requests) == (2 if 0 in cancelled and len(cancelled) < 5 else 1)


async def test_a_failure_is_not_kept(stub: OpenAIStub, inference: Inference, tmp_path: Path):
    stub.on("Hello", Reply(status=503), Reply(text="Hi"))
    with pytest.raises(PipelexError):
        await attempt(inference, text_job("Hello"))
    assert entries(tmp_path) == []
    assert (await attempt(inference, text_job("Hello"))).text == "Hi"


@pytest.mark.parametrize(
    "written", [b"", b"\xff\xfe", b"{", b"[]", b'{"job": 1}', b'{"job": "JOB", "result": {"x": 1}}']
)
async def test_an_entry_that_cannot_be_read_counts_as_missing(
    stub: OpenAIStub, inference: Inference, tmp_path: Path, caplog: pytest.LogCaptureFixture, written: bytes
):
    stub.on("Hello", text="Hi")
    await attempt(inference, text_job("Hello"))
    (entry,) = entries(tmp_path)
    good = entry.read_bytes()
    entry.write_bytes(written.replace(b"JOB", json.loads(good)["job"].encode()))
    with caplog.at_level(logging.INFO, "pipelex.inference"):
        assert (await attempt(inference, text_job("Hello"))).text == "Hi"
    assert "and is not used" in caplog.text
    assert len(stub.requests) == 2
    assert entry.read_bytes() == good


async def test_a_store_that_fails_costs_no_answer(
    stub: OpenAIStub, inference: Inference, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    stub.on("Hello", text="Hi")
    (tmp_path / ".pipelex").write_text("a file where the folder should be", encoding="utf-8")
    assert (await attempt(inference, text_job("Hello"))).text == "Hi"
    assert "cannot be read" in caplog.text
    assert "is not kept" in caplog.text


async def test_no_uri_leads_to_what_is_kept(inference: Inference, stub: OpenAIStub, store: Storage, tmp_path: Path):
    stub.on("Hello", text="Hi")
    await attempt(inference, text_job("Hello"))
    (entry,) = entries(tmp_path)
    name = entry.relative_to(tmp_path / ".pipelex" / "storage").as_posix()
    with pytest.raises(PipelexError, match="names no stored file"):
        await store.get(f"pipelex-storage://{name}")
    with pytest.raises(ValueError, match="cannot name"):
        await store.keep("../x", b"")
    with pytest.raises(ValueError, match="cannot name"):
        await store.keep("a" * 64, b"")
