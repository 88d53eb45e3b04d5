import bz2
import lzma
import tracemalloc
import zipfile
import zlib
from io import BytesIO

import pytest

from pipelex.storage import extension_of, file_kind, sniff


def zipped(**files: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "declared", "filename", "expected"),
    [
        (b"%PDF-1.7\n", "text/html", "a.txt", "application/pdf"),
        (b"\n\n\x00\x01%PDF-1.4\n", None, None, "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/png", None, "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", None, None, "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", None, None, "image/heic"),
        (b"\x00\x00\x00\x18ftyphevc\x00\x00\x00\x00mif1hevc", None, None, "image/heic"),
        (b"\x00\x00\x00\x18ftypheim\x00\x00\x00\x00mif1heic", None, None, "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", None, None, "image/avif"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", None, None, "image/heic"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1", None, None, "video/mp4"),
        (b"<!DOCTYPE html><html>", None, None, "text/html"),
        (b"<!DOCTYPE html><html>", "text/html; charset=utf-8", None, "text/html"),
        (b"<html><body>", "application/pdf", "x.pdf", "text/html"),
        (b"  <!-- a --><html>", None, None, "text/html"),
        (b"# Title", None, "notes.md", "text/markdown"),
        (b"a,b\n1,2", "text/csv", "x", "text/csv"),
        (b"a,b\n1,2", "text/plain", "x.csv", "text/csv"),
        (b"plain", None, None, "text/plain"),
        (b"plain", "application/octet-stream", "x.bin", "text/plain"),
        (b'<?xml version="1.0"?><svg xmlns="x">', None, None, "image/svg+xml"),
        (b"\x00\x01\x02", None, None, "application/octet-stream"),
        (b"\x00\x01\x02", "text/plain", "x.txt", "application/octet-stream"),
        (b"WEBVTT\n", "text/plain", None, "text/vtt"),
        (b"", None, None, "text/plain"),
    ],
)
def test_the_bytes_win(data: bytes, declared: str | None, filename: str | None, expected: str):
    assert sniff(data, declared=declared, filename=filename) == expected


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"word__document.xml": ""}, "docx"),
        ({"ppt__presentation.xml": ""}, "pptx"),
        ({"xl__workbook.xml": ""}, "xlsx"),
        ({"mimetype": "application/vnd.oasis.opendocument.text"}, "odt"),
        ({"a.txt": "b"}, "zip"),
    ],
)
def test_formats_inside_of_a_zip(files: dict[str, str], kind: str):
    assert file_kind(sniff(zipped(**files), filename="x.zip")) == kind


def told_by_a_part(method: int, content: bytes) -> bytes:
    """A ZIP whose part `mimetype` claims to be small and to be compressed by a method, whatever it is."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", content)
        archive.writestr("word/document.xml", "")
    data = bytearray(buffer.getvalue())
    entry = data.index(b"PK\x01\x02")
    for place in (8, entry + 10):
        data[place : place + 2] = method.to_bytes(2, "little")
    data[entry + 24 : entry + 28] = (99).to_bytes(4, "little")
    return bytes(data)


BOMBS = {
    "bzip2": (zipfile.ZIP_BZIP2, lambda: bz2.compress(bytes(200_000_000))),
    "lzma": (
        zipfile.ZIP_LZMA,
        lambda: (
            (packed := lzma.compress(bytes(200_000_000), lzma.FORMAT_ALONE))
            and b"\x09\x04\x05\x00" + packed[:5] + packed[13:]
        ),
    ),
    "deflate": (zipfile.ZIP_DEFLATED, lambda: zlib.compress(bytes(200_000_000), 9)[2:]),
    "no bzip2": (zipfile.ZIP_BZIP2, lambda: b"\xff" * 90),
    "no lzma": (zipfile.ZIP_LZMA, lambda: b"\xff" * 90),
    "nothing deflated": (zipfile.ZIP_DEFLATED, lambda: b"\xff" * 90),
    "an unknown method": (77, lambda: b"\xff" * 90),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_part_that_names_the_type_is_not_unpacked(name: str):
    method, content = BOMBS[name]
    data = told_by_a_part(method, content())
    tracemalloc.start()
    try:
        assert file_kind(sniff(data, filename="a.docx")) == "docx"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_directory_of_many_parts_is_not_read():
    one = zipped(a="x")
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * 300_000
    tail = bytearray(one[end:])
    tail[12:16] = len(directory).to_bytes(4, "little")
    data = one[:start] + directory + bytes(tail)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert len(archive.infolist()) == 300_000
    tracemalloc.start()
    try:
        assert sniff(data, filename="a.docx").endswith("wordprocessingml.document")
        assert sniff(data) == "application/zip"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_broken_zip_is_no_office_file():
    assert sniff(b"PK\x03\x04 nothing more") == "application/zip"


def test_extensions():
    assert extension_of("image/jpeg") == "jpg"
    assert extension_of("application/x-unknown") == "bin"
    assert file_kind("text/x-python") == "txt"
    assert file_kind("image/x-exotic") == "image"
    assert file_kind("application/x-unknown") == "application/x-unknown"
