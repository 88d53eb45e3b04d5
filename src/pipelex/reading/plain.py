"""The size of a plain and whole PNG or JPEG, read without decoding anything.

Most images of prompts are plain. All others are checked and converted in a process of their own.
"""

from typing import Final
from zlib import crc32

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_END_OF_JPEG: Final = b"\xff\xd9"
_SOF: Final = frozenset({0xC0, 0xC1, 0xC2})
"""The frames of a JPEG that every client reads: baseline, extended, progressive."""
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length."""
_CHANNELS: Final = (1, 3)
_EXIF: Final = 0xE1
_ADOBE: Final = 0xEE


def plain_size(data: bytes) -> tuple[int, int] | None:
    """The width and height; None for another kind of image, or one that may be cut, rotated or have print colours."""
    if data.startswith(_PNG):
        if len(data) < 33 or data[12:16] != b"IHDR" or data[24] == 16 or b"acTL" in data[:1024] or not _is_whole(data):
            return None
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _jpeg_size(data) if data.startswith(b"\xff\xd8\xff") and data.endswith(_END_OF_JPEG) else None


def _is_whole(png: bytes) -> bool:
    """Whether a PNG has all of its chunks, each with the right check sum, and nothing behind them."""
    place, kind = len(_PNG), b""
    while place + 12 <= len(png) and kind != b"IEND":
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        kind = png[place + 4 : place + 8]
        if crc32(memoryview(png)[place + 4 : end]) != int.from_bytes(png[end : end + 4], "big"):
            return False
        place = end + 4
    return kind == b"IEND" and place == len(png)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _BARE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in (_EXIF, _ADOBE):
            return None
        if marker in _SOF:
            height, width = (int.from_bytes(data[at : at + 2], "big") for at in (place + 5, place + 7))
            return (width, height) if data[place + 9] in _CHANNELS else None
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
