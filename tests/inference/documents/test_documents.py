import asyncio
import zipfile
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from openpyxl import Workbook, load_workbook
from PIL import Image
from pptx import Presentation

from pipelex.errors import PipelexError
from pipelex.inference.documents import DocumentAsk
from pipelex.inference.documents.paged.files import PageFiles
from pipelex.inference.documents.provider import Pictures
from pipelex.inference.documents.templates import print_template
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.runner import Pipelex
from pipelex.storage import Loaded
from tests.support.archives import BREAKS, OFFICE
from tests.support.documents import encoded, plain
from tests.support.project import Project
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

CONCEPTS = """
domain = "quay"

[concept.Line]
description = "A line of an invoice"
[concept.Line.structure]
label  = { type = "text", description = "Label", required = true }
amount = { type = "number", description = "Amount", required = true }

[concept.Invoice]
description = "An invoice"
[concept.Invoice.structure]
number = { type = "text", description = "Number", required = true }
lines  = { type = "list", item_type = "concept", item_concept_ref = "quay.Line", description = "Lines", required = true }

[pipe.print]
type = "PipeDocGen"
description = "Print"
inputs = { invoice = "Invoice", remark = "Text?", photo = "Image?" }
output = "Document"
"""

INVOICE = {"number": "A&B <7>", "lines": [{"label": "=SUM(A1)", "amount": 12.5}, {"label": "Rope", "amount": 3}]}


async def printed(project: Project, keys: str, **inputs: Any) -> tuple[bytes, dict[str, Any]]:
    app = project.app("direct")
    method = app.load(project.method(CONCEPTS + keys))
    result = await method.run({"invoice": INVOICE, **inputs}, pipe="print")
    content = untyped(result.content)
    return await stored(app, content["url"]), content


async def stored(app: Pipelex, url: str) -> bytes:
    return await app.inference.storage.get(url)


def text_of_pdf(data: bytes) -> str:
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(data)).pages)


def photo(folder: Path, kind: str = "PNG") -> dict[str, str]:
    file = folder / f"photo.{kind.lower()}"
    Image.new("RGB", (40, 30), "red").save(file, kind)
    return {"url": file.as_uri()}


async def test_a_layout_as_pdf_shows_every_input(project: Project):
    data, content = await printed(
        project,
        'format = "pdf"\nfilename = "Invoice $invoice.number"\n',
        remark="Paid\n\nin full",
        photo=photo(project.root),
    )
    assert content["filename"] == "Invoice A&B _7_.pdf"
    assert content["mime_type"] == "application/pdf"
    text = text_of_pdf(data)
    for word in ("A&B <7>", "=SUM(A1)", "12.5", "Rope", "Paid", "in full", "Remark"):
        assert word in text
    assert b"/Subtype /Image" in data


async def test_the_same_values_print_the_same_bytes(project: Project):
    for kind in ("pdf", "docx", "xlsx"):
        _, first = await printed(project, f'format = "{kind}"\n', remark="x")
        await asyncio.sleep(1.1)
        _, second = await printed(project, f'format = "{kind}"\n', remark="x")
        assert first == second


async def test_inline_html_is_printed_and_escaped(project: Project):
    template = "<h1>Nr {{ invoice.number }}</h1>{% for line in invoice.lines %}<p>{{ line.label }}</p>{% endfor %}"
    data, _ = await printed(project, f"format = \"pdf\"\ntemplate = '''{template}'''\n")
    assert "Nr A&B <7>" in text_of_pdf(data)
    assert "Rope" in text_of_pdf(data)


