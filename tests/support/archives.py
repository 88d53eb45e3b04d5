"""Office files that are broken as ZIP archives, each in another way."""

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final

import docx
import openpyxl
import pptx

_ENTRY = b"PK\x01\x02"


def word_file(text: str) -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    return _saved(document)


def excel_file(text: str) -> bytes:
    book: Any = openpyxl.Workbook()
    book.active["A1"] = text
    return _saved(book)


def slides_file(text: str) -> bytes:
    show: Any = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = text
    return _saved(show)


def _saved(made: Any) -> bytes:
    out = BytesIO()
    made.save(out)
    return out.getvalue()


def _entries(data: bytearray) -> Iterator[tuple[int, int]]:
    """The places of each part's entry in the directory, and of its own head."""
    at = data.find(_ENTRY)
    while at >= 0:
        yield at, int(struct.unpack("<L", data[at + 42 : at + 46])[0])
        at = data.find(_ENTRY, at + 4)


def _with(change: Callable[[bytearray, int, int], None]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        found = bytearray(data)
        for entry, head in [*_entries(found)]:
            change(found, entry, head)
        return bytes(found)

    return changed


def _too_new(data: bytearray, entry: int, head: int) -> None:
    data[entry + 6 : entry + 8] = struct.pack("<H", 99)


def _encrypted(data: bytearray, entry: int, head: int) -> None:
    data[entry + 8] |= 1
    data[head + 6] |= 1


def _compressed_as_never(data: bytearray, entry: int, head: int) -> None:
    for place in (entry + 10, head + 8):
        data[place : place + 2] = struct.pack("<H", 97)


def _elsewhere(data: bytearray, entry: int, head: int) -> None:
    data[entry + 42 : entry + 46] = struct.pack("<L", 0x7FFFFFFF)


def _damaged(data: bytearray, entry: int, head: int) -> None:
    name, extra = struct.unpack("<HH", data[head + 26 : head + 30])
    start = head + 30 + name + extra
    data[start : start + 12] = bytes(byte ^ 0xFF for byte in data[start : start + 12])


BREAKS: Final[dict[str, tuple[Callable[[bytes], bytes], str]]] = {
    "cut": (lambda data: data[:-50], "not a zip file"),
    "damaged": (_with(_damaged), "decompressing data"),
    "elsewhere": (_with(_elsewhere), "Truncated file header|Bad magic number"),
    "encrypted": (_with(_encrypted), "it is encrypted"),
    "of another method": (_with(_compressed_as_never), "compressed in a way that Office files are not"),
    "too new": (_with(_too_new), "zip file version 9.9"),
}
"""Name → what breaks an archive, and what the message about it says."""

OFFICE: Final = {"docx": word_file, "pptx": slides_file, "xlsx": excel_file}
"""Format → what makes a file with one text."""
