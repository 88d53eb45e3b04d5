"""Reading images with RapidOCR: the real one, with the models of its wheel."""

import struct
import subprocess
import sys
import textwrap
from io import BytesIO

import pytest
from PIL import Image, ImageOps

from pipelex.errors import PipelexError
from pipelex.reading.ocr import TextBox, in_lines
from tests.inference.extract.conftest import Bench, images_of, text_of
from tests.support.documents import PdfPage, encoded, pdf, plain, written

pytestmark = pytest.mark.slow

OCR = "rapidocr-extract-text"
SCAN = written(("Invoice number 4711", 40, 30), ("Total: 1,234.50 EUR", 40, 110), ("PAID", 700, 110))


async def test_an_image(bench: Bench):
    pages = await bench.pages(encoded(SCAN), OCR, filename="scan.png", page_views=True)

    assert [text_of(page) for page in pages] == ["Invoice number 4711\nTotal: 1,234.50 EUR  PAID"]
    assert (pages[0]["page_view"]["width"], pages[0]["page_view"]["height"]) == SCAN.size
    assert bench.usage is not None
    assert bench.usage.cost_usd == 0.0


async def test_an_image_that_lies_on_its_side(bench: Bench):
    turned = SCAN.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(turned, "JPEG")
    buffer = BytesIO()
    Image.open(BytesIO(data)).save(buffer, "JPEG", exif=exif)

    pages = await bench.pages(buffer.getvalue(), OCR)

    assert "Invoice number 4711" in text_of(pages[0])


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_scan_that_was_put_in_turned(bench: Bench, degrees: int):
    turned = SCAN.rotate(degrees, expand=True)

    assert text_of((await bench.pages(encoded(turned), OCR))[0]) == "Invoice number 4711\nTotal: 1,234.50 EUR  PAID"


async def test_every_page_of_a_tiff_is_read(bench: Bench):
    buffer = BytesIO()
    other = written(("The second page", 40, 30))
    SCAN.save(buffer, "TIFF", save_all=True, append_images=[other])

    pages = await bench.pages(buffer.getvalue(), OCR, filename="fax.tiff")

    assert [text_of(page).split("\n")[0] for page in pages] == ["Invoice number 4711", "The second page"]


def faint() -> bytes:
    """A TIFF of sixteen bits that uses few of them, as scanners write it."""
    pixels = [value * 8 + 2000 for value in SCAN.convert("L").tobytes()]
    image = Image.frombytes("I;16", SCAN.size, struct.pack(f"<{len(pixels)}H", *pixels))
    buffer = BytesIO()
    image.save(buffer, "TIFF")
    return buffer.getvalue()


def cut_out(color: str, form: str = "RGBA") -> bytes:
    """Letters on nothing."""
    image = Image.new("RGBA", SCAN.size, (0, 0, 0, 0))
    image.paste(color, mask=ImageOps.invert(SCAN.convert("L")))
    return encoded(image.quantize(16) if form == "P" else image)


UNUSUAL = {
    "sixteen bits": faint,
    "black on nothing": lambda: cut_out("black"),
    "white on nothing": lambda: cut_out("white"),
    "black on nothing in a palette": lambda: cut_out("black", "P"),
    "white on black": lambda: encoded(ImageOps.invert(SCAN.convert("L"))),
}


@pytest.mark.parametrize("kind", UNUSUAL)
async def test_letters_in_unusual_colours(bench: Bench, kind: str):
    pages = await bench.pages(UNUSUAL[kind](), OCR, page_views=True)

    assert text_of(pages[0]) == "Invoice number 4711\nTotal: 1,234.50 EUR  PAID"


async def test_scanned_pages_among_others(bench: Bench):
    scan = pdf(PdfPage(["A page whose text layer is long enough."], size=(600, 200)), PdfPage(size=(300, 100)))
    image = written(("Scanned by hand", 40, 100), size=(600, 400))
    mixed = pdf(
        PdfPage(["A page whose text layer is long enough."], size=(600, 200)),
        PdfPage(images=[image], size=(100, 60)),
    )

    assert [text_of(page) for page in await bench.pages(scan, OCR)] == ["A page whose text layer is long enough.", ""]
    pages = await bench.pages(mixed, "docling-extract-text")
    assert [text_of(page) for page in pages] == ["A page whose text layer is long enough.", "Scanned by hand"]
    assert len(images_of(pages[1])) == 1


async def test_an_image_without_text(bench: Bench):
    assert text_of((await bench.pages(encoded(plain(200, 100, "white")), OCR))[0]) == ""


async def test_a_broken_image(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(encoded(SCAN)[:500], OCR)
    assert caught.value.code == "input.file_unreadable"
    assert caught.value.report.params["reason"] == "damaged"


async def test_an_image_too_large_to_decode(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(encoded(Image.new("1", (20_000, 5_000))), OCR)
    assert caught.value.code == "input.too_large"


def test_lines_are_put_together():
    boxes = [
        TextBox("right", 200, 12, 260, 32),
        TextBox("left", 10, 10, 80, 30),
        TextBox("below", 10, 40, 80, 60),
        TextBox("next part", 10, 120, 80, 140),
    ]
    assert in_lines(boxes) == "left  right\nbelow\n\nnext part"
    assert in_lines([]) == ""


def test_columns_and_tables_of_a_scan():
    columns = [
        TextBox(
            f"c{column} has some words in line {row}", 60 + 700 * column, 50 * row, 600 + 700 * column, 50 * row + 32
        )
        for row in range(5)
        for column in range(2)
    ]
    cells = [
        TextBox(f"{'ab'[x]}{y}", 60 + 300 * x, 50 * y, 120 + 300 * x, 50 * y + 32) for y in range(4) for x in (0, 1)
    ]

    left, right = in_lines(columns).split("\n\n")
    assert (left.count("c0"), left.count("\n"), right.count("c1"), right.count("\n")) == (5, 4, 5, 4)
    assert in_lines(cells) == "| a0 | b0 |\n| --- | --- |\n| a1 | b1 |\n| a2 | b2 |\n| a3 | b3 |"


def test_no_network_is_used():
    """In a process whose sockets raise, the models still load and read."""
    program = textwrap.dedent(
        """
        import socket, sys
        def refuse(*_, **__): raise RuntimeError("the network was used")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        sys.path.insert(0, ".")
        from tests.support.documents import written
        from pipelex.reading.ocr import text_in
        print(text_in(written(("Offline 42", 40, 30), size=(400, 120))))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Offline 42", done.stderr