async def test_a_page_fetches_nothing_of_this_machine(project: Project, caplog: pytest.LogCaptureFixture):
    secret = project.root / "secret.png"
    Image.new("RGB", (400, 300), "blue").save(secret)
    template = f'<p>seen</p><img src="{secret}"/><div style="background-image: url({secret})">x</div>'
    data, _ = await printed(project, f"format = \"pdf\"\ntemplate = '''{template} $invoice.number'''\n")
    assert "seen" in text_of_pdf(data)
    assert b"/Width 400" not in data
    assert "leaves out" in caplog.text
    assert "secret.png'" in caplog.text


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_a_layout_as_word(project: Project, kind: str):
    data, content = await printed(project, 'format = "docx"\n', remark="Paid", photo=photo(project.root, kind))
    document = Document(BytesIO(data))
    assert content["filename"] == "print.docx"
    assert [p.text for p in document.paragraphs if p.text] == ["Invoice", "Lines", "Remark", "Paid", "Photo"]
    rows = [[cell.text for cell in row.cells] for table in document.tables for row in table.rows]
    assert rows == [["Number", "A&B <7>"], ["Label", "Amount"], ["=SUM(A1)", "12.5"], ["Rope", "3"]]
    assert len(document.inline_shapes) == 1


async def test_a_layout_as_excel_keeps_numbers_and_makes_no_formula(project: Project):
    data, _ = await printed(project, 'format = "xlsx"\n', remark="Paid")
    book = load_workbook(BytesIO(data))
    assert book.sheetnames == ["Invoice", "Remark"]
    assert list(book["Invoice"].values) == [
        ("Number", "A&B <7>"),
        ("Lines", None),
        ("Label", "Amount"),
        ("=SUM(A1)", 12.5),
        ("Rope", 3),
    ]
    assert book["Invoice"]["A4"].data_type == "s"


async def test_a_word_template_repeats_rows_and_mends_split_tags(project: Project):
    document = Document()
    paragraph = document.add_paragraph("Invoice {")
    paragraph.add_run("{ invoice.num").bold = True
    paragraph.add_run("ber }}: {{ remark }}")
    table = document.add_table(rows=3, cols=2)
    for row, texts in enumerate(
        [("{%tr for line in invoice.lines %}", ""), ("{{ line.label }}", "{{ line.amount }}"), ("{%tr endfor %}", "")]
    ):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    document.add_paragraph("{%p if invoice.lines|length > 1 %}")
    document.add_paragraph("several lines")
    document.add_paragraph("{%p endif %}")
    document.save(str(project.root / "invoice.docx"))
    data, _ = await printed(project, 'format = "docx"\ntemplate_file = "invoice.docx"\n', remark="first\nsecond")
    found = Document(BytesIO(data))
    assert [p.text for p in found.paragraphs] == ["Invoice A&B <7>: first\nsecond", "several lines"]
    assert [[cell.text for cell in row.cells] for row in found.tables[0].rows] == [["=SUM(A1)", "12.5"], ["Rope", "3"]]


async def test_a_powerpoint_template(project: Project):
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Invoice {{ invoice.number }}"
    deck.save(str(project.root / "deck.pptx"))
    data, content = await printed(project, 'format = "pptx"\ntemplate_file = "deck.pptx"\n')
    shown = Presentation(BytesIO(data)).slides[0].shapes.title
    assert shown is not None
    assert shown.text == "Invoice A&B <7>"
    assert content["filename"] == "print.pptx"


async def test_an_excel_template_repeats_rows_and_keeps_formats(project: Project):
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Invoice {{ invoice.number }}"],
        ["{%tr for line in invoice.lines %}"],
        ["{{ line.label }}", "{{ line.amount }}", "=B3*2"],
        ["{%tr endfor %}"],
        ["End"],
    ):
        sheet.append(row)
    sheet["B3"].number_format = "0.00"
    book.save(project.root / "sheet.xlsx")
    data, _ = await printed(project, 'format = "xlsx"\ntemplate_file = "sheet.xlsx"\n')
    found = load_workbook(BytesIO(data)).active
    assert found is not None
    assert [row[:2] for row in found.values] == [
        ("Invoice A&B <7>", None),
        ("=SUM(A1)", 12.5),
        ("Rope", 3),
        ("End", None),
    ]
    assert (found["B2"].number_format, found["A2"].data_type) == ("0.00", "s")


