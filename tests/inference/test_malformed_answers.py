"""Answers of readers, searches and image models in which one member is not what it should be.

Each client must read such an answer or refuse it as unreadable: no member of any type ends in another exception, or in
a result that cannot be written as JSON.
"""

import base64
import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from pipelex.errors import PipelexError
from pipelex.errors.surrogates import is_encodable
from pipelex.inference import Inference, InferenceOptions, performers
from pipelex.inference.calls.http import HttpCall
from pipelex.pipes.effects.jobs import ExtractJob, ImageJob, SearchJob
from pipelex.pipes.effects.kinds import IMAGES, PAGES, SEARCH
from pipelex.pipes.effects.requests import ExtractRequest, ImageRequest, SearchRequest
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import usages_from_json
from tests.inference.http_stub import Answer, HTTPStub
from tests.support.documents import encoded, plain
from tests.support.inference_files import write
from tests.support.jobs import model

Json = Any

HOST = "http://127.0.0.1:9"
PNG = encoded(plain(40, 30))
CODED = base64.b64encode(PNG).decode()
MISSING = object()
ODD: tuple[Json, ...] = (
    MISSING, None, True, -1, 10**30, 1.5, float("nan"), "", "x", "\ud800", "http://[", "file:///etc/passwd",
    "../../secrets", "é" * 300, [], [None], {}, {"a": 1},
)  # fmt: skip
REFUSALS = {"provider.response_invalid", "provider.failed", "model.no_result", "security.provider_url_refused"}


@dataclass(frozen=True)
class Client:
    """A client, and the answers that it gets when all is well."""

    handle: str
    backend: str
    answers: tuple[tuple[str, Json], ...]
    """The answers by the end of the path of the request."""


AZURE = {
    "status": "succeeded",
    "analyzeResult": {
        "content": "One\nTwo",
        "pages": [
            {"pageNumber": 1, "spans": [{"offset": 0, "length": 4}]},
            {"pageNumber": 2, "spans": [{"offset": 4, "length": 3}]},
        ],
        "figures": [{"id": "1.1", "boundingRegions": [{"pageNumber": 1}], "caption": {"content": "A box"}}],
    },
}
MISTRAL_IMAGE = {"id": "img-0.png", "image_base64": CODED, "image_annotation": json.dumps({"caption": "A box"})}
USAGE = {"input_tokens": 10, "output_tokens": 9, "total_tokens": 19, "input_tokens_details": {"text_tokens": 10}}
CONTENT = {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": CODED}}]}

READERS = (
    Client("mistral-ocr", "mistral", (("", {"pages": [{"index": 0, "markdown": "One", "images": [MISTRAL_IMAGE]}]}),)),
    Client("azure-document-intelligence", "azure_document_intelligence", (("/results", AZURE), ("figures/1.1", PNG))),
    Client("linkup-fetch", "linkup", (("", {"markdown": "One", "images": [{"url": "https://a.test/b", "alt": "B"}]}),)),
)
SEARCHES = (
    Client("linkup-deep", "linkup", (("", {"answer": "9", "sources": [{"url": "https://a.test", "name": "A"}]}),)),
    Client("tavily-basic", "tavily", (("", {"answer": "9", "results": [{"url": "https://a.test", "title": "A"}]}),)),
)
PAINTERS = (
    Client("flux-dev", "fal", (("", {"images": [{"url": f"data:image/png;base64,{CODED}"}]}),)),
    Client("grok-imagine-image", "xai", (("", {"data": [{"b64_json": CODED}]}),)),
)
LIBRARY_PAINTERS = (
    Client("gpt-image-1", "openai", (("", {"created": 1, "data": [{"b64_json": CODED}], "usage": USAGE}),)),
    Client("gemini-3-pro-image", "google", (("", {"candidates": [{"content": CONTENT, "finishReason": "STOP"}]}),)),
)


def odd_answers(answer: Json, odds: Sequence[Json] = ODD) -> Iterator[tuple[str, Json]]:
    """The answer with one of its members replaced by something odd, and the place of that member."""
    for path in _paths(answer):
        for odd in odds:
            changed = copy.deepcopy(answer)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            if odd is MISSING:
                del holder[path[-1]]
            else:
                holder[path[-1]] = odd
            yield f"{path} = {odd!r}", changed


def _paths(value: Json, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        items = list(cast("dict[Any, Json]", value).items())
    else:
        items = list(enumerate(cast("list[Json]", value))) if isinstance(value, list) else []
    for key, inner in items:
        yield (*start, key)
        yield from _paths(inner, (*start, key))


@pytest.fixture
def inference(tmp_path: Path, service: HTTPStub) -> Inference:
    return opened(tmp_path, service)


def opened(tmp_path: Path, service: HTTPStub, host: str = HOST, options: InferenceOptions | None = None) -> Inference:
    """The clients, of which those of libraries ask the service, and all others the host."""
    backends = "\n".join(
        f'[{one.backend}]\nendpoint = "{service.url if one in LIBRARY_PAINTERS else host}"\napi_key = "sk-0123456789"\n'
        for one in {each.backend: each for each in (*READERS, *SEARCHES, *PAINTERS, *LIBRARY_PAINTERS)}.values()
    )
    return Inference.load([write(tmp_path / "inference", backends=backends)], {}, options)


async def ask(inference: Inference, client: Client) -> Json:
    asked = model(client.handle, client.backend)
    if client in READERS:
        source: dict[str, Json] = (
            {"url": "https://a.test/page"} if client.backend == "linkup" else {"url": f"data:image/png;base64,{CODED}"}
        )
        request = ExtractRequest(source=source, source_kind="document", page_image_captions=True)
        return (await inference.extraction.extract_pages(ExtractJob(model=asked, request=request))).contents
    if client in SEARCHES:
        return (await inference.search.search(SearchJob(model=asked, request=SearchRequest(query="q")))).content
    request = ImageRequest(prompt="A box", count=1)
    return (await inference.images.generate_images(ImageJob(model=asked, request=request))).contents


async def outcome(inference: Inference, client: Client) -> str:
    """What became of an answer: `read`, or the code of the refusal."""
    try:
        found = await ask(inference, client)
    except PipelexError as error:
        return error.code
    assert is_encodable(found)
    json.dumps(found, allow_nan=False)
    return "read"


def scripted(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Json]) -> None:
    """Every HTTP client gets the answer whose key ends its request's path."""

    async def send(self: HttpCall, method: str, url: str, *, json: Json = None) -> httpx.Response:
        if method == "POST" and "/results" in answers:
            return httpx.Response(202, headers={"operation-location": f"{HOST}/results", "retry-after": "0"})
        path = httpx.URL(url).path
        answer = next((each for end, each in answers.items() if path.endswith(end)), PNG)
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer)
        return httpx.Response(200, content=dumped(answer))

    monkeypatch.setattr(HttpCall, "send", send)
    monkeypatch.setattr("pipelex.inference.extract.azure._SHORTEST_PAUSE", 0.0)


