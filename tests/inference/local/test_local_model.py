import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from pipelex.content.stuff import Json
from pipelex.errors import PipelexError
from pipelex.inference import Inference
from pipelex.inference.chat.structured.check import SchemaCheck
from pipelex.inference.local.server import LocalModel, LocalServer
from pipelex.inference.local.weights import default_cache, ensure_weights
from pipelex.pipes.effects.jobs import LLMObjectJob, LLMObjectListJob, LLMTextJob
from pipelex.pipes.effects.requests import LLMPrompt, ObjectSpec
from pipelex.pipes.models import ModelChoice, ResolvedModel

pytestmark = pytest.mark.local_model

BOAT: dict[str, Json] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "built": {"type": "string", "format": "date"},
        "crew": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                "required": ["name", "age"],
                "additionalProperties": False,
            },
        },
        "papers": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["name", "built", "crew", "papers"],
    "additionalProperties": False,
}
SPEC = ObjectSpec(concept="harbour.Boat", json_schema=BOAT)


@pytest_asyncio.fixture
async def inference() -> AsyncIterator[Inference]:
    service = Inference.load([], {})
    yield service
    await service.aclose()


@pytest.fixture
def model(inference: Inference) -> ResolvedModel:
    return inference.resolve(ModelChoice(family="llm"))


async def test_a_text(inference: Inference, model: ResolvedModel):
    job = LLMTextJob(model=model, prompt=LLMPrompt(user="What is the capital of France? Answer in one sentence."))
    first = await inference.chat.generate_text(job)
    second = await inference.chat.generate_text(job)
    assert "Paris" in first.text
    assert first.text == second.text
    assert first.usage.output_tokens > 0
    assert first.usage.cost_usd == 0


async def test_a_long_text_ends_with_a_sentence(inference: Inference, model: ResolvedModel):
    job = LLMTextJob(model=model, prompt=LLMPrompt(user="Write a very long story about a dragon and a whale."))
    result = await inference.chat.generate_text(job)
    assert result.usage.output_tokens == 256
    assert result.text[-1] in '.!?"'


async def test_a_limit_of_the_method_is_kept(inference: Inference):
    limited = inference.resolve(
        ModelChoice(family="llm", choice={"model": "smollm2-135m", "temperature": 0, "max_tokens": 10})
    )
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(LLMTextJob(model=limited, prompt=LLMPrompt(user="Write a long story.")))
    assert caught.value.code == "model.output_truncated"


async def test_an_object_with_a_list_and_a_map(inference: Inference, model: ResolvedModel):
    prompt = LLMPrompt(user="The boat Lucy was built on 2 May 2020. Ann (41) and Bob (36) sail it.")
    result = await inference.chat.generate_object(LLMObjectJob(model=model, prompt=prompt, spec=SPEC))
    assert SchemaCheck(BOAT).faults(result.content) == []
    assert result.usage.calls == 1


@pytest.mark.parametrize("count", [None, 2])
async def test_lists(inference: Inference, model: ResolvedModel, count: int | None):
    job = LLMObjectListJob(model=model, prompt=LLMPrompt(user="Invent some boats."), spec=SPEC, count=count)
    result = await inference.chat.generate_object_list(job)
    assert all(SchemaCheck(BOAT).faults(item) == [] for item in result.items)
    assert count is None or len(result.items) == count


async def test_several_at_once(inference: Inference, model: ResolvedModel):
    jobs = [LLMTextJob(model=model, prompt=LLMPrompt(user=f"Say hello to guest {number}.")) for number in range(5)]
    results = await asyncio.gather(*[inference.chat.generate_text(job) for job in jobs])
    assert all(result.text for result in results)


async def test_a_prompt_that_is_too_long(inference: Inference, model: ResolvedModel):
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(LLMTextJob(model=model, prompt=LLMPrompt(user="word " * 9000)))
    assert caught.value.code == "model.context_exceeded"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    found = LocalServer(LocalModel(ensure_weights(default_cache()), "m", 512, 1, 1))
    yield found
    found.stop()


def test_only_this_process_may_ask(server: LocalServer):
    endpoint = server.ensure()
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
    assert httpx.post(f"{endpoint.url}/chat/completions", json=body).status_code == 401
    headers = {"authorization": f"Bearer {endpoint.api_key}"}
    assert httpx.post(f"{endpoint.url}/chat/completions", json=body, headers=headers, timeout=60).status_code == 200
    assert server.pid is not None
    process = psutil.Process(server.pid)
    assert endpoint.api_key not in " ".join([*process.cmdline(), *process.environ().values()])


def test_a_server_that_died_is_started_again(server: LocalServer):
    server.ensure()
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)], timeout=5)
    server.ensure()
    assert server.pid != first


def test_a_model_file_that_is_none(tmp_path: Path):
    (tmp_path / "no.gguf").write_bytes(b"this is not a model")
    broken = LocalServer(LocalModel(tmp_path / "no.gguf", "m", 512, 1, 1))
    with pytest.raises(PipelexError) as caught:
        broken.ensure()
    assert caught.value.report.params["reason"] == "start_failed"
    assert broken.pid is None


PARENT = """
import pathlib, sys, time
from pipelex.inference.local.server import LocalModel, LocalServer
server = LocalServer(LocalModel(pathlib.Path(sys.argv[1]), "m", 512, 1, 1))
server.ensure()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_does_not_outlive_its_parent(sent: signal.Signals):
    command = [sys.executable, "-c", PARENT, str(ensure_weights(default_cache()))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(sent)
        parent.wait(timeout=10)
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