def word_cells(*cells: str) -> bytes:
    document = Document()
    table = document.add_table(1, len(cells))
    for cell, text in zip(table.rows[0].cells, cells, strict=True):
        cell.text = text
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def slide_cells(*cells: str) -> bytes:
    show: Any = Presentation()
    shapes = show.slides.add_slide(show.slide_layouts[6]).shapes
    table = shapes.add_table(1, len(cells), 0, 0, 1_000_000, 1_000_000).table
    for place, text in enumerate(cells):
        table.cell(0, place).text = text
    out = BytesIO()
    show.save(out)
    return out.getvalue()


@pytest.mark.parametrize(("form", "made"), [("docx", word_cells), ("pptx", slide_cells)])
@pytest.mark.parametrize(
    ("cells", "is_refused"),
    [
        (("{% for n in [1, 2] %}{{ n }}", "x{% endfor %}"), True),
        (("{{ 1 }}", "{%- endif %}"), True),
        (("{% if 1 %}yes", "{% endif %}{% if 1 %}no{% endif %}"), True),
        (("{% for n in [1, 2] %}{{ n }} {% endfor %}", "{% if 1 %}yes{% endif %}"), False),
    ],
)
async def test_a_block_over_the_cells_of_a_table_is_refused(
    form: Any, made: Any, cells: tuple[str, ...], is_refused: bool
):
    request = DocumentRequest(format=form, filename="x", source="template_file")
    ask = DocumentAsk(request, made(*cells))
    if not is_refused:
        assert b"1 2" in b"".join(parts_of(await print_template(ask, no_pictures)))
        return
    with pytest.raises(PipelexError, match="in a row of its own above them"):
        await print_template(ask, no_pictures)


@pytest.mark.parametrize("form", OFFICE)
@pytest.mark.parametrize("broken", BREAKS)
async def test_a_broken_template_is_named_with_what_is_wrong(project: Project, form: str, broken: str):
    change, said = BREAKS[broken]
    (project.root / f"t.{form}").write_bytes(change(OFFICE[form]("{{ invoice.number }}")))
    with pytest.raises(PipelexError, match=f"the template 't.{form}' is not a valid {form} file: .*({said})") as caught:
        await printed(project, f'format = "{form}"\ntemplate_file = "t.{form}"\n')
    assert caught.value.code == "pipe.template_render_failed"


async def no_pictures(urls: Sequence[str]) -> Pictures:
    return {}


def parts_of(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist()]


@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
async def test_an_html_template_file_sees_files_beside_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, is_relative: bool
):
    monkeypatch.chdir(project.root)
    photo(project.root)
    (project.root / "page.html").write_text('<h1>$invoice.number</h1><img src="photo.png"/>', encoding="utf-8")
    file = project.method(CONCEPTS + 'format = "pdf"\ntemplate_file = "page.html"\n')
    app = project.app("direct")
    method = app.load(file.relative_to(project.root) if is_relative else file)
    result = await method.run({"invoice": INVOICE}, pipe="print")
    data = await stored(app, untyped(result.content)["url"])
    assert "A&B <7>" in text_of_pdf(data)
    assert b"/Width 40" in data


@pytest.mark.parametrize(
    ("data", "is_shown"), [(encoded(plain(41, 30), "TIFF"), True), (encoded(plain(41, 30))[:60], False)]
)
def test_an_image_of_a_page_is_drawn_or_refused(data: bytes, is_shown: bool):
    files = PageFiles({"s:a": Loaded(data, "image/tiff" if is_shown else "image/png")}, None, None)
    if is_shown:
        assert files("s:a").mime_type == "image/png"
        files.check()
        return
    with pytest.raises(OSError, match="s:a"):
        files("s:a")
    with pytest.raises(PipelexError, match="images that cannot be read: 's:a'"):
        files.check()


async def test_a_file_that_a_template_shows_must_exist(project: Project):
    (project.root / "page.html").write_text('<p>$invoice.number</p><img src="pics/logo.png"/>', encoding="utf-8")
    with pytest.raises(PipelexError) as caught:
        await printed(project, 'format = "pdf"\ntemplate_file = "page.html"\n')
    assert caught.value.code == "pipe.template_render_failed"
    assert "'pics/logo.png'" in caught.value.report.detail


