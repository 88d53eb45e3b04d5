"""Answers that would fill the memory or take the prompt elsewhere, from every client of language models."""

import gzip
import json
import resource
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import Inference, InferenceOptions, ModelDeck
from pipelex.inference.calls.ledger import CallLedger
from pipelex.inference.calls.logical import logical_call
from tests.inference.chat.test_providers import SPOKEN, Spoken, at, write_provider
from tests.inference.http_stub import Answer, HTTPStub
from tests.support.jobs import text_job
from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project
from tests.support.untyped import untyped

LIMIT = 1_000_000
Case = TypeVar("Case", str, int)
SECRET = "the harbour master's diary"

_PIPE = """
domain = "quay"
main_pipe = "main"
[pipe.main]
type = "{kind}"
description = "Ask"
inputs = {{ topic = "Text" }}
output = "{output}"
prompt = "About $topic"
model = "{model}"
"""
SEARCH = _PIPE.format(kind="PipeSearch", output="SearchResult", model="linkup-standard")
DRAW = _PIPE.format(kind="PipeImgGen", output="Image", model="painter")


def _bomb(size: int, *, times: int = 1) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    data = packer.compress(b'{"choices":"')
    data += b"".join(packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000))
    data += packer.flush()
    for _ in range(times - 1):
        data = gzip.compress(data)
    return data


def _endless() -> Iterator[bytes]:
    return repeat(b" " * 50_000)


def _endless_zeros() -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return (packer.compress(bytes(5_000_000)) or b"\0" for _ in repeat(None))


ATTACKS: dict[str, Callable[[], Answer]] = {
    "gzip": lambda: Answer(_bomb(50_000_000), headers={"content-encoding": "gzip"}),
    "twice": lambda: Answer(_bomb(50_000_000, times=2), headers={"content-encoding": "gzip, gzip"}),
    "many times": lambda: Answer(_bomb(1_000_000, times=5), headers={"content-encoding": "gzip," * 4 + "gzip"}),
    "deflate": lambda: Answer(zlib.compress(bytes(50_000_000)), headers={"content-encoding": "deflate"}),
    "brotli": lambda: Answer(b"\x0b\x02\x80{}\x03", headers={"content-encoding": "br"}),
    "zstandard": lambda: Answer(b"\x28\xb5\x2f\xfd", headers={"content-encoding": "zstd"}),
    "plain": lambda: Answer(b'{"choices": "' + b" " * 5_000_000 + b'"}'),
    "without end": lambda: Answer(chunks=_endless),
    "zeros without end": lambda: Answer(chunks=_endless_zeros, headers={"content-encoding": "gzip"}),
    "many values": lambda: Answer(b"[" + b"[]," * 1_500_000 + b"[]]"),
    "an error": lambda: Answer(_bomb(50_000_000), 500, headers={"content-encoding": "gzip"}),
}


def served_by(spoken: Spoken, url: str, folder: Path, limit: int = LIMIT) -> Inference:
    directory = write_provider(folder / "inference", spoken, url)
    deck = replace(ModelDeck.load([directory], {}), max_answer_bytes=limit)
    return Inference(deck, InferenceOptions(call_timeout=20.0))


async def failure(inference: Inference, job: Any) -> PipelexError:
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(at(job))
    await inference.aclose()
    return caught.value


def but_for_aws(what: Sequence[Case], *others: Case) -> pytest.MarkDecorator:
    """Every client with each of the cases, but for AWS's with `others`."""
    pairs = [(one, each) for one in SPOKEN for each in what if one.sdk != "bedrock" or each not in others]
    return pytest.mark.parametrize(("spoken", "case"), pairs, ids=str)


# AWS's client undoes no coding.
@pytest.mark.matrix(each=2, fast=18)
@but_for_aws(["gzip", "twice", "without end", "plain"], "gzip", "twice")
async def test_no_client_reads_more_than_the_limit(spoken: Spoken, case: str, tmp_path: Path, service: HTTPStub):
    service.on("*", ATTACKS[case]())
    error = await failure(served_by(spoken, service.url, tmp_path), text_job("?"))
    assert (error.code, error.report.category) == ("provider.response_invalid", ErrorCategory.CONTENT), error.report
    assert "max_answer_bytes" in (error.report.advice or "")
    assert len(service.asked) == 1


@pytest.mark.matrix(fast=7)
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk in ("openai", "anthropic", "groq")], ids=str)
async def test_every_coding_is_bounded(spoken: Spoken, attack: str, tmp_path: Path, service: HTTPStub):
    service.on("*", ATTACKS[attack]())
    error = await failure(served_by(spoken, service.url, tmp_path), text_job("?"))
    assert error.code == "provider.response_invalid", error.report
    assert not error.report.is_retryable
    assert len(service.asked) == 1


UNREADABLE = {
    "open lists": b"[" * 200_000,
    "open objects": b'{"a":' * 200_000,
    "lists in lists": b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a long number": b'{"created":' + b"9" * 100_000 + b"}",
    "halves of characters alone": rb'"\ud800"',
    "no UTF-8": b"\xff\xfe" * 1_000,
}


@pytest.mark.matrix(each=3, fast=39)
@but_for_aws([*UNREADABLE])
async def test_what_no_client_can_read_is_an_unreadable_answer(
    spoken: Spoken, case: str, tmp_path: Path, service: HTTPStub
):
    service.on("*", Answer(UNREADABLE[case]))
    error = await failure(served_by(spoken, service.url, tmp_path, 10_000_000), text_job("?"))
    assert error.code == "provider.response_invalid", error.report
    service.on("*", Answer(UNREADABLE[case], 400))
    assert (
        await failure(served_by(spoken, service.url, tmp_path, 10_000_000), text_job("?"))
    ).code != "runtime.unexpected"


