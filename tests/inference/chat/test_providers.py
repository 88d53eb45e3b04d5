"""Every client against a server that speaks its protocol: what is sent, what is read, and what each failure becomes."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import Inference, InferenceOptions, RetryPolicy, with_retries
from pipelex.pipes.effects.requests import LLMPrompt
from tests.support.dialects import mistral_error
from tests.support.inference_files import write
from tests.support.jobs import LUCY, list_job, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply

KEY = "test-key-0123456789"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Spoken:
    """A way to reach models, and what a file says to go that way."""

    sdk: str
    path: str = ""
    """What a file writes behind the address of the server."""
    extra: str = ""
    """More keys of the backend."""
    takes_documents: bool = True

    def __str__(self) -> str:
        return self.sdk


AZURE = 'api_version = "2024-10-21"\n'
AWS = 'aws_region = "eu-west-1"\n'

SPOKEN = [
    Spoken("openai", "/v1"),
    Spoken("openai_responses", "/v1"),
    Spoken("azure_openai", "", AZURE, takes_documents=False),
    Spoken("azure_openai_responses", "/openai/v1"),
    Spoken("openrouter", "/api/v1"),
    Spoken("xai", "/v1"),
    Spoken("ollama", "/v1"),
    Spoken("anthropic", "/v1"),
    Spoken("google", "/v1beta/openai"),
    Spoken("mistral", "/v1"),
    Spoken("groq", "/openai/v1", takes_documents=False),
    Spoken("huggingface", "/v1", takes_documents=False),
    Spoken("bedrock", "", AWS),
    Spoken("bedrock_anthropic", "", AWS),
]
every_way = pytest.mark.parametrize("spoken", SPOKEN, ids=str)

_COMPATIBLE = ("openai", "azure_openai_responses", "openrouter", "xai", "ollama")
each_client = pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk not in _COMPATIBLE], ids=str)
"""One way for each client and protocol, where ways that share both cannot differ."""

MODELS = """
[defaults]
sdk     = "{sdk}"
inputs  = ["text", "images", "pdf"]
outputs = ["text", "structured"]

[stub]
structure_method = "instructor/{sdk}_tools"
costs = {{ input = 2.0, input_cached = 0.5, output = 8.0 }}

[stub-native]
structure_method = "instructor/{sdk}_structured_outputs"

[stub-json]
structure_method = "instructor/json"

