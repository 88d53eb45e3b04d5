import asyncio
import base64
import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import ChatOptions, Inference, InferenceOptions
from pipelex.pipes.effects.jobs import LLMTextJob
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ModelChoice
from tests.support.inference_files import write, write_stub_inference
from tests.support.jobs import LUCY, list_job, model, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import REPOSITORY

KEY = "test-key-0123456789"


async def test_a_text_with_its_usage_and_price(stub: OpenAIStub, inference: Inference):
    stub.on("weather", text="  Sunny.\n", input_tokens=1000, cached_tokens=400, output_tokens=100)

    result = await inference.chat.generate_text(text_job("How is the weather?"))

    assert result.text == "Sunny."
    assert result.usage.model_dump() == {
        "handle": "stub",
        "backend": "openai",
        "calls": 1,
        "input_tokens": 1000,
        "output_tokens": 100,
        "cached_tokens": 400,
        "cost_usd": pytest.approx((600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6),
    }


async def test_the_price_is_unknown_without_costs_for_a_model_nobody_knows(stub: OpenAIStub, inference: Inference):
    stub.on(text="yes")

    assert (await inference.chat.generate_text(text_job("?", "stub-json"))).usage.cost_usd is None


async def test_the_public_price_list_is_used_for_a_known_model(stub: OpenAIStub, tmp_path: Path):
    directory = write_stub_inference(tmp_path / "i", stub.url, api_key=KEY)
    write(directory, backends__openai='["gpt-4o"]\nsdk = "openai"\n')
    stub.on(text="yes", input_tokens=1_000_000, output_tokens=0)
    service = Inference.load([directory], {})

    result = await service.chat.generate_text(text_job("?", "gpt-4o"))

    assert result.usage.cost_usd == pytest.approx(2.5)
    await service.aclose()


async def test_what_a_request_holds(stub: OpenAIStub, inference: Inference):
    stub.on(text="yes")
    prompt = LLMPrompt(user="Hello", system="Be brief")

    await inference.chat.generate_text(text_job("", prompt=prompt, temperature=0.3, max_tokens=50))

    body = stub.completions[0].body
    assert body["messages"] == [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hello"}]
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == ("stub", 0.3, 50)
    assert not body.get("stream")


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(
    ("reply", "code", "category"),
    [
        (Reply(status=401), "provider.credential_refused", ErrorCategory.CONFIGURATION),
        (Reply(status=403), "provider.credential_refused", ErrorCategory.CONFIGURATION),
        (Reply(status=404), "model.unavailable", ErrorCategory.CONFIGURATION),
        (Reply(status=400), "provider.failed", ErrorCategory.CONTENT),
        (Reply(status=408), "provider.timeout", ErrorCategory.TRANSIENT),
        (Reply(status=409), "provider.failed", ErrorCategory.TRANSIENT),
        (Reply(status=429), "provider.rate_limited", ErrorCategory.TRANSIENT),
        (Reply(status=500), "provider.failed", ErrorCategory.TRANSIENT),
        (Reply(status=503), "provider.unavailable", ErrorCategory.TRANSIENT),
        (Reply(status=529), "provider.unavailable", ErrorCategory.TRANSIENT),
        (
            Reply(status=429, body={"error": {"code": "insufficient_quota", "message": "You ran out of quota"}}),
            "provider.quota_exhausted",
            ErrorCategory.CAPACITY,
        ),
        (
            Reply(status=400, body={"error": {"code": "context_length_exceeded", "message": "too long"}}),
            "model.context_exceeded",
            ErrorCategory.CONTENT,
        ),
        (
            Reply(status=400, body={"error": {"code": "content_filter", "message": "no"}}),
            "model.content_refused",
            ErrorCategory.CONTENT,
        ),
        (Reply(text="half a", finish_reason="length"), "model.output_truncated", ErrorCategory.CONTENT),
        (Reply(text="", finish_reason="content_filter"), "model.content_refused", ErrorCategory.CONTENT),
        (Reply(refusal="I cannot"), "model.content_refused", ErrorCategory.CONTENT),
        (Reply(text=""), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Reply(fault="garbage"), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Reply(fault="empty"), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Reply(body={"choices": []}), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Reply(text="x" * 5000, fault="truncated"), "provider.unavailable", ErrorCategory.TRANSIENT),
        (Reply(fault="closed"), "provider.unavailable", ErrorCategory.TRANSIENT),
        (Reply(text="late", delay=1.5), "provider.timeout", ErrorCategory.TRANSIENT),
    ],
)
async def test_each_failure_is_one_request_and_one_kind(
    stub: OpenAIStub, inference: Inference, reply: Reply, code: str, category: ErrorCategory
):
    stub.on("anything", reply)

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(text_job("anything"))

    report = caught.value.report
    assert (report.code, report.category) == (code, category)
    assert (report.provider, report.model) == ("openai", "stub")
    assert len(stub.completions) == 1


async def test_a_failure_carries_status_request_id_and_the_wait_asked_for(stub: OpenAIStub, inference: Inference):
    stub.on("seconds", status=429, headers={"retry-after": "7"})
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    stub.on("date", status=503, headers={"retry-after": moment})

    with pytest.raises(PipelexError) as seconds:
        await inference.chat.generate_text(text_job("seconds"))
    with pytest.raises(PipelexError) as date:
        await inference.chat.generate_text(text_job("date"))

    assert seconds.value.report.retry_after == 7.0
    assert seconds.value.report.status == 429
    assert seconds.value.report.request_id == "req_stub"
    assert date.value.report.retry_after == pytest.approx(60, abs=3)


async def test_no_server_at_all_is_transient(tmp_path: Path):
    directory = write_stub_inference(tmp_path / "i", "http://127.0.0.1:9/v1")
    service = Inference.load([directory], {})

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(text_job("?"))

    assert (caught.value.code, caught.value.report.is_retryable) == ("provider.unavailable", True)
    await service.aclose()


async def test_a_key_never_shows_in_an_error(tmp_path: Path):
    with OpenAIStub(api_key="the-right-one") as stub:
        directory = write_stub_inference(tmp_path / "i", stub.url, api_key="${STUB_KEY}")
        service = Inference.load([directory], {"STUB_KEY": "sk-wrong-0987654321"})

        with pytest.raises(PipelexError) as caught:
            await service.chat.generate_text(text_job("?"))
        await service.aclose()

    error = caught.value
    shown = f"{error!r} {error.report.to_json()} {error.__cause__!r} {error.__context__!r}"
    assert error.code == "provider.credential_refused"
    assert "0987654321" not in shown
    assert "STUB_KEY" in (error.report.advice or "")


async def test_a_missing_key_is_named_before_anything_is_sent(stub: OpenAIStub, tmp_path: Path):
    directory = write_stub_inference(tmp_path / "i", stub.url, api_key="${STUB_KEY}")
    service = Inference.load([directory], {})
    resolved = service.resolve(ModelChoice(family="llm"))

    with pytest.raises(PipelexError, match="STUB_KEY") as caught:
        await service.chat.generate_text(LLMTextJob(model=resolved, prompt=LLMPrompt(user="?")))

    assert caught.value.code == "model.unavailable"
    assert stub.requests == []


async def test_a_model_this_process_does_not_serve(inference: Inference):
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(text_job("?", "elsewhere"))
    assert caught.value.code == "model.unavailable"


async def test_an_sdk_without_a_client_is_named(stub: OpenAIStub, tmp_path: Path):
    directory = write_stub_inference(tmp_path / "i", stub.url)
    write(directory, backends__openai='[stub]\nsdk = "opanai"\n')
    service = Inference.load([directory], {})

    with pytest.raises(PipelexError, match="opanai") as caught:
        await service.chat.generate_text(text_job("?"))

    assert caught.value.code == "runtime.unsupported"
    assert "'openai'" in (caught.value.report.advice or "")


# --- objects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handle", ["stub", "stub-native", "stub-json", "stub-markdown"])
async def test_an_object_by_every_method(stub: OpenAIStub, inference: Inference, handle: str):
    stub.on("boat", object=LUCY)

    result = await inference.chat.generate_object(object_job("Which boat?", handle))

    assert result.content == LUCY
    assert result.usage.calls == 1
    body = stub.completions[0].body
    how = {
        "stub": [tool["function"]["parameters"]["required"] for tool in body.get("tools", [])] == [["name", "length"]],
        "stub-native": body.get("response_format", {}).get("type") == "json_schema",
        "stub-json": body.get("response_format") == {"type": "json_object"},
        "stub-markdown": "response_format" not in body,
    }
    assert how[handle]
    assert ('"length"' in stub.completions[0].prompt) == (handle in ("stub-json", "stub-markdown"))


async def test_json_in_a_markdown_fence(stub: OpenAIStub, inference: Inference):
    stub.on(text='Here it is:\n```json\n{"name": "Lucy", "length": 9.5}\n```')

    assert (await inference.chat.generate_object(object_job("?", "stub-markdown"))).content == LUCY


@pytest.mark.parametrize("handle", ["stub", "stub-native"])
async def test_a_wrong_object_is_asked_for_again_with_the_faults(stub: OpenAIStub, inference: Inference, handle: str):
    stub.on("boat", Reply(object={"name": "Lucy"}, input_tokens=10), Reply(object=LUCY, input_tokens=20))

    result = await inference.chat.generate_object(object_job("Which boat?", handle))

    assert result.content == LUCY
    assert (result.usage.calls, result.usage.input_tokens) == (2, 30)
    second = stub.completions[1]
    assert "'length' is a required property" in second.prompt
    assert [message["role"] for message in second.body["messages"]] == [
        "user", "assistant", "tool" if handle == "stub" else "user",
    ]  # fmt: skip


async def test_text_instead_of_json_is_asked_for_again(stub: OpenAIStub, inference: Inference):
    stub.on("boat", Reply(text="Lucy, of course"), Reply(object=LUCY))

    assert (await inference.chat.generate_object(object_job("Which boat?"))).usage.calls == 2


@pytest.mark.parametrize("extra", [0, 1, 3])
async def test_the_number_of_questions_is_bounded(stub: OpenAIStub, inference_dir: Path, extra: int):
    stub.on("boat", object={"name": 5, "length": "long", "built": "yesterday"})
    service = Inference.load([inference_dir], {}, InferenceOptions(chat=ChatOptions(schema_reask_max_attempts=extra)))

    with pytest.raises(PipelexError, match=r"harbour\.Boat") as caught:
        await service.chat.generate_object(object_job("Which boat?"))

    assert caught.value.code == "model.output_schema_mismatch"
    assert caught.value.report.category is ErrorCategory.CONTENT
    assert len(stub.completions) == extra + 1
    await service.aclose()


@pytest.mark.parametrize("built", ["2020-13-01", "1 May 2020", "20200501"])
async def test_formats_are_checked(stub: OpenAIStub, inference: Inference, built: str):
    stub.on("boat", Reply(object={**LUCY, "built": built}), Reply(object={**LUCY, "built": "2020-05-01"}))

    assert (await inference.chat.generate_object(object_job("boat"))).usage.calls == 2


async def test_null_for_an_optional_member_is_no_mistake(stub: OpenAIStub, inference: Inference):
    stub.on("boat", object={**LUCY, "note": None})

    result = await inference.chat.generate_object(object_job("boat"))

    assert (result.content, result.usage.calls) == (LUCY, 1)


async def test_a_cut_object_is_not_asked_for_again(stub: OpenAIStub, inference: Inference):
    stub.on("boat", text='{"name": "Lu', finish_reason="length")

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_object(object_job("boat", "stub-native"))

    assert caught.value.code == "model.output_truncated"
    assert len(stub.completions) == 1


async def test_a_failing_second_question_is_the_failure(stub: OpenAIStub, inference: Inference):
    stub.on("boat", Reply(object={}), Reply(status=503))

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_object(object_job("boat"))

    assert caught.value.code == "provider.unavailable"


async def test_a_list_of_any_length_and_of_an_exact_one(stub: OpenAIStub, inference: Inference):
    stub.on("any", object={"items": [LUCY]})
    stub.on("two", Reply(object={"items": [LUCY]}), Reply(object={"items": [LUCY, LUCY]}))

    free = await inference.chat.generate_object_list(list_job("any", None))
    exact = await inference.chat.generate_object_list(list_job("two", 2))

    assert free.items == (LUCY,)
    assert exact.items == (LUCY, LUCY)
    assert exact.usage.calls == 2
    sent: Any = stub.completions[1].body["tools"][0]["function"]["parameters"]["properties"]["items"]
    assert (sent["minItems"], sent["maxItems"]) == (2, 2)


@pytest.mark.parametrize("written", ["{0}\n{0}", "[{0}, {0},]", "```json\n{0}\n{0}\n```"])
async def test_a_list_in_another_form_is_one_question(stub: OpenAIStub, inference: Inference, written: str):
    stub.on("boats", text=written.format(json.dumps(LUCY)))
    found = await inference.chat.generate_object_list(list_job("boats", 2))
    assert (found.items, len(stub.completions)) == ((LUCY, LUCY), 1)


async def test_one_object_is_a_list_of_one(stub: OpenAIStub, inference: Inference):
    stub.on("boats", object=LUCY)
    found = await inference.chat.generate_object_list(list_job("boats", None))
    assert (found.items, len(stub.completions)) == ((LUCY,), 1)


async def test_a_recursive_structure_in_a_list(stub: OpenAIStub, inference: Inference):
    node = {
        "type": "object",
        "title": "Node",
        "properties": {"name": {"type": "string"}, "child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["name"],
    }
    stub.on("node", Reply(object={"items": [{"name": "a", "child": {"name": 5}}]}), Reply(object={"items": []}))
    job = list_job("node", None, "stub-native")
    job = job.model_copy(update={"spec": job.spec.model_copy(update={"json_schema": node})})

    assert (await inference.chat.generate_object_list(job)).usage.calls == 2


# --- attachments ------------------------------------------------------------------------------------------------------

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_images_and_documents_follow_the_text_in_order(stub: OpenAIStub, inference: Inference):
    stub.on(text="ok")
    boat = await inference.storage.put(PNG, mime_type="image/png")
    data_url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    prompt = LLMPrompt(
        user="Compare [Image 1] and [Image 2] with [Document 1]",
        images=(
            {"url": data_url},
            {"url": boat.uri},
        ),
        documents=({"url": "data:application/pdf;base64,JVBERi0=", "mime_type": "application/pdf"},),
    )

    await inference.chat.generate_text(text_job("", prompt=prompt, image_detail="low"))

    text, first, second, document = stub.completions[0].body["messages"][0]["content"]
    assert text["text"].startswith("Compare")
    assert first["image_url"] == {"url": data_url, "detail": "low"}
    assert second["image_url"]["url"] == data_url
    assert document["file"]["file_data"] == "data:application/pdf;base64,JVBERi0="


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///nowhere/at/all.png", "security.input_url_refused"),
        ("http://127.0.0.1:1/a.png", "security.input_url_refused"),
        ("data:image/png;base64,%%%", "input.file_unreadable"),
        ("boat.png", "security.input_url_refused"),
        ("data:image/png;base64," + "A" * (70 * 1024 * 1024), "input.too_large"),
    ],
    ids=["local", "this machine", "not base64", "relative", "too large"],
)
async def test_an_attachment_that_cannot_be_sent(stub: OpenAIStub, inference: Inference, url: str, code: str):
    prompt = LLMPrompt(user="?", images=({"url": url},))

    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(text_job("", prompt=prompt))

    assert caught.value.code == code
    assert len(str(caught.value)) < 300
    assert stub.requests == []


@pytest.mark.parametrize(
    ("prompt", "capability"),
    [
        (LLMPrompt(user="?", images=({"url": "https://example.test/a.jpg"},)), "images"),
        (LLMPrompt(user="?", documents=({"url": "https://example.test/a.pdf"},)), "documents"),
    ],
)
async def test_a_model_that_cannot_see_is_not_asked(
    stub: OpenAIStub, inference: Inference, prompt: LLMPrompt, capability: str
):
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(text_job("", "stub-text", prompt=prompt))

    assert caught.value.report.params["capability"] == capability
    assert stub.requests == []


async def test_a_model_without_structured_output_is_not_asked(stub: OpenAIStub, inference: Inference):
    with pytest.raises(PipelexError, match="structured"):
        await inference.chat.generate_object(object_job("?", "stub-text"))
    assert stub.requests == []


# --- constraints ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "settings", "expected"),
    [
        ("", {"temperature": 0.4}, {"temperature": 0.4}),
        ('listed_constraints = ["temperature_unsupported"]', {"temperature": 0.4}, {"temperature": None}),
        ('listed_constraints = ["temperature_must_be_multiplied_by_2"]', {"temperature": 0.4}, {"temperature": 0.8}),
        ("valued_constraints = { fixed_temperature = 1 }", {"temperature": 0.4}, {"temperature": 1.0}),
        ("max_tokens = 100", {"max_tokens": 500}, {"max_completion_tokens": 100}),
        ("", {"max_tokens": "auto"}, {"max_completion_tokens": None}),
        ('listed_constraints = ["max_tokens_must_be_high_enough"]', {"max_tokens": 5}, {"max_completion_tokens": 1024}),
        ("", {"reasoning_effort": "high"}, {"reasoning_effort": None}),
        ('thinking_mode = "adaptive"', {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ('thinking_mode = "manual"', {"reasoning_budget": 6000}, {"reasoning_effort": "medium"}),
        (
            'thinking_mode = "manual"\nvalued_constraints = { max_thinking_budget = 1024 }',
            {"reasoning_budget": 6000},
            {"reasoning_effort": "low"},
        ),
        (
            'thinking_mode = "adaptive"\nlisted_constraints = ["thinking_cannot_be_disabled"]',
            {"reasoning_effort": "none"},
            {"reasoning_effort": None},
        ),
        ('model_id = "other"', {}, {"model": "other"}),
    ],
)
async def test_constraints_of_a_model(
    stub: OpenAIStub, tmp_path: Path, entry: str, settings: dict[str, Any], expected: dict[str, Any]
):
    directory = write_stub_inference(tmp_path / "i", stub.url, api_key=KEY)
    write(directory, backends__openai=f'[stub]\nsdk = "openai"\n{entry}\n')
    stub.on(text="ok")
    service = Inference.load([directory], {})

    await service.chat.generate_text(text_job("?", **settings))

    body = stub.completions[0].body
    assert {key: body.get(key) for key in expected} == expected
    await service.aclose()


async def test_a_fixed_temperature_warns_once(stub: OpenAIStub, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    directory = write_stub_inference(tmp_path / "i", stub.url, api_key=KEY)
    write(directory, backends__openai='[fixed]\nsdk = "openai"\nvalued_constraints = { fixed_temperature = 1 }\n')
    stub.on(text="ok")
    service = Inference.load([directory], {})

    with caplog.at_level(logging.WARNING, "pipelex.inference"):
        for _ in range(2):
            await service.chat.generate_text(text_job("?", "fixed", temperature=0.4))

    assert len([record for record in caplog.records if "temperature" in record.getMessage()]) == 1
    await service.aclose()


async def test_headers_and_endpoint_path_of_a_model(stub: OpenAIStub, tmp_path: Path):
    directory = write_stub_inference(tmp_path / "i", stub.url.removesuffix("/v1"), api_key=KEY)
    write(directory, backends__openai='[stub]\nsdk = "openai"\nendpoint_path = "/v1"\nx-team = "blue"\n')
    stub.on(text="ok")
    service = Inference.load([directory], {})

    await service.chat.generate_text(text_job("?"))

    headers = {name.lower(): value for name, value in stub.completions[0].headers.items()}
    assert headers["x-team"] == "blue"
    await service.aclose()


def test_each_event_loop_has_connections_of_its_own(stub: OpenAIStub, inference_dir: Path):
    stub.on(text="ok")
    service = Inference.load([inference_dir], {})

    async def once() -> str:
        result = await service.chat.generate_text(LLMTextJob(model=model(), prompt=LLMPrompt(user="?")))
        await service.aclose()
        return result.text

    assert [asyncio.run(once()), asyncio.run(once())] == ["ok", "ok"]


async def test_calls_run_side_by_side(stub: OpenAIStub, inference: Inference):
    stub.on(text="ok", delay=0.3)

    await asyncio.gather(*[inference.chat.generate_text(text_job(str(number))) for number in range(8)])

    assert stub.most_in_flight == 8


FIRST_CALL = """
import asyncio, sys, threading
from pathlib import Path
from pipelex.inference import Inference
from tests.support.jobs import text_job

class Watcher:
    seen = []
    def find_spec(self, name, path=None, target=None):
        if name == "httpx":
            self.seen.append(threading.current_thread() is threading.main_thread())

async def main():
    inference = Inference.load([Path(sys.argv[1])], {})
    await asyncio.gather(inference.chat.generate_text(text_job("Hello")), inference.chat.generate_text(text_job("Hello")))
    await inference.aclose()

sys.meta_path.insert(0, Watcher())
asyncio.run(main())
print(Watcher.seen, {"pydantic_ai", "openai"} & set(sys.modules))
"""


@pytest.mark.slow
def test_the_first_call_imports_its_client_beside_the_event_loop(tmp_path: Path, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    write_stub_inference(tmp_path, stub.url)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_CALL, str(tmp_path)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "[False] set()"
