"""Columns, tables and turned pages of PDFs, as libraries that write PDFs draw them."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen import canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table

from pipelex.errors import PipelexError
from tests.inference.extract.conftest import Bench, text_of

PAGE = (595, 842)
CELLS = [["Item", "Qty", "Price"], ["Rope, 10 m", "3", "12.50"], ["Anchor", "1", "99.00"], ["Lamp | red", "12", "7.25"]]
TABLE = """\
| Item | Qty | Price |
| --- | --- | --- |
| Rope, 10 m | 3 | 12.50 |
| Anchor | 1 | 99.00 |
| Lamp \\| red | 12 | 7.25 |"""
NORMAL = getSampleStyleSheet()["Normal"]


def drawn(draw: Callable[[Any], None]) -> bytes:
    out = BytesIO()
    page = canvas.Canvas(out, pagesize=PAGE)
    page.setFont("Helvetica", 10)
    draw(page)
    page.save()
    return out.getvalue()


def flowing(*parts: Any) -> bytes:
    out = BytesIO()
    SimpleDocTemplate(out, pagesize=PAGE).build(list(parts))
    return out.getvalue()


def table(style: Sequence[tuple[Any, ...]], cells: Sequence[list[Any]] = CELLS, **options: Any) -> bytes:
    return flowing(
        Paragraph("Before it", NORMAL), Table(cells, style=list(style), **options), Paragraph("After it", NORMAL)
    )


def rotated(data: bytes, degrees: int) -> bytes:
    writer = PdfWriter()
    for page in PdfReader(BytesIO(data)).pages:
        writer.add_page(page.rotate(degrees))
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def two_columns(page: Any) -> None:
    page.drawString(50, 780, "The headline goes over both of the columns of this page")
    for row in range(12):
        page.drawString(50, 740 - 14 * row, f"Left {row} has some words of the first column")
        page.drawString(320, 740 - 14 * row, f"Right {row} has some words of the second column")
    page.drawString(
        50, 500, "The footer goes over the whole width of the page and covers the space between the columns"
    )


async def read(bench: Bench, data: bytes) -> str:
    return text_of((await bench.pages(data))[0])


async def test_columns_that_were_drawn_row_by_row_are_read_one_after_the_other(bench: Bench):
    text = await read(bench, drawn(two_columns))
    left = "\n".join(f"Left {row} has some words of the first column" for row in range(12))
    right = "\n".join(f"Right {row} has some words of the second column" for row in range(12))
    head, *middle, foot = text.split("\n\n")
    assert middle == [left, right]
    assert (head[:12], foot[:10]) == ("The headline", "The footer")


async def test_three_columns_and_one_that_ends_earlier(bench: Bench):
    def draw(page: Any) -> None:
        for column, (x, rows) in enumerate(((40, 20), (220, 20), (400, 12))):
            for row in range(rows):
                page.drawString(x, 780 - 14 * row, f"c{column} row {row} of this text")

    text = await read(bench, drawn(draw))
    assert [part.split("\n")[-1] for part in text.split("\n\n")] == [
        "c0 row 19 of this text",
        "c1 row 19 of this text",
        "c2 row 11 of this text",
    ]


@pytest.mark.parametrize("first", [0, 1, 2], ids=["as high", "higher by a few points", "higher by half a line"])
async def test_later_columns_may_begin_higher_than_the_first(bench: Bench, first: int):
    def draw(page: Any) -> None:
        page.drawString(450, 815, "Graz, May 3rd")
        for column, x in enumerate((40, 220, 400)):
            for row in range(10):
                page.drawString(x, 770 + 3.5 * first * (column > 0) - 14 * row, f"c{column} row {row} of this text")

    columns = ["\n".join(f"c{column} row {row} of this text" for row in range(10)) for column in range(3)]
    assert (await read(bench, drawn(draw))).split("\n\n") == ["Graz, May 3rd", *columns]


async def test_a_table_in_a_column_and_tables_side_by_side(bench: Bench):
    def draw(page: Any) -> None:
        for row in range(14):
            page.drawString(50, 780 - 14 * row, f"Left {row} has some words of the first column")
            if not 4 <= row < 9:
                page.drawString(320, 780 - 14 * row, f"Right {row} has some words of the second column")
        ruled = Table(CELLS, style=[("GRID", (0, 0), (-1, -1), 0.5, colors.black)], rowHeights=14)
        for x, y in ((330, 665), (50, 500), (320, 505)):
            ruled.wrapOn(page, 300, 300)
            ruled.drawOn(page, x, y)

    left, above, inside, below, *beside = (await read(bench, drawn(draw))).split("\n\n")
    assert (left[:6], above.split("\n")[-1][:7], inside, below[:7]) == ("Left 0", "Right 3", TABLE, "Right 9")
    assert beside == [TABLE, TABLE]


async def test_sentences_around_a_table_without_lines_close_none_of_its_columns(bench: Bench):
    cells = [["", "Qty", "Price"], ["Rope", "3", "12.50"], ["Anchor", "1", "99.00"], ["Lamp", "12", "7.25"]]
    text = "A sentence over the spaces between the columns"
    data = flowing(Paragraph(text, NORMAL), Table(cells, colWidths=[60, 60, 60]), Paragraph(text, NORMAL))
    lines = ["|  | Qty | Price |", "| --- | --- | --- |", *(f"| {' | '.join(row)} |" for row in cells[1:])]
    assert await read(bench, data) == "\n".join([text, "", *lines, "", text])


@pytest.mark.parametrize(
    "style",
    [[("GRID", (0, 0), (-1, -1), 0.5, colors.black)], [("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.black)], []],
    ids=["ruled", "lines below rows", "without lines"],
)
async def test_tables_are_tables(bench: Bench, style: Sequence[tuple[Any, ...]]):
    assert await read(bench, table(style, colWidths=[150, 100, 100])) == f"Before it\n\n{TABLE}\n\nAfter it"


async def test_cells_of_several_lines_and_over_several_columns(bench: Bench):
    cells = [
        ["Name", "Notes"],
        ["Ana", Paragraph("a long note that goes over several lines of its cell, as notes do", NORMAL)],
        ["Over both of the columns", ""],
    ]
    style = [("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (0, 2), (1, 2))]
    assert await read(bench, table(style, cells, colWidths=[60, 120])) == (
        "Before it\n\n| Name | Notes |\n| --- | --- |\n| Ana | a long note that goes over several lines of its cell, as"
        " notes do |\n| Over both of the columns |  |\n\nAfter it"
    )


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_page_with_a_rotation_reads_as_without(bench: Bench, degrees: int):
    for data in (drawn(two_columns), table([("GRID", (0, 0), (-1, -1), 0.5, colors.black)], colWidths=[150, 100, 100])):
        assert await read(bench, rotated(data, degrees)) == await read(bench, data)


@pytest.mark.parametrize("quarters", [1, 2, 3])
async def test_text_that_is_drawn_turned_reads_upright(bench: Bench, quarters: int):
    def draw(page: Any) -> None:
        page.translate(*{1: (595, 0), 2: (595, 842), 3: (0, 842)}[quarters])
        page.rotate(90 * quarters)
        for row in range(6):
            page.drawString(60, 500 - 20 * row, f"Line {row} of a page that is drawn turned")

    expected = "\n".join(f"Line {row} of a page that is drawn turned" for row in range(6))
    data = drawn(draw)
    assert await read(bench, data) == expected
    assert await read(bench, rotated(data, 90 * quarters % 360)) == expected


async def test_lists_frames_and_plain_texts_are_no_tables(bench: Bench):
    def draw(page: Any) -> None:
        for row in range(5):
            page.drawString(50, 780 - 14 * row, f"{row + 1}.")
            page.drawString(80, 780 - 14 * row, f"The point number {row + 1} of a list")
        page.rect(40, 600, 300, 60)
        page.drawString(60, 640, "A text in a frame,")
        page.drawString(60, 620, "which is no table.")

    text = await read(bench, drawn(draw))
    assert "|" not in text
    assert "1. The point number 1 of a list" in text


def tiff(*pages: Image.Image) -> bytes:
    out = BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=list(pages[1:]))
    return out.getvalue()


async def test_every_page_of_a_tiff(bench: Bench):
    from pipelex.pipes.effects.requests import ViewsRequest

    data = tiff(*(Image.new("RGB", (40 + page, 30), "white") for page in range(3)))
    url = (await bench.storage.put(data, filename="fax.tiff")).uri
    views = await bench.extraction.render_page_views(ViewsRequest(source={"url": url}))
    assert [view["width"] for view in views.contents] == [40, 41, 42]  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue, reportOptionalSubscript]


@pytest.mark.parametrize("name", ["empty.pdf", "empty.png", "empty.txt", "empty.docx"])
async def test_an_empty_file_is_refused(bench: Bench, name: str):
    with pytest.raises(PipelexError, match="it is empty: it has 0 bytes") as caught:
        await bench.pages(b"", filename=name)
    assert caught.value.code == "input.file_unreadable"