[stub-capped]
max_tokens = 2000
thinking_mode = "manual"
x-team = "blue"
"""


@pytest.fixture
def spoken(request: pytest.FixtureRequest) -> Spoken:
    return request.param


@pytest.fixture
def stub(spoken: Spoken) -> Iterator[OpenAIStub]:
    with OpenAIStub(api_key=KEY, error=mistral_error if spoken.sdk == "mistral" else None) as server:
        yield server


def write_provider(directory: Path, spoken: Spoken, url: str, key: str = KEY, models: str = MODELS) -> Path:
    return write(
        directory,
        backends=f'[maker]\nendpoint = "{url}{spoken.path}"\napi_key = "{key}"\n{spoken.extra}',
        backends__maker=models.replace("{sdk}", spoken.sdk).replace("{{", "{").replace("}}", "}"),
        routing_profiles='active = "p"\n[profiles.p]\ndescription = "d"\ndefault = "maker"\n',
    )


@pytest_asyncio.fixture
async def inference(spoken: Spoken, stub: OpenAIStub, tmp_path: Path) -> AsyncIterator[Inference]:
    directory = write_provider(tmp_path / "inference", spoken, stub.root)
    service = Inference.load([directory], {}, InferenceOptions(call_timeout=20.0))
    yield service
    await service.aclose()


def at(job: Any, handle: str | None = None) -> Any:
    model = job.model.model_copy(update={"backend": "maker", "handle": handle or job.model.handle})
    return job.model_copy(update={"model": model})


@every_way
async def test_a_text_with_its_usage_and_price(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on("weather", text="Sunny.", input_tokens=1000, cached_tokens=400, output_tokens=100, reasoning_tokens=30)
    prompt = LLMPrompt(user="How is the weather?", system="Be brief")

    result = await inference.chat.generate_text(at(text_job("", prompt=prompt, temperature=0.5)))

    assert result.text == "Sunny."
    usage = result.usage
    cached = 0 if spoken.sdk == "huggingface" else 400  # its client leaves them out
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (1000, cached, 100)
    assert usage.cost_usd == pytest.approx(((1000 - cached) * 2.0 + cached * 0.5 + 100 * 8.0) / 1e6)
    (request,) = stub.completions
    assert "Be brief" in request.prompt
    assert "How is the weather?" in request.prompt
    assert "0.5" in json.dumps(request.body)


@pytest.mark.matrix(fast=6)
@each_client
@pytest.mark.parametrize("handle", ["stub", "stub-native", "stub-json"])
async def test_an_object_by_every_method(spoken: Spoken, stub: OpenAIStub, inference: Inference, handle: str):
    stub.on("boat", object=LUCY)

    result = await inference.chat.generate_object(at(object_job("Which boat?"), handle))

    assert result.content == LUCY
    (request,) = stub.completions
    assert '"length"' in json.dumps(request.body) or '\\"length\\"' in json.dumps(request.body)


@pytest.mark.matrix(fast=5)
@each_client
@pytest.mark.parametrize("handle", ["stub", "stub-native"])
async def test_a_wrong_object_is_asked_for_again(spoken: Spoken, stub: OpenAIStub, inference: Inference, handle: str):
    stub.on("boat", Reply(object={"name": "Lucy"}), Reply(object=LUCY))

    result = await inference.chat.generate_object(at(object_job("Which boat?"), handle))

    assert (result.content, result.usage.calls) == (LUCY, 2)
    assert "'length' is a required property" in stub.completions[1].prompt


@pytest.mark.matrix(fast=3)
@every_way
async def test_a_list_of_an_exact_length(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on("boats", Reply(object={"items": [LUCY]}), Reply(object={"items": [LUCY, LUCY]}))

    result = await inference.chat.generate_object_list(at(list_job("Two boats", 2)))

    assert result.items == (LUCY, LUCY)


@each_client
async def test_an_image_in_the_prompt(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on("boat", text="A boat.")
    encoded = base64.b64encode(PNG).decode()
    prompt = LLMPrompt(user="Which boat is [Image 1]?", images=({"url": f"data:image/png;base64,{encoded}"},))

    result = await inference.chat.generate_text(at(text_job("", prompt=prompt)))

    assert result.text == "A boat."
    sent = json.dumps(stub.completions[0].body)
    assert encoded in sent.replace("-", "+").replace("_", "/")  # Google's base64 is the one for URLs
    assert "png" in sent


@each_client
async def test_a_document_in_the_prompt(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on("read", text="A page.")
    prompt = LLMPrompt(user="read [Document 1]", documents=({"url": "data:application/pdf;base64,JVBERi0="},))

    if spoken.takes_documents:
        await inference.chat.generate_text(at(text_job("", prompt=prompt)))
        assert "JVBERi0=" in json.dumps(stub.completions[0].body)
    else:
        with pytest.raises(PipelexError) as caught:
            await inference.chat.generate_text(at(text_job("", prompt=prompt)))
        assert caught.value.report.category is ErrorCategory.CONFIGURATION
        assert stub.requests == []


LONG = {
    "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "google": "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
    "bedrock": "Input is too long for requested model.",
    "bedrock_anthropic": "Input is too long for requested model.",
    "mistral": "Prompt contains 300000 tokens, too large for model with 131072 maximum context length",
}

FAILURES = [
    (Reply(status=403), "provider.credential_refused", ErrorCategory.CONFIGURATION),
    (Reply(status=404), "model.unavailable", ErrorCategory.CONFIGURATION),
    (Reply(status=400), "provider.failed", ErrorCategory.CONTENT),
    (Reply(status=500), "provider.failed", ErrorCategory.TRANSIENT),
    (Reply(status=503), "provider.unavailable", ErrorCategory.TRANSIENT),
    (Reply(text="half a", finish_reason="length"), "model.output_truncated", ErrorCategory.CONTENT),
    (Reply(text="", finish_reason="content_filter"), "model.content_refused", ErrorCategory.CONTENT),
    (Reply(text=""), "provider.response_invalid", ErrorCategory.TRANSIENT),
    (Reply(fault="garbage"), "provider.response_invalid", ErrorCategory.TRANSIENT),
    (Reply(fault="empty"), "provider.response_invalid", ErrorCategory.TRANSIENT),
    (Reply(text="x" * 5000, fault="truncated"), "provider.unavailable", ErrorCategory.TRANSIENT),
    (Reply(fault="closed"), "provider.unavailable", ErrorCategory.TRANSIENT),
]


@pytest.mark.matrix(each=2, fast=22)
@each_client
@pytest.mark.parametrize(("reply", "code", "category"), FAILURES)
async def test_each_failure_is_one_request_and_one_kind(
    spoken: Spoken, stub: OpenAIStub, inference: Inference, reply: Reply, code: str, category: ErrorCategory
):
    if spoken.sdk in ("mistral", "huggingface") and reply.finish_reason == "content_filter":
        pytest.skip("its client knows no such end of an answer")
    if spoken.sdk == "bedrock" and reply.fault == "truncated":
        code = "provider.response_invalid"  # the AWS client hands on what it got
    stub.on("anything", reply)

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(at(text_job("anything"), "stub-capped"))

    report = caught.value.report
    assert (report.code, report.category) == (code, category), report.detail
    assert (report.provider, report.model) == ("maker", "stub-capped")
    assert len(stub.completions) == 1


@pytest.mark.slow
@each_client
async def test_a_slow_answer(spoken: Spoken, stub: OpenAIStub, tmp_path: Path):
    stub.on("slow", text="late", delay=1.5)
    directory = write_provider(tmp_path / "i", spoken, stub.root)
    service = Inference.load([directory], {}, InferenceOptions(call_timeout=0.8))

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(at(text_job("slow")))
    await service.aclose()

    assert (caught.value.code, caught.value.report.is_retryable) == ("provider.timeout", True), caught.value.report
    assert len(stub.completions) == 1


@every_way
async def test_a_prompt_that_is_too_long(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    message = LONG.get(spoken.sdk, "This model's maximum context length is 8192 tokens.")
    stub.on("anything", status=400, body=_error(spoken, 400, message), headers=_aws(spoken, 400))

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(at(text_job("anything")))

    assert caught.value.code == "model.context_exceeded", caught.value.report
    assert len(stub.completions) == 1


@every_way
async def test_a_wrong_key_costs_one_request_and_is_never_shown(
    spoken: Spoken, stub: OpenAIStub, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    wrong = "wrong-key-abcdefgh-987654"
    directory = write_provider(tmp_path / "i", spoken, stub.root, "${MAKER_KEY}")
    service = Inference.load([directory], {"MAKER_KEY": wrong})

    with caplog.at_level("DEBUG"), pytest.raises(PipelexError) as caught:
        await with_retries(lambda: service.chat.generate_text(at(text_job("?"))), RetryPolicy(max_attempts=4))
    await service.aclose()

    error = caught.value
    assert error.code == "provider.credential_refused", error.report
    assert error.report.status == 401
    assert "MAKER_KEY" in (error.report.advice or "")
    assert (stub.refused, stub.requests) == (1, [])
    shown = f"{error!r} {error.report.to_json()} {error.__cause__!r} {error.__context__!r}"
    assert "987654" not in shown
    assert "987654" not in "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.matrix(fast=9)
@every_way
async def test_a_rate_limit_costs_as_many_requests_as_attempts(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on("anything", status=429, headers={"retry-after": "0.3", **_aws(spoken, 429)})

    with pytest.raises(PipelexError) as caught:
        await with_retries(
            lambda: inference.chat.generate_text(at(text_job("anything"))),
            RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=0),
        )

    report = caught.value.report
    assert (report.code, report.attempts, report.status) == ("provider.rate_limited", 3, 429)
    assert report.retry_after == pytest.approx(0.3)
    assert report.request_id == "req_stub"
    times = [request.at for request in stub.completions]
    assert len(times) == 3
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(times))


@pytest.mark.matrix(fast=3)
@every_way
async def test_headers_of_a_model(spoken: Spoken, stub: OpenAIStub, inference: Inference):
    stub.on(text="ok")

    await inference.chat.generate_text(at(text_job("?"), "stub-capped"))

    headers = {name.lower(): value for name, value in stub.completions[0].headers.items()}
    assert headers["x-team"] == "blue"


def _aws(spoken: Spoken, status: int) -> dict[str, str]:
    """Amazon says what went wrong in a header."""
    names = {400: "ValidationException", 429: "ThrottlingException"}
    return {"x-amzn-errortype": names[status]} if spoken.sdk.startswith("bedrock") else {}


def _error(spoken: Spoken, status: int, message: str) -> Any:
    if spoken.sdk.startswith("bedrock"):
        return {"message": message}
    if spoken.sdk == "anthropic":
        return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    if spoken.sdk == "google":
        return {"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}
    if spoken.sdk == "mistral":
        return {"object": "error", "message": message, "type": "invalid_request_error", "code": "3051"}
    return {"error": {"message": message, "type": "invalid_request_error", "code": "context_length_exceeded"}}