async def test_a_template_that_is_no_word_file_is_a_fault_of_the_method(project: Project):
    (project.root / "bad.docx").write_bytes(b"not a zip")
    with pytest.raises(PipelexError) as caught:
        await printed(project, 'format = "docx"\ntemplate_file = "bad.docx"\n')
    assert caught.value.code == "pipe.template_render_failed"
    assert "bad.docx" in caught.value.report.detail


@pytest.mark.parametrize("form", ["docx", "pptx", "xlsx"])
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({f"word/{number}": 0 for number in range(30_000)}, "has more than 20,000 parts"),
        ({f"word/{number}": 80_000_000 for number in range(14)}, "unpacks to 1,120,000,000 bytes"),
    ],
    ids=["parts", "bytes"],
)
async def test_a_template_that_unpacks_to_too_much_is_refused(
    project: Project, form: str, parts: dict[str, int], said: str
):
    with zipfile.ZipFile(project.root / f"large.{form}", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, size in parts.items():
            archive.writestr(name, bytes(size))
    with pytest.raises(PipelexError) as caught:
        await printed(project, f'format = "{form}"\ntemplate_file = "large.{form}"\n')
    assert caught.value.code == "pipe.template_render_failed"
    assert f"'large.{form}' {said}" in caught.value.report.detail


async def test_an_engine_that_cannot_print_the_format_says_so(project: Project):
    app = project.app("direct")
    method = app.open(project.method(CONCEPTS + 'format = "docx"\nmodel = "reportlab-pdf"\n'))
    with pytest.raises(PipelexError) as caught:
        await method.run({"invoice": INVOICE}, pipe="print")
    assert caught.value.code in ("model.capability_unsupported", "method.invalid")


async def test_archives_hold_no_times(project: Project):
    data, _ = await printed(project, 'format = "xlsx"\n')
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert b"1980-01-01T00:00:00Z" in archive.read("docProps/core.xml")


async def test_excel_files_have_dates_and_pictures(project: Project):
    data, _ = await printed(
        project,
        'format = "xlsx"\n',
        invoice={
            "number": "2026-03-01",
            "lines": [{"label": "2026-03-01T10:30:00", "amount": 1}, {"label": "0999-01-01", "amount": 2}],
        },
        remark="2026-13-45",
        photo=photo(project.root, "WEBP"),
    )
    book: Any = load_workbook(BytesIO(data))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    dates = [(cell.value, cell.number_format) for cell in cells if isinstance(cell.value, datetime)]
    assert dates == [
        (datetime(2026, 3, 1), "yyyy-mm-dd"),
        (datetime(2026, 3, 1, 10, 30), "yyyy-mm-dd hh:mm:ss"),
    ]
    assert {"0999-01-01", "2026-13-45"} <= {cell.value for cell in cells}
    assert [len(sheet._images) for sheet in book.worksheets] == [0, 0, 1]


@pytest.mark.parametrize(
    ("cells", "refused"),
    [
        (["{% for line in invoice.lines %}{{ line.label }}", "{{ line.amount }}{% endfor %}"], "{%tr for … %}"),
        (["{% if remark %}", "{% endif %}"], "{%tr if … %}"),
        (["{{ invoice.number }}", "{%- endfor %}"], "{%tr for … %}"),
        (["{% for line in invoice.lines %}{{ line.label }} {% endfor %}", "x"], None),
    ],
)
async def test_a_block_over_cells_is_refused_with_the_form_to_write(
    project: Project, cells: list[str], refused: str | None
):
    book: Any = Workbook()
    book.active.append(cells)
    book.save(project.root / "sheet.xlsx")
    keys = 'format = "xlsx"\ntemplate_file = "sheet.xlsx"\n'
    if refused is None:
        data, _ = await printed(project, keys)
        filled: Any = load_workbook(BytesIO(data))
        assert filled.active["A1"].value == "=SUM(A1) Rope "
        return
    with pytest.raises(PipelexError) as caught:
        await printed(project, keys)
    assert refused in caught.value.report.detail
    assert "of the sheet 'Sheet'" in caught.value.report.detail
