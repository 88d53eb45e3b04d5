"""Documents made to fill the memory, to take for ever, or to bring the process down that reads them."""

import asyncio
import os
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference.extract import ExtractionOptions
from pipelex.inference.extract import processes as reading
from pipelex.reading.source import ReadingLimits
from tests.inference.extract.conftest import Bench, text_of
from tests.support.documents import PdfPage, pdf
from tests.support.project import Project, write_project

MB = 1024 * 1024
SMALL = ReadingLimits(max_memory=192 * MB, seconds=5.0, max_pages=200, max_text=2_000_000)


def archive(parts: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return buffer.getvalue()


_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
_RELS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XML = '<Default Extension="xml" ContentType="application/xml"/>'
_RELS_TYPE = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'


_STRINGS = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def _package(main: str, kind: str, parts: dict[str, bytes]) -> bytes:
    strings = (
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_STRINGS}"/>'
        if "xl/sharedStrings.xml" in parts
        else ""
    )
    types = f'{_TYPES}{strings}{_XML}{_RELS_TYPE}<Override PartName="/{main}" ContentType="{kind}"/></Types>'
    rels = f'{_RELS}<Relationship Id="r1" Type="{_OFFICE}/officeDocument" Target="{main}"/></Relationships>'
    return archive({"[Content_Types].xml": types.encode(), "_rels/.rels": rels.encode(), **parts})


def docx(body: bytes) -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    head = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    return _package("word/document.xml", kind, {"word/document.xml": head + body + b"</w:body></w:document>"})


def xlsx(sheet: bytes, strings: bytes = b"") -> bytes:
    names = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    book = f'<workbook xmlns="{names}" xmlns:r="{_OFFICE}"><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>'
    rels = (
        f'{_RELS}<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    head = f'<worksheet xmlns="{names}">'.encode()
    shared = f'<sst xmlns="{names}">'.encode() + strings + b"</sst>"
    return _package(
        "xl/workbook.xml",
        kind,
        {
            "xl/workbook.xml": book.encode(),
            "xl/_rels/workbook.xml.rels": rels.encode(),
            "xl/worksheets/sheet1.xml": head + sheet + b"</worksheet>",
            "xl/sharedStrings.xml": shared,
        },
    )


def xlsx_wide() -> bytes:
    row = b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>'
    return xlsx(b"<sheetData>" + b"".join(row % (n, n) for n in range(1, 20_000)) + b"</sheetData>")


def xlsx_strings() -> bytes:
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n) for n in range(1, 4_000))
    return xlsx(b"<sheetData>" + cells + b"</sheetData>", b"<si><t>" + b"x" * 300_000 + b"</t></si>")


def docx_paragraphs() -> bytes:
    return docx(b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 2_000_000)


def docx_deep() -> bytes:
    cell = b"<w:tbl><w:tr><w:tc>"
    return docx(cell * 30_000 + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * 30_000)


def docx_entities() -> bytes:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE x [<!ENTITY a0 "{"x" * 100}">{levels}]>'
    head = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
    whole = f"{text}{head}&a11;</w:t></w:r></w:p></w:body></w:document>".encode()
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return _package("word/document.xml", kind, {"word/document.xml": whole})


def pptx_slide() -> bytes:
    import pptx

    buffer = BytesIO()
    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[6])
    deck.save(buffer)
    out = BytesIO()
    shape = (
        b'<p:sp><p:nvSpPr><p:cNvPr id="2" name="a"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
        b"<p:txBody><a:bodyPr/><a:p><a:r><a:t>x</a:t></a:r></a:p></p:txBody></p:sp>"
    )
    with zipfile.ZipFile(buffer) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for entry in given.infolist():
            content = given.read(entry)
            if entry.filename == "ppt/slides/slide1.xml":
                content = content.replace(b"</p:spTree>", shape * 500_000 + b"</p:spTree>")
            made.writestr(entry.filename, content)
    return out.getvalue()


def docx_parts() -> bytes:
    return _package("word/document.xml", "", {f"word/media/{number}": b"" for number in range(30_000)})


def eml_parts() -> bytes:
    body = b"".join(b"--a\nContent-Type: text/plain\n\nx\n" for _ in range(150_000))
    return b"From: a@b.c\nSubject: x\nContent-Type: multipart/mixed; boundary=a\n\n" + body + b"--a--\n"


def eml_deep() -> bytes:
    head = b"From: a@b.c\nMIME-Version: 1.0\n"
    inner = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3_000))
    return head + inner + b"Content-Type: text/plain\n\nx"