def dumped(answer: Json) -> bytes:
    return json.dumps(answer).encode()


@pytest.mark.parametrize("client", [*READERS, *SEARCHES, *PAINTERS], ids=lambda client: client.handle)
async def test_one_odd_member(client: Client, inference: Inference, monkeypatch: pytest.MonkeyPatch):
    answers = dict(client.answers)
    scripted(monkeypatch, answers)
    assert await outcome(inference, client) == "read"
    end, good = client.answers[0]
    for place, odd in odd_answers(good):
        answers[end] = odd
        try:
            assert await outcome(inference, client) in {"read", *REFUSALS}
        except Exception as error:
            raise AssertionError(f"{place}: {type(error).__name__}") from error


@pytest.mark.slow
@pytest.mark.parametrize("client", LIBRARY_PAINTERS, ids=lambda client: client.handle)
async def test_one_odd_member_of_an_answer_that_a_library_reads(
    client: Client, inference: Inference, service: HTTPStub
):
    good = client.answers[0][1]
    service.on("*", Answer(good))
    assert await outcome(inference, client) == "read"
    for place, odd in odd_answers(good, (None, "x", "\ud800")):
        service.on("*", Answer(dumped(odd)))
        try:
            assert await outcome(inference, client) in {"read", *REFUSALS}, place
        except Exception as error:
            raise AssertionError(f"{place}: {type(error).__name__}") from error


