import zipfile
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


def test_a_broken_zip_is_no_office_file():
    assert sniff(b"PK\x03\x04 nothing more") == "application/zip"


def test_extensions():
    assert extension_of("image/jpeg") == "jpg"
    assert extension_of("application/x-unknown") == "bin"
    assert file_kind("text/x-python") == "txt"
    assert file_kind("image/x-exotic") == "image"
    assert file_kind("application/x-unknown") == "application/x-unknown"
