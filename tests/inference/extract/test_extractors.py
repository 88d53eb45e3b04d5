"""Providers over HTTP, against stand-ins that speak their wire formats."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from tests.inference.extract.conftest import Bench, images_of, text_of
from tests.support.documents import PdfPage, encoded, pdf, plain
from tests.support.http_stub import Answer, Received, http_stub
from tests.support.pictures import flipped, huge_png, noise, saved

Json = Any
MakeBench = Callable[..., Bench]

KEY = "sk-very-secret-0123456789"
REPORT = pdf(PdfPage(["One"]), PdfPage(["Two"]))
JPEG = encoded(plain(60, 40), "JPEG")
AZURE = "azure-document-intelligence"
AZURE_BACKEND = "azure_document_intelligence"

BACKENDS = """
[mistral]
endpoint = "{url}/v1"
api_key  = "${{MISTRAL_API_KEY}}"
[azure_document_intelligence]
endpoint = "{url}/"
api_key  = "{key}"
[linkup]
endpoint = "{url}/v1"
api_key  = "{key}"
"""
MODELS = """
[mistral-ocr]
model_id = "mistral-ocr-latest"
model_type = "text_extractor"
sdk = "mistral"
inputs = ["pdf", "image", "docx"]
outputs = ["pages"]
costs = { input = 0.004, input_captioned = 0.005 }
x-team = "blue"
[mistral-odd]
model_type = "text_extractor"
sdk = "odd"
inputs = ["pdf"]
outputs = ["pages"]
"""


@pytest.fixture
def bench_at(bench_with: MakeBench) -> Callable[..., Bench]:
    def make(url: str, environ: dict[str, str] | None = None) -> Bench:
        files = {"backends": BACKENDS.format(url=url, key=KEY), "backends__mistral": MODELS}
        return bench_with({"MISTRAL_API_KEY": KEY} if environ is None else environ, **files)

    return make


def mistral_page(index: int, *images: dict[str, Json]) -> dict[str, Json]:
    return {"index": index, "markdown": f"# Page {index}", "images": list(images), "dimensions": {"dpi": 200}}


def mistral_image(number: int, annotation: str | None = None) -> dict[str, Json]:
    data = base64.b64encode(JPEG).decode()
    found: dict[str, Json] = {"id": f"img-{number}.jpeg", "image_base64": f"data:image/jpeg;base64,{data}"}
    return found if annotation is None else {**found, "image_annotation": annotation}


async def test_mistral(bench_at: MakeBench):
    image = mistral_image(0, json.dumps({"caption": "A red box"}))
    answer = {"pages": [mistral_page(0, image), mistral_page(1)], "model": "x", "usage_info": {"pages_processed": 2}}
    async with http_stub(lambda _: Answer.of_json(answer)) as stub:
        bench = bench_at(stub.url)
        pages = await bench.pages(
            REPORT,
            "mistral-ocr",
            backend="mistral",
            settings={"max_nb_images": 5, "image_min_size": 10},
            page_image_captions=True,
            page_views=True,
            page_views_dpi=72,
        )

    request = stub.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/ocr")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "blue"
    sent = request.json
    assert sent["model"] == "mistral-ocr-latest"
    assert sent["document"]["type"] == "document_url"
    assert base64.b64decode(sent["document"]["document_url"].removeprefix("data:application/pdf;base64,")) == REPORT
    assert (sent["include_image_base64"], sent["image_limit"], sent["image_min_size"]) == (True, 5, 10)
    assert sent["bbox_annotation_format"]["type"] == "json_schema"
    assert [text_of(page) for page in pages] == ["# Page 0", "# Page 1"]
    found = images_of(pages[0])[0]
    assert (found["filename"], found["caption"], found["width"], found["height"]) == ("img-0.jpeg", "A red box", 60, 40)
    assert await bench.bytes_of(found) == JPEG
    assert [page["page_view"]["width"] for page in pages] == [300, 300]
    assert bench.usage is not None
    assert bench.usage.cost_usd == pytest.approx(2 * 0.005)  # pictures that are described have their price


async def test_mistral_with_an_image_and_nothing_besides_text(bench_at: MakeBench):
    async with http_stub(lambda _: Answer.of_json({"pages": [mistral_page(0, mistral_image(0))]})) as stub:
        bench = bench_at(stub.url)
        pages = await bench.pages(JPEG, "mistral-ocr", backend="mistral", max_page_images=0, page_image_captions=True)

    sent = stub.requests[0].json
    assert sent["document"]["type"] == "image_url"
    assert sent["document"]["image_url"].startswith("data:image/jpeg;base64,")
    assert sent["include_image_base64"] is False
    assert "bbox_annotation_format" not in sent
    assert images_of(pages[0]) == []
    assert bench.usage is not None
    assert bench.usage.cost_usd == 0.004


@pytest.mark.parametrize(
    ("name", "form", "stored"),
    [
        ("img-0.jpeg", "JPEG", "img-0.jpeg"),
        ("img-0.jpeg", "PNG", "img-0.png"),
        ("img-0", "PNG", "img-0.png"),
        ("figures/img-0.png", "WEBP", "img-0.webp"),
    ],
)
async def test_the_text_names_an_image_as_it_is_stored(bench_at: MakeBench, name: str, form: str, stored: str):
    data = base64.b64encode(saved(noise(), form)).decode()
    images = [{"id": name, "image_base64": f"data:;base64,{data}"}]
    page = {"index": 0, "markdown": f"See ![{name}]({name}) and [a page](page.html).", "images": images}
    async with http_stub(lambda _: Answer.of_json({"pages": [page]})) as stub:
        (found,) = await bench_at(stub.url).pages(REPORT, "mistral-ocr", backend="mistral")
    assert text_of(found) == f"See ![{name}]({stored}) and [a page](page.html)."
    assert [image["filename"] for image in images_of(found)] == [stored]


PAID = pytest.mark.parametrize(("model", "backend"), [("mistral-ocr", "mistral"), (AZURE, AZURE_BACKEND)])


@PAID
@pytest.mark.parametrize(
    "scan",
    [
        saved(noise(), "PNG")[:-40],
        flipped(saved(noise(), "PNG")),
        saved(noise(), "JPEG")[:-900],
        saved(noise(), "WEBP")[:-900],
        saved(noise(), "TIFF")[:900],
        saved(noise(), "TIFF", save_all=True, append_images=[noise()])[:-200],
    ],
    ids=["png", "damaged-png", "jpeg", "webp", "tiff", "second-page"],
)
async def test_a_broken_scan_is_never_paid_for(bench_at: MakeBench, model: str, backend: str, scan: bytes):
    async with http_stub(lambda _: Answer(status=500)) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(scan, model, backend=backend)
    assert caught.value.code == "input.file_unreadable"
    assert stub.requests == []


@PAID
async def test_views_are_rendered_before_the_provider_is_paid(bench_at: MakeBench, model: str, backend: str):
    """A PDF that no reader here opens has no views, however well the provider reads it."""
    async with http_stub(lambda _: Answer(status=500)) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(b"%PDF-1.7 nothing", model, backend=backend, page_views=True)
    assert caught.value.code == "input.file_unreadable"
    assert stub.requests == []


async def test_an_image_that_only_the_provider_reads_is_sent(bench_at: MakeBench):
    """An image that is too large for this machine, and one of a format that Pillow does not know."""
    async with http_stub(lambda _: Answer.of_json({"pages": [mistral_page(0)]})) as stub:
        for image, mime_type in ((huge_png(), "image/png"), (b"\xff\x0a" + bytes(200), "image/jxl")):
            source = f"data:{mime_type};base64,{base64.b64encode(image).decode()}"
            (page,) = await bench_at(stub.url).pages(source, "mistral-ocr", backend="mistral")
            assert text_of(page) == "# Page 0"
    assert len(stub.requests) == 2


async def test_text_files_need_no_provider(bench_at: MakeBench):
    async with http_stub(lambda _: Answer(status=500)) as stub:
        bench = bench_at(stub.url)
        pages = await bench.pages(b"# Title", "mistral-ocr", backend="mistral", filename="a.md")
    assert text_of(pages[0]) == "# Title"
    assert stub.requests == []
    assert bench.usage is not None
    assert bench.usage.cost_usd == 0.0


async def test_a_type_the_provider_does_not_take(bench_at: MakeBench):
    with pytest.raises(PipelexError) as caught:
        await bench_at("http://127.0.0.1:1").pages(b"\x1f\x8b", "mistral-ocr", backend="mistral")
    assert caught.value.code == "input.file_type_unsupported"
    assert "pdf, image, docx" in str(caught.value)


async def test_a_missing_key(bench_at: MakeBench):
    with pytest.raises(PipelexError) as caught:
        await bench_at("http://127.0.0.1:1", {}).pages(REPORT, "mistral-ocr", backend="mistral")
    assert caught.value.code == "model.unavailable"
    assert caught.value.report.params["reason"] == "credentials_missing"
    assert "MISTRAL_API_KEY" in str(caught.value)


async def test_an_sdk_nobody_knows(bench_at: MakeBench):
    with pytest.raises(PipelexError) as caught:
        await bench_at("http://127.0.0.1:1").pages(REPORT, "mistral-odd", backend="mistral")
    assert caught.value.code == "runtime.unsupported"
    assert "'odd'" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "code", "category"),
    [
        (
            Answer.of_json({"message": f"bad key {KEY}"}, 401),
            "provider.credential_refused",
            ErrorCategory.CONFIGURATION,
        ),
        (
            Answer.of_json({"message": "slow"}, 429, retry_after="7"),
            "provider.rate_limited",
            ErrorCategory.TRANSIENT,
        ),
        (Answer(b"oops", 503), "provider.unavailable", ErrorCategory.TRANSIENT),
        (Answer.of_json({"message": "bad file"}, 422), "provider.failed", ErrorCategory.CONTENT),
        (Answer(b"<html>"), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Answer.of_json({"pages": []}), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Answer.of_json({"pages": [{"index": 0}]}), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (Answer.of_json({"pages": "many"}), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (
            Answer.of_json({"pages": [mistral_page(0, {"id": "a.png", "image_base64": "data:image/png;base64,%"})]}),
            "provider.response_invalid",
            ErrorCategory.TRANSIENT,
        ),
        (
            Answer.of_json({"pages": [mistral_page(0, {"id": "a.png", "image_base64": "bm8gaW1hZ2U="})]}),
            "provider.response_invalid",
            ErrorCategory.TRANSIENT,
        ),
    ],
)
async def test_failures_are_classified(bench_at: MakeBench, answer: Answer, code: str, category: ErrorCategory):
    async with http_stub(lambda _: answer) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(REPORT, "mistral-ocr", backend="mistral")
    assert (caught.value.code, caught.value.report.category) == (code, category)
    assert (caught.value.report.provider, caught.value.report.model) == ("mistral", "mistral-ocr")
    assert KEY not in json.dumps(caught.value.report.to_json())
    if code == "provider.rate_limited":
        assert caught.value.report.retry_after == 7


async def test_a_provider_that_is_down(bench_at: MakeBench):
    with pytest.raises(PipelexError) as caught:
        await bench_at("http://127.0.0.1:1").pages(REPORT, "mistral-ocr", backend="mistral")
    assert caught.value.code == "provider.unavailable"
    assert caught.value.report.is_retryable


# --- Azure ------------------------------------------------------------------------------------------------------------

CONTENT = "# Erste Seite 🎈\n\nMore\n\n<!-- PageBreak -->\n\nSecond page"
RESULT = {
    "status": "succeeded",
    "analyzeResult": {
        "content": CONTENT,
        "pages": [
            {"pageNumber": 1, "spans": [{"offset": 0, "length": CONTENT.index("<!--")}]},
            {"pageNumber": 2, "spans": [{"offset": CONTENT.index("Second"), "length": 11}]},
        ],
        "figures": [
            {"id": "1.1", "boundingRegions": [{"pageNumber": 1}], "caption": {"content": "Figure 1: a box"}},
            {"id": "2.1", "boundingRegions": [{"pageNumber": 2}]},
            {"boundingRegions": [{"pageNumber": 2}]},
        ],
    },
}


class Azure:
    """Starts an analysis, says `running` once, then gives its result."""

    def __init__(self, result: dict[str, Json] = RESULT, location: str | None = None) -> None:
        self.result = result
        self.location = location
        self.asked = 0

    def __call__(self, request: Received) -> Answer:
        if request.headers.get("ocp-apim-subscription-key") != KEY:
            return Answer.of_json({"error": {"message": "no key"}}, 401)
        base = "/documentintelligence/documentModels/prebuilt-layout"
        if request.path == f"{base}:analyze":
            host = f"http://{request.headers['host']}"
            location = self.location or f"{host}{base}/analyzeResults/77?api-version=2024-11-30"
            return Answer(status=202, headers={"operation-location": location, "retry-after": "0"})
        if request.path.startswith(f"{base}/analyzeResults/77/figures/"):
            return Answer(encoded(plain(30, 20)), headers={"content-type": "image/png"})
        self.asked += 1
        if self.asked == 1:
            return Answer.of_json({"status": "running"}, retry_after="0")
        return Answer.of_json(self.result)


async def test_azure(bench_at: MakeBench):
    async with http_stub(Azure()) as stub:
        pages = await bench_at(stub.url).pages(REPORT, AZURE, backend=AZURE_BACKEND)

    started = stub.requests[0]
    assert started.query == {
        "api-version": "2024-11-30",
        "outputContentFormat": "markdown",
        "stringIndexType": "unicodeCodePoint",
        "output": "figures",
    }
    assert base64.b64decode(started.json["base64Source"]) == REPORT
    assert [text_of(page) for page in pages] == ["# Erste Seite 🎈\n\nMore", "Second page"]
    figure = images_of(pages[0])[0]
    assert (figure["filename"], figure["caption"], figure["width"]) == ("figure-1-1.png", "Figure 1: a box", 30)
    assert "caption" not in images_of(pages[1])[0]
    assert [request.path.rpartition("/")[2] for request in stub.requests[-2:]] == ["1.1", "2.1"]
    assert all(request.query["api-version"] == "2024-11-30" for request in stub.requests)


async def test_azure_without_images(bench_at: MakeBench):
    async with http_stub(Azure()) as stub:
        pages = await bench_at(stub.url).pages(REPORT, AZURE, backend=AZURE_BACKEND, max_page_images=0)
    assert "output" not in stub.requests[0].query
    assert [images_of(page) for page in pages] == [[], []]
    assert not any("figures" in request.path for request in stub.requests)


async def test_azure_that_does_not_say_where_to_ask(bench_at: MakeBench):
    async with http_stub(lambda _: Answer(status=202)) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(REPORT, AZURE, backend=AZURE_BACKEND)
    assert caught.value.code == "provider.response_invalid"


async def test_azure_that_sends_us_elsewhere(bench_at: MakeBench):
    async with http_stub(Azure(location="http://127.0.0.2/steal")) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(REPORT, AZURE, backend=AZURE_BACKEND)
    assert caught.value.code == "security.provider_url_refused"
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"status": "failed", "error": {"message": "The file is corrupted"}}, "provider.failed"),
        ({"status": "dreaming"}, "provider.response_invalid"),
        ({"status": "succeeded", "analyzeResult": {"content": "x"}}, "provider.response_invalid"),
    ],
)
async def test_azure_that_fails(bench_at: MakeBench, result: dict[str, Json], code: str):
    async with http_stub(Azure(result)) as stub:
        with pytest.raises(PipelexError) as caught:
            await bench_at(stub.url).pages(REPORT, AZURE, backend=AZURE_BACKEND)
    assert caught.value.code == code


# --- Linkup -----------------------------------------------------------------------------------------------------------


async def test_linkup(bench_at: MakeBench):
    answer = {
        "markdown": "# Shop",
        "rawHtml": "<h1>Shop</h1>",
        "images": [{"alt": "Apple", "url": "https://shop.example/a.png"}, {"alt": "", "url": "data:x"}],
    }
    async with http_stub(lambda _: Answer.of_json(answer)) as stub:
        bench = bench_at(stub.url)
        pages = await bench.pages(
            "https://shop.example/", "linkup-fetch", backend="linkup", render_js=True, include_raw_html=True
        )

    assert stub.requests[0].path == "/v1/fetch"
    assert stub.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert stub.requests[0].json == {
        "url": "https://shop.example/",
        "renderJs": True,
        "includeRawHtml": True,
        "extractImages": True,
    }
    assert text_of(pages[0]) == "# Shop"
    assert pages[0]["text_and_images"]["raw_html"] == "<h1>Shop</h1>"
    assert images_of(pages[0]) == [{"url": "https://shop.example/a.png", "caption": "Apple"}]
    assert bench.usage is not None
    assert bench.usage.cost_usd == 0.005


async def test_linkup_reads_only_addresses(bench_at: MakeBench):
    with pytest.raises(PipelexError) as caught:
        await bench_at("http://127.0.0.1:1").pages(REPORT, "linkup-fetch", backend="linkup")
    assert caught.value.code == "input.file_type_unsupported"