def drip(answer: Json) -> Iterator[bytes]:
    """An answer that is good, but of which only a blank arrives every tenth of a second for half a minute."""
    for _ in range(300):
        time.sleep(0.1)
        yield b" "
    yield dumped(answer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "client", [*READERS, *SEARCHES, *PAINTERS, *LIBRARY_PAINTERS], ids=lambda client: client.handle
)
async def test_an_answer_that_only_drips_ends_at_the_time_limit(client: Client, tmp_path: Path, service: HTTPStub):
    good = client.answers[0][1]
    service.on("*", Answer(chunks=lambda: drip(good)))
    inference = opened(tmp_path, service, service.url, InferenceOptions(call_timeout=0.8))

    assert await outcome(inference, client) == "provider.timeout"
    assert len(service.asked) == 1


BROKEN = base64.b64encode(b"no picture").decode()
REFUSED: tuple[tuple[str, Json, int], ...] = (
    ("mistral-ocr", {"pages": [{"markdown": None}, {"markdown": "Two"}]}, 2),
    ("mistral-ocr", {"pages": "none", "usage_info": {"pages_processed": 3}}, 3),
    (
        "azure-document-intelligence",
        {"status": "succeeded", "analyzeResult": {"content": None, "pages": [dict[str, Json](), dict[str, Json]()]}},
        2,
    ),
    ("linkup-fetch", {"markdown": 3}, 1),
    ("linkup-deep", {"answer": None}, 1),
    ("tavily-basic", {"answer": " ", "results": list[Json]()}, 1),
    ("flux-dev", {"images": [{"url": f"data:image/png;base64,{BROKEN}"}]}, 1),
    ("flux-dev", {"images": [{"url": f"data:image/png;base64,{CODED}"}], "has_nsfw_concepts": [True]}, 1),
    ("grok-imagine-image", {"data": [{"b64_json": BROKEN}]}, 1),
)
"""Paid answers that are refused, and the pages, searches or images that they cost."""


def activity(client: Client, asked: Any) -> tuple[str, Any]:
    """The paid call of a client, as an orchestrator makes it."""
    if client in READERS:
        url = "https://a.test/page" if client.backend == "linkup" else f"data:image/png;base64,{CODED}"
        read = ExtractRequest(source={"url": url}, source_kind="document")
        return PAGES.activity, ExtractJob(model=asked, request=read)
    if client in SEARCHES:
        return SEARCH.activity, SearchJob(model=asked, request=SearchRequest(query="q"))
    return IMAGES.activity, ImageJob(model=asked, request=ImageRequest(prompt="A box", count=1))


async def paid_usage(inference: Inference, client: Client) -> tuple[ModelUsage, ...]:
    """The usage that the failure of a client's call tells."""
    name, job = activity(client, model(client.handle, client.backend))
    with pytest.raises(PipelexError) as caught:
        await performers(inference)[name](job)
    return usages_from_json(caught.value.report.usage)


@pytest.mark.parametrize(("handle", "answer", "units"), REFUSED)
async def test_a_refused_answer_is_paid_for(
    handle: str, answer: Json, units: int, inference: Inference, monkeypatch: pytest.MonkeyPatch
):
    client = next(one for one in (*READERS, *SEARCHES, *PAINTERS) if one.handle == handle)
    scripted(monkeypatch, {client.answers[0][0]: answer})
    (usage,) = await paid_usage(inference, client)
    scripted(monkeypatch, dict(client.answers))
    name, job = activity(client, model(client.handle, client.backend))
    read = (await performers(inference)[name](job)).usage
    good = 2 if client.backend.startswith("azure") else 1
    assert usage.calls == 1
    assert usage.cost_usd == (None if read.cost_usd is None else pytest.approx(read.cost_usd / good * units))


@pytest.mark.parametrize(
    ("client", "answer", "tokens"),
    [
        (LIBRARY_PAINTERS[0], {"created": 1, "data": [{"b64_json": BROKEN}], "usage": USAGE}, (10, 9)),
        (LIBRARY_PAINTERS[0], {"created": 1, "data": list[Json](), "usage": USAGE}, (10, 9)),
        (
            LIBRARY_PAINTERS[1],
            {
                "candidates": [{"content": {"role": "model", "parts": list[Json]()}, "finishReason": "IMAGE_SAFETY"}],
                "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "thoughtsTokenCount": 2},
            },
            (7, 7),
        ),
    ],
)
async def test_a_refused_answer_that_a_library_reads_is_paid_for(
    client: Client, answer: Json, tokens: tuple[int, int], inference: Inference, service: HTTPStub
):
    service.on("*", Answer(dumped(answer)))
    (usage,) = await paid_usage(inference, client)
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, *tokens)
