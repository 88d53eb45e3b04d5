"""The key of a request: the same in every attempt of a logical call, and in no other request."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference import Inference, InferenceOptions, ModelDeck, performers
from pipelex.inference.calls.logical import logical_call
from tests.support.inference_files import write, write_stub_inference
from tests.support.jobs import LUCY, object_job, text_job
from tests.support.openai_server import OpenAIStub, Recorded, Reply

KEY = "test-key-0123456789"


@pytest.fixture
async def inference(inference_dir: Path) -> AsyncIterator[Inference]:
    service = Inference(ModelDeck.load([inference_dir], {}), InferenceOptions(call_timeout=5.0))
    yield service
    await service.aclose()


async def attempt(inference: Inference, call: str, job: Any, activity: str = "act_llm_gen_text") -> Any:
    with logical_call(call):
        return await performers(inference)[activity](job)


def key(request: Recorded, header: str = "idempotency-key") -> str | None:
    return {name.lower(): value for name, value in request.headers.items()}.get(header)


async def test_every_attempt_of_a_call_has_its_key_and_no_other_call_has(stub: OpenAIStub, inference: Inference):
    stub.on("Hello", Reply(status=503), Reply(text="Hi"))
    with pytest.raises(PipelexError):
        await attempt(inference, "run/1", text_job("Hello"))
    await attempt(inference, "run/1", text_job("Hello"))
    await attempt(inference, "run/2", text_job("Hello"))
    await attempt(inference, "run/1", text_job("Hello, you"))
    first, again, other_call, other_job = (key(request) for request in stub.requests)
    assert first == again
    assert len({first, other_call, other_job}) == 3
    assert uuid.UUID(str(first)).version == 5


async def test_a_repeated_question_about_a_structure_has_a_key_of_its_own(stub: OpenAIStub, inference: Inference):
    wrong, other = Reply(object={"name": "Lucy"}), Reply(object={"length": 3})
    stub.on("boat", wrong, Reply(object=LUCY), wrong, Reply(object=LUCY), other, Reply(object=LUCY))
    for _ in range(3):
        await attempt(inference, "run/1", object_job("Which boat?"), "act_llm_gen_object")
    keys = [key(request) for request in stub.requests]
    assert keys[0] == keys[2] == keys[4]
    assert keys[1] == keys[3], "the same answer is followed by the same question"
    assert len({keys[0], keys[1], keys[5]}) == 3, "and another answer by another one"


async def test_nothing_is_sent_outside_of_a_run(stub: OpenAIStub, inference: Inference):
    stub.on("Hello", text="Hi")
    await inference.chat.generate_text(text_job("Hello"))
    assert key(stub.requests[0]) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sdk", "extra", "header"),
    [
        ("openai", "", "idempotency-key"),
        ("openai", 'idempotency_header = ""', None),
        ("openai_responses", "", "idempotency-key"),
        ("anthropic", "", None),
        ("anthropic", 'idempotency_header = "Idempotency-Key"', "idempotency-key"),
        ("google", 'idempotency_header = "x-request-key"', "x-request-key"),
        ("mistral", "", None),
    ],
)
async def test_who_is_sent_a_key(tmp_path: Path, sdk: str, extra: str, header: str | None):
    with OpenAIStub(api_key=KEY) as stub:
        stub.on("Hello", text="Hi")
        folder = write_stub_inference(tmp_path, stub.url, api_key=KEY)
        end = stub.url if sdk.startswith("openai") else stub.root
        write(folder, backends=f'[openai]\nendpoint = "{end}"\napi_key = "{KEY}"\n{extra}\n')
        write(folder, backends__openai=f'[stub]\nsdk = "{sdk}"\nmax_tokens = 100\n')
        inference = Inference(ModelDeck.load([folder], {}))
        await attempt(inference, "run/1", text_job("Hello"))
        await inference.aclose()
        (request,) = stub.requests
        sent = {name.lower() for name in request.headers}
        assert sent & {"idempotency-key", "x-request-key"} == ({header} if header else set())
