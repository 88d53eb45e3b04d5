"""Files that need no model: text of all kinds, web pages and office files."""

import base64
import zipfile
from datetime import datetime
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pptx
import pytest
from openpyxl import Workbook
from openpyxl.drawing.image import Image as SheetImage
from PIL import Image
from pptx.util import Inches

from pipelex.config.distribution import install_command
from pipelex.content.files.kinds import type_of_extension
from pipelex.errors import PipelexError
from pipelex.inference.extract.processes import end_processes
from tests.inference.extract.conftest import Bench, images_of, text_of
from tests.support.archives import BREAKS, OFFICE
from tests.support.documents import encoded, plain
from tests.support.http_stub import Answer, http_stub

PICTURE = encoded(plain(30, 20))
DATA_URL = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
PAGE = f"""<!DOCTYPE html><html><head><title>Shop</title><style>p {{ color: red }}</style></head><body>
<script>alert("no")</script>
<h1>Our prices</h1><p>Cheap &amp; good, see <a href="../terms">the terms</a>.</p>
<ul><li>Apples</li><li>Pears</li></ul>
<table><tr><th>Fruit</th><th>Price</th></tr><tr><td>Apple</td><td>2 €</td></tr></table>
<img src="/img/apple.png" alt="An apple"><img src="{DATA_URL}" alt="Inside"><img src="javascript:x()">
</body></html>"""


@pytest.mark.slow
async def test_a_web_page(bench: Bench):
    answer = Answer(PAGE.encode(), headers={"content-type": "text/html; charset=utf-8"})
    async with http_stub(lambda _: answer) as stub:
        pages = await bench.pages(f"{stub.url}/shop/prices")

    assert len(pages) == 1
    text = text_of(pages[0])
    assert text.startswith("# Our prices\n\nCheap & good, see [the terms]")
    assert f"[the terms]({stub.url}/terms)" in text
    assert "- Apples\n- Pears" in text
    assert "| Apple | 2 € |" in text
    assert f"![An apple]({stub.url}/img/apple.png)" in text
    for unseen in ("alert", "color", DATA_URL, "Shop"):
        assert unseen not in text
    linked, inside = images_of(pages[0])
    assert linked == {"url": f"{stub.url}/img/apple.png", "caption": "An apple"}
    assert (inside["width"], inside["height"], inside["caption"]) == (30, 20, "Inside")
    assert await bench.bytes_of(inside) == PICTURE
    assert "raw_html" not in pages[0]["text_and_images"]
    assert len(stub.requests) == 1


async def test_raw_html_and_no_images(bench: Bench):
    pages = await bench.pages(PAGE.encode(), include_raw_html=True, max_page_images=0)
    assert '<script>alert("no")</script>' in pages[0]["text_and_images"]["raw_html"]
    assert images_of(pages[0]) == []


@pytest.mark.parametrize(
    ("request_", "capability"), [({"render_js": True}, "render_js"), ({"page_views": True}, "page_views")]
)
async def test_what_is_not_done_for_web_pages(bench: Bench, request_: dict[str, Any], capability: str):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(PAGE.encode(), **request_)
    assert caught.value.code == "model.capability_unsupported"
    assert caught.value.report.params["capability"] == capability


@pytest.mark.slow
async def test_html_nested_without_end(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(b"<html>" + b"<div>" * 20_000)
    assert caught.value.report.params["reason"] == "nesting"


@pytest.mark.parametrize(
    ("data", "filename", "text"),
    [
        (b"# Title\r\n\r\nText", "a.md", "# Title\n\nText"),
        ("Äpfel".encode("utf-16"), "a.txt", "Äpfel"),
        ("Äpfel".encode("cp1252"), "a.txt", "Äpfel"),
        (b"\xef\xbb\xbfhello", "a.txt", "hello"),
        (
            b"<table><tr><td>Code</td><td>Means</td></tr><tr><td>a|b</td><td><b>or|else</b></td></tr></table>",
            "a.html",
            "| Code | Means |\n| --- | --- |\n| a\\|b | **or\\|else** |",
        ),
        (b"name,price\nApple,2\nPear,\n", "a.csv", "| name | price |\n| --- | --- |\n| Apple | 2 |\n| Pear |  |"),
        (b'name;note\nApple;"a|b\nc"\n', "a.csv", "| name | note |\n| --- | --- |\n| Apple | a\\|b c |"),
        (b"WEBVTT\n\n00:01 --> 00:02\nHello", "a.vtt", "WEBVTT\n\n00:01 --> 00:02\nHello"),
        (b'{"a": 1}', "a.json", '{"a": 1}'),
    ],
)
async def test_text_files(bench: Bench, data: bytes, filename: str, text: str):
    assert [text_of(page) for page in await bench.pages(data, filename=filename)] == [text]


async def test_mail(bench: Bench):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.com", "bob@example.com", "Grüße"
    message.set_content("The plain text.")
    message.add_alternative("<p>The <b>HTML</b></p>", subtype="html")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="report.pdf")

    text = text_of((await bench.pages(message.as_bytes(), filename="a.eml"))[0])

    assert text == (
        "From: ann@example.com\nTo: bob@example.com\nSubject: Grüße\nAttachments: report.pdf\n\nThe plain text."
    )


