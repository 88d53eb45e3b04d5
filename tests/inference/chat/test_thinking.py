"""Reasoning settings, and what else differs between makers' protocols."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference import ChatOptions, Inference, InferenceOptions
from tests.inference.chat.test_providers import AWS, KEY, Spoken, at, write_provider
from tests.support.jobs import LUCY, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply

ANTHROPIC, GOOGLE, MISTRAL = Spoken("anthropic"), Spoken("google"), Spoken("mistral")
CHAT = Spoken("openai", "/v1")
RESPONSES, BEDROCK = Spoken("openai_responses", "/v1"), Spoken("bedrock", "", AWS)


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub(api_key=KEY) as server:
        yield server


def service_of(
    spoken: Spoken, stub: OpenAIStub, folder: Path, entry: str = "", options: InferenceOptions | None = None
) -> Inference:
    models = f'[stub]\nsdk = "{spoken.sdk}"\ninputs = ["text", "images"]\n{entry}\n'
    return Inference.load([write_provider(folder / "inference", spoken, stub.root, models=models)], {}, options)


MANUAL = 'thinking_mode = "manual"\nmax_tokens = 20000'
CLAUDE_ON_BEDROCK = 'model_id = "anthropic.claude-3-7-sonnet-20250219-v1:0"\nthinking_mode = "manual"'
KNOWN_ON_BEDROCK = 'model_id = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"\nthinking_mode = "manual"'
ADAPTIVE = 'thinking_mode = "adaptive"\nmax_tokens = 20000'


@pytest.mark.matrix(fast=6)
@pytest.mark.parametrize(
    ("spoken", "entry", "settings", "expected"),
    [
        (ANTHROPIC, MANUAL, {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (ANTHROPIC, MANUAL, {"reasoning_effort": "medium"}, {"thinking": {"type": "enabled", "budget_tokens": 5000}}),
        (ANTHROPIC, MANUAL, {"reasoning_budget": 3000}, {"thinking": {"type": "enabled", "budget_tokens": 3000}}),
        (ANTHROPIC, MANUAL, {"reasoning_effort": "max"}, {"thinking": {"type": "enabled", "budget_tokens": 18976}}),
        (ANTHROPIC, MANUAL, {"reasoning_effort": "low", "max_tokens": 500}, {"thinking": None, "max_tokens": 500}),
        (ANTHROPIC, MANUAL, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (ANTHROPIC, MANUAL, {"temperature": 0.5}, {"temperature": 0.5, "max_tokens": 20000, "thinking": None}),
        (ANTHROPIC, MANUAL, {"temperature": 0.5, "reasoning_effort": "low"}, {"temperature": None}),
        (
            ANTHROPIC,
            ADAPTIVE,
            {"reasoning_effort": "minimal"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        (ANTHROPIC, "", {"reasoning_effort": "high"}, {"thinking": None}),
        (GOOGLE, MANUAL, {"reasoning_effort": "medium"}, {"thinkingConfig": {"thinking_budget": 5000}}),
        (GOOGLE, MANUAL, {"reasoning_effort": "none"}, {"thinkingConfig": {"thinking_budget": 0}}),
        (GOOGLE, MANUAL, {"reasoning_effort": "max"}, {"thinkingConfig": {"thinking_budget": 18976}}),
        (GOOGLE, MANUAL, {"reasoning_budget": 9000, "max_tokens": 1000}, {"thinkingConfig": {"thinking_budget": 750}}),
        (
            ANTHROPIC,
            MANUAL,
            {"reasoning_budget": 9000, "max_tokens": 4000},
            {"thinking": {"type": "enabled", "budget_tokens": 3000}},
        ),
        (
            ANTHROPIC,
            MANUAL,
            {"reasoning_budget": 9000, "max_tokens": 1200},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        ),
        (
            BEDROCK,
            CLAUDE_ON_BEDROCK,
            {"reasoning_budget": 9000, "max_tokens": 4000},
            {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 3000}}},
        ),
        (
            BEDROCK,
            CLAUDE_ON_BEDROCK,
            {"reasoning_budget": 9000, "max_tokens": 1300},
            {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}},
        ),
        (
            BEDROCK,
            CLAUDE_ON_BEDROCK,
            {"reasoning_effort": "high", "max_tokens": 1000},
            {"additionalModelRequestFields": None, "inferenceConfig": {"maxTokens": 1000}},
        ),
        (
            BEDROCK,
            KNOWN_ON_BEDROCK,
            {"reasoning_effort": "max"},
            {
                "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 59904}},
                "inferenceConfig": {"maxTokens": 64000},
            },
        ),
        (
            ANTHROPIC,
            'thinking_mode = "manual"',
            {"reasoning_effort": "max"},
            {"thinking": {"type": "enabled", "budget_tokens": 59904}, "max_tokens": 64000},
        ),
        (GOOGLE, ADAPTIVE, {"reasoning_effort": "xhigh"}, {"thinkingConfig": {"thinking_level": "HIGH"}}),
        (GOOGLE, "", {"reasoning_effort": "high"}, {"thinkingConfig": None}),
        (MISTRAL, ADAPTIVE, {"reasoning_effort": "medium"}, {"reasoning_effort": "high"}),
        (RESPONSES, ADAPTIVE, {"reasoning_effort": "medium"}, {"reasoning": {"effort": "medium"}}),
    ],
)
async def test_what_each_maker_is_told_about_thinking(
    stub: OpenAIStub, tmp_path: Path, spoken: Spoken, entry: str, settings: dict[str, Any], expected: dict[str, Any]
):
    stub.on(text="ok")
    service = service_of(spoken, stub, tmp_path, _named(spoken, entry))

    await service.chat.generate_text(at(text_job("?", **settings)))
    await service.aclose()

    body: dict[str, Any] = stub.completions[0].body
    sent = {**body, **body.get("generationConfig", {})}
    assert {key: sent.get(key) for key in expected} == expected


def _named(spoken: Spoken, entry: str) -> str:
    return entry if "model_id" in entry else f'model_id = "{_known(spoken, entry)}"\n{entry}'


def _known(spoken: Spoken, entry: str) -> str:
    """A name for which the client library allows the kind of thinking the entry declares."""
    if spoken is ANTHROPIC:
        return "claude-sonnet-4-6" if "adaptive" in entry else "claude-haiku-4-5"
    return "stub"


async def test_what_an_effort_costs_can_be_set_for_each_provider(stub: OpenAIStub, tmp_path: Path):
    stub.on(text="ok")
    options = InferenceOptions(chat=ChatOptions(effort_budgets={"anthropic": {"low": 4321}}))
    service = service_of(ANTHROPIC, stub, tmp_path, MANUAL, options)

    await service.chat.generate_text(at(text_job("?", reasoning_effort="low")))
    await service.aclose()

    assert stub.completions[0].body["thinking"]["budget_tokens"] == 4321


async def test_an_object_from_a_model_that_thinks_is_not_forced(stub: OpenAIStub, tmp_path: Path):
    stub.on("boat", Reply(text="Lucy, I think"), Reply(object=LUCY))
    service = service_of(ANTHROPIC, stub, tmp_path, MANUAL)
    job = object_job("Which boat?")
    job = job.model_copy(update={"model": job.model.model_copy(update={"settings": {"reasoning_effort": "medium"}})})

    result = await service.chat.generate_object(at(job))
    await service.aclose()

    assert (result.content, result.usage.calls) == (LUCY, 2)
    assert {request.body["tool_choice"]["type"] for request in stub.completions} == {"auto"}


async def test_a_long_answer_is_streamed_by_the_client_and_read_all_the_same(stub: OpenAIStub, tmp_path: Path):
    stub.on("text", text="A long story.", input_tokens=50, output_tokens=9)
    stub.on("boat", object=LUCY)
    service = service_of(ANTHROPIC, stub, tmp_path, 'model_id = "claude-haiku-4-5"')

    text = await service.chat.generate_text(at(text_job("text")))
    boat = await service.chat.generate_object(at(object_job("boat")))
    await service.aclose()

    assert [request.body.get("stream") for request in stub.completions] == [True, True]
    assert (text.text, text.usage.input_tokens, text.usage.output_tokens) == ("A long story.", 50, 9)
    assert boat.content == LUCY


STREAMED_BREAKS = [
    (Reply(text="x" * 5000, fault="truncated"), "unreadable"),
    (Reply(fault="empty"), "unreadable"),
    (Reply(text="x" * 5000), "too_large"),
]


@pytest.mark.parametrize(("reply", "defect"), STREAMED_BREAKS)
async def test_a_streamed_answer_of_bedrock_is_whole_and_bounded(
    stub: OpenAIStub, tmp_path: Path, reply: Reply, defect: str
):
    stub.on("story", reply)
    service = service_of(BEDROCK, stub, tmp_path, KNOWN_ON_BEDROCK)
    if defect == "too_large":
        service = Inference(replace(service.deck, max_answer_bytes=2000))

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(at(text_job("story")))
    await service.aclose()

    assert (caught.value.code, caught.value.report.params["defect"]) == ("provider.response_invalid", defect)
    assert [request.path.rpartition("/")[2] for request in stub.completions] == ["converse-stream"]


async def test_a_streamed_answer_of_bedrock(stub: OpenAIStub, tmp_path: Path):
    stub.on("story", text="A long story.", input_tokens=50, cached_tokens=20, output_tokens=9)
    stub.on("boat", object=LUCY)
    service = service_of(BEDROCK, stub, tmp_path, KNOWN_ON_BEDROCK)

    text = await service.chat.generate_text(at(text_job("story")))
    boat = await service.chat.generate_object(at(object_job("boat")))
    await service.aclose()

    assert (text.text, text.usage.input_tokens, text.usage.cached_tokens) == ("A long story.", 50, 20)
    assert boat.content == LUCY


@pytest.mark.parametrize("spoken", [GOOGLE, RESPONSES], ids=str)
async def test_thinking_is_paid_as_output(stub: OpenAIStub, tmp_path: Path, spoken: Spoken):
    stub.on(text="ok", output_tokens=100, reasoning_tokens=70)
    service = service_of(spoken, stub, tmp_path)

    result = await service.chat.generate_text(at(text_job("?")))
    await service.aclose()

    assert result.usage.output_tokens == 100


@pytest.mark.parametrize("spoken", [ANTHROPIC, GOOGLE, RESPONSES], ids=str)
async def test_a_refusal(stub: OpenAIStub, tmp_path: Path, spoken: Spoken):
    stub.on("bomb", refusal="No.")
    service = service_of(spoken, stub, tmp_path)

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(at(text_job("bomb")))
    await service.aclose()

    assert caught.value.code == "model.content_refused"
    assert len(stub.completions) == 1


GOOGLE_LIMIT = {
    "error": {
        "code": 429,
        "message": "Resource has been exhausted",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}],
    }
}
GOOGLE_MINUTE = {
    "error": {
        **GOOGLE_LIMIT["error"],
        "message": "You exceeded your current quota, please check your plan and billing details.",
    }
}
GOOGLE_BILL = {"error": {**GOOGLE_MINUTE["error"], "details": []}}
OPENAI_BILL = {"error": {"message": "You exceeded your quota", "type": "x", "code": "insufficient_quota"}}
RESPONSES_FAILED: dict[str, Any] = {
    "id": "r", "object": "response", "created_at": 1, "status": "failed", "model": "m", "output": [], "tools": [],
    "error": {"code": "server_error", "message": "It failed"}, "parallel_tool_calls": True, "tool_choice": "auto",
}  # fmt: skip
CHAT_WITHOUT_CHOICES: dict[str, Any] = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [],
}
GOOGLE_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
    }
}
ANTHROPIC_MONEY = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."},
}


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(
    ("spoken", "reply", "code", "retry_after"),
    [
        (GOOGLE, Reply(status=429, body=GOOGLE_LIMIT), "provider.rate_limited", 7.0),
        (GOOGLE, Reply(status=400, body=GOOGLE_KEY), "provider.credential_refused", None),
        (ANTHROPIC, Reply(status=400, body=ANTHROPIC_MONEY), "provider.quota_exhausted", None),
        (GOOGLE, Reply(status=429, body=GOOGLE_MINUTE), "provider.rate_limited", 7.0),
        (GOOGLE, Reply(status=429, body=GOOGLE_BILL), "provider.quota_exhausted", None),
        (CHAT, Reply(status=429, body=OPENAI_BILL, headers={"retry-after": "7"}), "provider.quota_exhausted", None),
        (CHAT, Reply(body=CHAT_WITHOUT_CHOICES), "provider.response_invalid", None),
        (RESPONSES, Reply(body=RESPONSES_FAILED), "provider.failed", None),
        (ANTHROPIC, Reply(body=[]), "provider.response_invalid", None),
        (ANTHROPIC, Reply(status=529), "provider.unavailable", None),
        (
            BEDROCK,
            Reply(status=429, headers={"x-amzn-errortype": "ThrottlingException"}),
            "provider.rate_limited",
            None,
        ),
        (
            BEDROCK,
            Reply(status=400, headers={"x-amzn-errortype": "ServiceQuotaExceededException"}),
            "provider.quota_exhausted",
            None,
        ),
    ],
)
async def test_what_only_one_maker_says(
    stub: OpenAIStub, tmp_path: Path, spoken: Spoken, reply: Reply, code: str, retry_after: float | None
):
    stub.on("anything", reply)
    service = service_of(spoken, stub, tmp_path)

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(at(text_job("anything")))
    await service.aclose()

    assert (caught.value.code, caught.value.report.retry_after) == (code, retry_after)
    assert len(stub.completions) == 1
