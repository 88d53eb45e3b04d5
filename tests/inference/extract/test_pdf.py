import asyncio
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from pipelex.errors import PipelexError
from pipelex.reading.pdf import tidy
from tests.inference.extract.conftest import Bench, images_of, text_of
from tests.support.documents import PdfPage, encoded, pdf, plain

REPORT = pdf(
    PdfPage(["Quarterly report", "Revenue rose by 4 % (net)"], [plain(60, 40), plain(20, 90, "blue")]),
    PdfPage(["Second page"], [plain(60, 40), plain(80, 80, "green")]),
    PdfPage(),
)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


async def test_the_text_layer(bench: Bench):
    pages = await bench.pages(REPORT)

    assert [text_of(page) for page in pages] == ["Quarterly report\nRevenue rose by 4 % (net)", "Second page", ""]
    assert all("page_view" not in page for page in pages)
    assert bench.usage is not None
    assert (bench.usage.handle, bench.usage.backend, bench.usage.cost_usd) == ("pypdfium2-extract-pdf", "internal", 0.0)


async def test_embedded_images_are_stored(bench: Bench):
    first, second, third = await bench.pages(REPORT)

    image = images_of(first)[0]
    assert (image["width"], image["height"], image["mime_type"]) == (60, 40, "image/jpeg")
    assert image["filename"] == "page-1-image-1.jpg"
    assert image["url"].startswith("pipelex-storage://")
    assert opened(await bench.bytes_of(image)).size == (60, 40)
    assert [image["height"] for image in images_of(first)] == [40, 90]
    assert images_of(second)[0]["url"] == image["url"]
    assert images_of(third) == []


@pytest.mark.parametrize(
    ("request_", "settings", "counts"),
    [
        ({}, {}, [2, 2, 0]),
        ({"max_page_images": 1}, {}, [1, 1, 0]),
        ({"max_page_images": 0}, {}, [0, 0, 0]),
        ({}, {"max_nb_images": 3}, [2, 1, 0]),
        ({"max_page_images": 1}, {"max_nb_images": 1}, [1, 0, 0]),
        ({}, {"max_nb_images": 0}, [0, 0, 0]),
        ({}, {"image_min_size": 30}, [1, 2, 0]),
        ({"max_page_images": 1}, {"image_min_size": 50}, [0, 1, 0]),
    ],
)
async def test_limits_on_images(bench: Bench, request_: dict[str, Any], settings: dict[str, Any], counts: list[int]):
    pages = await bench.pages(REPORT, settings=settings, **request_)
    assert [len(images_of(page)) for page in pages] == counts


async def test_an_image_with_a_mask_keeps_it(bench: Bench):
    half = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    half.paste((0, 0, 0, 0), (0, 0, 20, 40))

    pages = await bench.pages(pdf(PdfPage(images=[half])))

    image = opened(await bench.bytes_of(images_of(pages[0])[0])).convert("RGBA")
    seen = image.getpixel((2, image.height // 2))
    solid = image.getpixel((image.width - 3, image.height // 2))
    assert isinstance(seen, tuple)
    assert isinstance(solid, tuple)
    assert seen[3] == 0
    assert solid[0] > 200
    assert solid[3] == 255


@pytest.mark.parametrize(("dpi", "size"), [(72, (300, 200)), (144, (600, 400)), (None, (625, 417))])
async def test_views(bench: Bench, dpi: int | None, size: tuple[int, int]):
    pages = await bench.pages(REPORT, page_views=True, page_views_dpi=dpi)

    view = pages[0]["page_view"]
    assert (view["width"], view["height"]) == size
    assert view["filename"] == "page-1.png"
    image = opened(await bench.bytes_of(view)).convert("L")
    assert image.size == size
    assert sum(image.histogram()[:60]) > 0
    assert all("page_view" in page for page in pages)


@pytest.mark.slow
async def test_a_huge_page_is_shown_smaller(bench: Bench):
    pages = await bench.pages(pdf(PdfPage(["Plan"], size=(14400, 14400))), page_views=True, page_views_dpi=72)
    view = pages[0]["page_view"]
    assert view["width"] * view["height"] <= 80_100_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdf(PdfPage(["secret"]), encrypted=True), "encrypted"),
        (b"%PDF-1.7\nnot really", "damaged"),
        (pdf(), "damaged"),
    ],
)
async def test_files_that_cannot_be_read(bench: Bench, data: bytes, reason: str):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(data, filename="report.pdf")
    assert caught.value.code == "input.file_unreadable"
    assert caught.value.report.params == {"file_type": "pdf", "reason": reason}
    assert "'report.pdf'" in str(caught.value)
    assert not caught.value.report.is_retryable


async def test_a_file_is_not_taken_for_the_one_before_it(bench: Bench):
    reasons: list[str] = []
    for data in (pdf(PdfPage(["secret"]), encrypted=True), pdf(), b"%PDF-1.7\nnot really", pdf()):
        with pytest.raises(PipelexError) as caught:
            await bench.pages(data, filename="report.pdf")
        reasons.append(str(caught.value.report.params["reason"]))
    assert reasons == ["encrypted", "damaged", "damaged", "damaged"]


async def test_documents_side_by_side(bench: Bench):
    results = await asyncio.gather(*(bench.pages(pdf(PdfPage([f"Number {n}"]))) for n in range(12)))
    assert [text_of(pages[0]) for pages in results] == [f"Number {n}" for n in range(12)]


async def test_a_page_without_text_is_warned_of(bench: Bench, caplog: pytest.LogCaptureFixture):
    pages = await bench.pages(pdf(PdfPage(images=[plain(50, 50)])), filename="scan.pdf")
    assert text_of(pages[0]) == ""
    assert "'scan.pdf' has no text layer" in caplog.text


async def test_an_image_needs_a_reader(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(encoded(plain(10, 10)), filename="photo.png")
    assert caught.value.code == "model.capability_unsupported"
    assert caught.value.report.params == {"model": "pypdfium2-extract-pdf", "capability": "images"}
    assert "@default-extract-image" in (caught.value.report.advice or "")


@pytest.mark.parametrize(
    ("data", "form"), [(b"\x1f\x8b\x08\x00", "gzip"), (b"\x00\x01\x02", "application/octet-stream")]
)
async def test_types_nobody_reads(bench: Bench, data: bytes, form: str):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(data)
    assert caught.value.code == "input.file_type_unsupported"
    assert caught.value.report.params["format"] == form


def test_text_is_tidied():
    assert tidy("One  \r\ntwo\rexam\ufffe\nple\x00 \n\n") == "One\ntwo\nexam-\nple"
