"""Decodes files that people wrote: UTF-8, or UTF-16 or UTF-32 with a byte order mark."""

import codecs
from collections.abc import Sequence
from typing import Final

from pipelex.content.files.not_readable import NotReadable

TO_UTF8: Final = (
    "Save it as UTF-8 with “Save as” in your editor, or convert it: iconv -f ENCODING -t UTF-8 FILE > NEW_FILE"
)
"""The advice on a file in another encoding."""

# The little-endian mark of UTF-32 begins with that of UTF-16, so it is looked for first.
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes, *, marks: Sequence[tuple[bytes, str]] = MARKS) -> str:
    """The text of some bytes, without a byte order mark.

    Args:
        data: the bytes.
        marks: the byte order marks that are recognised, each with its encoding; without a mark, the text is UTF-8.

    Raises:
        NotReadable: the bytes are in another encoding; has the line, and says which encoding it may be.
    """
    encoding = next((name for mark, name in marks if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotReadable(_wide(data) or _why(data, error.start, encoding), line) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise NotReadable(_wide(data) or "has a null character: it is not text", line)
    return text


def _why(data: bytes, start: int, encoding: str) -> str:
    if encoding != "utf-8":
        return f"begins as {encoding.upper()} and is broken at byte {start}"
    told = f"is not UTF-8 text: byte {start} is 0x{data[start]:02X}"
    if data[start] >= 0xA0:
        return f"{told}, which is '{chr(data[start])}' in Latin-1 and Windows-1252"
    return f"{told}"


def _wide(data: bytes) -> str | None:
    """The fault of a UTF-16 text without a byte order mark; None for any other text."""
    head = data[:200]
    return "looks like UTF-16 without a byte order mark" if 3 * head.count(b"\0") > len(head) else None