def eml_header() -> bytes:
    return (
        b"From: "
        + b"(" * 200_000
        + b"\nTo: "
        + b"a@b.c, " * 40_000
        + b"\nSubject: "
        + b"=?utf-8?q?x?= " * 40_000
        + b"\n\nx"
    )


def html_deep() -> bytes:
    return b"<html><body>" + b"<div>" * 100_000 + b"x"


def html_tags() -> bytes:
    return b"<html><body><table>" + b"<tr><td>x" * 1_000_000


def pdf_pages() -> bytes:
    kids = b"3 0 R " * 1_000_000
    parts = [
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        b"2 0 obj\n<< /Type /Pages /Count 1000000 /Kids [" + kids + b"] >>\nendobj\n",
        b"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF",
    ]
    return b"".join(parts)


def pdf_stream() -> bytes:
    """A page whose content is 300 MB of operators in 300 kB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"q " * 500_000) for _ in range(300)) + packer.flush()
    content = (
        b"4 0 obj\n<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream\nendobj\n"
    )
    return (
        b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
        b"\nendobj\n3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R >>\nendobj\n"
        + content
        + b"trailer\n<< /Root 1 0 R >>\n%%EOF"
    )


def png_large() -> bytes:
    """A picture of 8,000 by 9,900 pixels in few bytes: below the limit of pixels, and much memory."""
    row = b"\0" + bytes(8_000 * 4)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(9_900)) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 8_000, 9_900, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def csv_cells() -> bytes:
    return b"a,b\n" + b",".join([b"x"] * 200_000) + b"\n" + b"x\n" * 20_000


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "wide rows": (xlsx_wide, "a.xlsx"),
    "one long string": (xlsx_strings, "a.xlsx"),
    "paragraphs": (docx_paragraphs, "a.docx"),
    "tables in tables": (docx_deep, "a.docx"),
    "entities": (docx_entities, "a.docx"),
    "shapes": (pptx_slide, "a.pptx"),
    "parts of an archive": (docx_parts, "a.docx"),
    "parts of a mail": (eml_parts, "a.eml"),
    "parts in parts": (eml_deep, "a.eml"),
    "a header": (eml_header, "a.eml"),
    "elements in elements": (html_deep, "a.html"),
    "cells": (html_tags, "a.html"),
    "a million pages": (pdf_pages, "a.pdf"),
    "operators": (pdf_stream, "a.pdf"),
    "a table": (csv_cells, "a.csv"),
}


def limited(bench: Bench, limits: ReadingLimits = SMALL) -> Bench:
    bench.extraction.options = ExtractionOptions(limits=limits)
    return bench


def memory_of(pid: int | str = "self") -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children() -> set[int]:
    """The reading processes of this process."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "reading/child.py"], capture_output=True, text=True)
    return {int(pid) for pid in found.stdout.split()}


@pytest.fixture(autouse=True)
def fresh() -> Any:
    reading.end_processes()
    yield
    reading.end_processes()


@pytest.mark.matrix(fast=15)
@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_ends_alone(bench: Bench, name: str):
    """Whatever it is, this process stays small, and the next document is read."""
    make, filename = BOMBS[name]
    data, before = make(), memory_of()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max([most, *map(memory_of, children())])
            await asyncio.sleep(0.2)

    watching = asyncio.create_task(watch())
    (ended,) = await asyncio.gather(limited(bench).pages(data, filename=filename), return_exceptions=True)
    if isinstance(ended, PipelexError):
        assert ended.code in ("input.too_large", "input.file_unreadable"), ended.report
        assert not ended.report.is_retryable
    else:
        assert not isinstance(ended, BaseException), ended
        assert sum(len(text_of(page)) for page in ended) <= SMALL.max_text
    watching.cancel()
    assert memory_of() - before < 150 * MB
    assert most < 450 * MB
    assert text_of((await bench.pages(b"<p>Still here", filename="b.html"))[0]) == "Still here"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wide rows", "one long string", "paragraphs"])
async def test_memory_is_what_is_said(bench: Bench, name: str):
    make, filename = BOMBS[name]
    with pytest.raises(PipelexError) as caught:
        await limited(bench, replace(SMALL, seconds=120.0, max_memory=96 * MB)).pages(make(), filename=filename)
    assert caught.value.code == "input.too_large", caught.value.report
    assert "'max_memory_bytes' of [inference.extract]" in (caught.value.report.advice or "")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (docx_parts, "has more than 20,000 parts"),
        (lambda: archive({f"word/{n}": bytes(64 * MB) for n in range(17)}), "unpacks to 1,140,850,688 bytes"),
    ],
)
async def test_an_archive_is_refused_before_it_is_read(bench: Bench, make: Callable[[], bytes], said: str):
    with pytest.raises(PipelexError, match=said) as caught:
        await limited(bench).pages(make(), filename="a.docx")
    assert caught.value.code == "input.too_large"