async def test_many_values_take_no_memory(tmp_path: Path, service: HTTPStub):
    service.on("*", Answer(b"[" + b"[]," * 16_000_000 + b"[]]"))
    inference = served_by(SPOKEN[0], service.url, tmp_path, ModelDeck.max_answer_bytes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (await failure(inference, text_job("?"))).report.params["defect"] == "too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.slow
async def test_a_gigabyte_in_a_megabyte_is_never_held(tmp_path: Path, service: HTTPStub):
    service.on("*", Answer(_bomb(1_000_000_000), headers={"content-encoding": "gzip"}))
    inference = served_by(SPOKEN[0], service.url, tmp_path, ModelDeck.max_answer_bytes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await failure(inference, text_job("?"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kilobytes


async def test_encoded_answers_of_common_size_are_read(tmp_path: Path, service: HTTPStub):
    message = {"role": "assistant", "content": "Sunny"}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "usage": None}
    body["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]  # type: ignore[assignment]
    data = json.dumps(body).encode()
    encoded = [
        Answer(gzip.compress(data), headers={"content-encoding": "gzip"}),
        Answer(gzip.compress(gzip.compress(data)), headers={"content-encoding": "gzip, gzip"}),
        Answer(zlib.compress(data), headers={"content-encoding": "deflate"}),
        Answer(chunks=lambda: iter([data[:9], data[9:]])),
    ]
    service.on("*", *encoded)
    inference = served_by(SPOKEN[0], service.url, tmp_path)
    for _ in encoded:
        result = await inference.chat.generate_text(at(text_job("?")))
        assert result.text == "Sunny"
    assert {asked.headers["accept-encoding"] for asked in service.asked} == {"gzip, deflate"}
    await inference.aclose()


# Below AWS's client, urllib3 fails of a 303 by itself, and leaves its socket open.
@pytest.mark.matrix(each=3, fast=15)
@but_for_aws([301, 302, 303, 307, 308], 303)
async def test_no_redirect_is_followed(spoken: Spoken, case: int, tmp_path: Path, service: HTTPStub):
    with HTTPStub() as elsewhere:
        elsewhere.on("*", Answer({"stolen": True}))
        service.on("*", Answer({}, case, {"location": f"{elsewhere.url}/steal"}))
        error = await failure(served_by(spoken, service.url, tmp_path), text_job(SECRET))
        assert elsewhere.asked == []
    report = error.report
    assert len(service.asked) == 1
    assert (error.code, report.category) == ("security.provider_url_refused", ErrorCategory.CONFIGURATION), report
    assert f"status {case}" in report.detail
    assert "endpoint" in (report.advice or "")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2_000, 200_000])
async def test_the_limit_is_a_setting(limit: int, stub: OpenAIStub, project: Project):
    stub.on("Hello", text="x" * 20_000)
    async with project.app("direct", overrides={"inference.max_answer_bytes": limit}) as app:
        run = app.load(project.method(GREET)).run({"name": "Ada"})
        if limit > 20_000:
            assert len(untyped((await run).content)["text"]) == 20_000
            return
        with pytest.raises(PipelexError, match=r"at most 2,000 are read|larger than 2000 bytes"):
            await run


@pytest.mark.slow
@pytest.mark.parametrize("family", ["search", "images"])
@pytest.mark.parametrize("attack", ["redirect", "bomb"])
async def test_other_families_are_held_by_the_same(family: str, attack: str, served: Project, service: HTTPStub):
    with HTTPStub() as elsewhere:
        elsewhere.on("*", Answer({}))
        answer = Answer({}, 307, {"location": elsewhere.url}) if attack == "redirect" else ATTACKS["gzip"]()
        service.on("*", answer)
        pipe = SEARCH if family == "search" else DRAW
        async with served.app("direct", overrides={"inference.max_answer_bytes": LIMIT}) as app:
            method = app.load(served.method(pipe))
            with pytest.raises(PipelexError) as caught:
                await method.run({"topic": SECRET})
        assert elsewhere.asked == []
    code = "security.provider_url_refused" if attack == "redirect" else "provider.response_invalid"
    assert caught.value.code == code, caught.value.report


CHAT = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TOKENS = {"input_tokens": 11, "output_tokens": 7}
COUNTED = {
    "bedrock": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
    "anthropic": TOKENS,
    "bedrock_anthropic": TOKENS,
    "openai_responses": TOKENS,
    "azure_openai_responses": TOKENS,
}
"""The counts as each protocol writes them, where it is not that of Chat Completions."""


@pytest.mark.parametrize("defect", ["cut", "too large"])
@pytest.mark.parametrize("spoken", SPOKEN, ids=str)
async def test_the_usage_of_an_answer_that_cannot_be_read_is_counted(
    spoken: Spoken, defect: str, tmp_path: Path, service: HTTPStub
):
    usage = json.dumps({"usage": COUNTED.get(spoken.sdk, CHAT)}).encode()
    service.on("*", Answer(usage[:-1]) if defect == "cut" else Answer(chunks=lambda: iter([usage, b" " * 2_000])))
    inference = served_by(spoken, service.url, tmp_path, 10_000 if defect == "cut" else 1_000)
    ledger = CallLedger()
    with logical_call("run/1", ledger):
        error = await failure(inference, text_job("?"))
    assert error.code == "provider.response_invalid", error.report
    assert [(usage.calls, usage.input_tokens, usage.output_tokens) for usage in ledger.usage] == [(1, 11, 7)]