def docx(*body: str, **files: bytes) -> bytes:
    """A Word file of paragraphs; `media` becomes its picture."""
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006"
    picture = (
        f'<w:p><w:r><w:drawing><wp:inline xmlns:wp="{drawing}/wordprocessingDrawing">'
        '<wp:docPr id="1" name="P" descr="A red box"/>'
        f'<a:graphic xmlns:a="{drawing}/main"><a:graphicData uri="{drawing}/picture"><pic:pic '
        f'xmlns:pic="{drawing}/picture"><pic:blipFill><a:blip r:embed="rId1" xmlns:r="{office}"/></pic:blipFill>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    paragraphs = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in body)
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{rels}"><Relationship Id="rId1" Type="{office}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body>{paragraphs}{picture if files else ""}</w:body>'
        "</w:document>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{rels}"><Relationship Id="rId1" '
        f'Type="{office}/image" Target="media/one.png"/></Relationships>',
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        for data in files.values():
            archive.writestr("word/media/one.png", data)
    return buffer.getvalue()


async def test_word(bench: Bench):
    pages = await bench.pages(docx("First paragraph", "Second", media=PICTURE), filename="a.docx")

    assert len(pages) == 1
    assert text_of(pages[0]) == "First paragraph\n\nSecond\n\n![A red box](image-1.png)"
    image = images_of(pages[0])[0]
    assert (image["filename"], image["caption"], image["width"]) == ("image-1.png", "A red box", 30)
    assert await bench.bytes_of(image) == PICTURE


async def test_powerpoint(bench: Bench):
    deck: Any = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Plan"
    slide.placeholders[1].text = "Begin\nEnd"
    slide.shapes.add_picture(BytesIO(PICTURE), Inches(1), Inches(6))
    slide.notes_slide.notes_text_frame.text = "Speak slowly"
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for row, cells in enumerate((("Year", "Sum"), ("2026", "7"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    buffer = BytesIO()
    deck.save(buffer)

    pages = await bench.pages(buffer.getvalue(), filename="a.pptx")

    assert text_of(pages[0]) == "# Plan\n\n- Begin\n- End\n\n![image-1](image-1.png)\n\nNotes: Speak slowly"
    assert text_of(pages[1]) == "| Year | Sum |\n| --- | --- |\n| 2026 | 7 |"
    assert [len(images_of(page)) for page in pages] == [1, 0]


async def test_excel(bench: Bench):
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Sums"
    for row in (["Year", "Sum"], [2026, 7.5], [None, None], ["all", None]):
        sheet.append(row)
    book.create_sheet("Empty")
    buffer = BytesIO()
    book.save(buffer)

    pages = await bench.pages(buffer.getvalue(), filename="a.xlsx")

    assert text_of(pages[0]) == "# Sums\n\n| Year | Sum |\n| --- | --- |\n| 2026 | 7.5 |\n| all |  |"
    assert text_of(pages[1]) == "# Empty"


@pytest.mark.parametrize("part", ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"])
async def test_broken_office_files(bench: Bench, part: str):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(part, "<not really")
    with pytest.raises(PipelexError) as caught:
        await bench.pages(buffer.getvalue())
    assert caught.value.code == "input.file_unreadable"
    assert caught.value.report.params["reason"] == "damaged"


async def test_views_of_office_files_are_refused(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await bench.pages(docx("text"), page_views=True)
    assert caught.value.report.params["capability"] == "page_views"


@pytest.mark.parametrize(
    ("library", "data", "model", "extra"),
    [
        ("mammoth", docx("text"), "pypdfium2-extract-pdf", "office"),
        ("rapidocr", PICTURE, "rapidocr-extract-text", "ocr"),
    ],
)
async def test_an_extra_that_is_not_installed(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    library: str,
    data: bytes,
    model: str,
    extra: str,
):
    (tmp_path / f"{library}.py").write_text("raise ImportError", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    end_processes()  # the next one is told where modules are now
    request.addfinalizer(end_processes)
    with pytest.raises(PipelexError) as caught:
        await bench.pages(data, model)
    assert caught.value.code == "runtime.misconfigured"
    assert install_command(extra) in (caught.value.report.advice or "")


async def test_dates_and_pictures_of_excel_files(bench: Bench):
    book: Any = Workbook()
    sheet = book.active
    sheet.append(["Day", datetime(2026, 3, 1), datetime(2026, 3, 1, 10, 30)])
    picture = BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    sheet.add_image(SheetImage(picture), "B4")
    book.create_sheet("Other")
    out = BytesIO()
    book.save(out)
    first, second = await bench.pages(out.getvalue(), filename="a.xlsx")
    assert "| Day | 2026-03-01 | 2026-03-01 10:30:00 |" in text_of(first)
    assert text_of(first).endswith("![image-1](image-1.png)")
    assert [(image["width"], image["height"]) for image in images_of(first)] == [(40, 30)]
    assert images_of(second) == []


@pytest.mark.parametrize("form", OFFICE)
@pytest.mark.parametrize("broken", BREAKS)
async def test_a_broken_office_file_says_what_is_wrong(bench: Bench, form: str, broken: str):
    change, said = BREAKS[broken]
    source = f"data:{type_of_extension('a.' + form)};base64,{base64.b64encode(change(OFFICE[form]('Hello'))).decode()}"
    with pytest.raises(PipelexError, match=f"cannot be read: [^:]*({said})") as caught:
        await bench.pages(source)
    assert caught.value.code == "input.file_unreadable"
    assert caught.value.report.params["reason"] == "damaged"