@pytest.mark.slow
async def test_a_large_picture(bench: Bench):
    with pytest.raises(PipelexError) as caught:
        await limited(bench).pages(png_large(), "rapidocr-extract-text", filename="a.png")
    assert caught.value.code in ("input.too_large", "input.file_unreadable")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["time", "cancel"])
async def test_what_takes_too_long_is_ended(bench: Bench, way: str):
    data = docx_paragraphs()
    limits = replace(SMALL, max_memory=2_000 * MB, seconds=0.7 if way == "time" else 300.0)
    began = asyncio.create_task(limited(bench, limits).pages(data, filename="a.docx"))
    if way == "time":
        with pytest.raises(PipelexError) as caught:
            await began
        assert caught.value.report.params["reason"] == "too_slow"
        assert "timeout_seconds" in (caught.value.report.advice or "")
    else:
        while not children():
            await asyncio.sleep(0.05)
        began.cancel()
        with pytest.raises(asyncio.CancelledError):
            await began
    until = time.monotonic() + 20
    while children() and time.monotonic() < until:
        await asyncio.sleep(0.1)
    assert children() == set()


async def test_a_process_that_is_killed_is_replaced(bench: Bench):
    assert await limited(bench).pages(b"<p>One", filename="a.html")
    (pid,) = children()
    os.kill(pid, 9)
    assert text_of((await bench.pages(b"<p>Two", filename="a.html"))[0]) == "Two"


@pytest.mark.slow
async def test_small_documents_share_a_process(bench: Bench):
    await limited(bench).pages(b"<p>One", filename="a.html")
    first = children()
    for number in range(5):
        await bench.pages(b"<p>%d" % number, filename="a.html")
    assert len(first) == 1
    assert children() == first
    for number in range(60):
        await bench.pages(b"<p>%d" % number, filename="a.html")
    assert children().isdisjoint(first)  # it is replaced after some


async def test_the_process_sees_no_keys(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789")
    await limited(bench).pages(b"<p>One", filename="a.html")
    (pid,) = children()
    assert b"SOME_API_KEY" not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.slow
def test_it_ends_with_whoever_started_it(tmp_path: Path):
    program = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        sys.path.insert(0, ".")
        from pipelex.inference.extract.processes import read_pages
        from pipelex.reading.source import ExtractAsk, ReadingLimits, SourceFile
        async def main():
            async for page in read_pages(SourceFile(b"x", "text/html", "html", "a"), ExtractAsk(), ReadingLimits()):
                pass
            os.system(f"pgrep -P {os.getpid()} -f reading/child.py")
            sys.stdout.flush()
            if sys.argv[1] == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
        """
    )
    for how in ("killed", "ended"):
        done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=False)
        pid, until = int(done.stdout.split()[0]), time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) and time.monotonic() < until:
            time.sleep(0.1)
        assert not Path(f"/proc/{pid}").exists() or "Z" in _state(pid)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2]
    except OSError:
        return "Z"


METHOD = """
domain = "quay"
main_pipe = "read"
[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { paper = "Document" }
output = "Page[]"
model = "pypdfium2-extract-pdf"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("max_pages", 2, "input.too_large"),
        ("max_text_characters", 20, "input.too_large"),
        ("max_memory_bytes", 1, "input.too_large"),
        ("timeout_seconds", 0.0001, "input.file_unreadable"),
    ],
)
async def test_limits_are_settings(tmp_path: Path, key: str, value: Any, code: str):
    project: Project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    paper = tmp_path / ("a.html" if key == "max_memory_bytes" else "a.pdf")
    pages = [PdfPage([f"Page number {number}"]) for number in range(3)]
    paper.write_bytes(b"<p>x</p>" * 20_000 if paper.suffix == ".html" else pdf(*pages))
    for is_limited in (False, True):
        reading.end_processes()  # one that is warm has the memory already
        overrides = {f"inference.extract.{key}": value} if is_limited else {}
        async with project.app("direct", overrides=overrides) as app:
            run = app.load(project.method(METHOD)).run({"paper": str(paper)})
            if not is_limited:
                assert (await run).value
                continue
            with pytest.raises(PipelexError) as caught:
                await run
            assert caught.value.code == code, caught.value.report


@pytest.mark.slow
async def test_many_wait_for_their_turn(bench: Bench):
    texts = [f"Paper {number}" for number in range(12)]
    found = await asyncio.gather(*(limited(bench).pages(f"<p>{text}".encode(), filename="a.html") for text in texts))
    assert [text_of(pages[0]) for pages in found] == texts
    assert len(children()) <= 2
