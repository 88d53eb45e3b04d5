"""A small picture for scripted image models."""

import struct
import zlib

_SIDE = 8


def picture() -> tuple[bytes, str]:
    """A grey PNG of 8 × 8 pixels, and its MIME type."""
    rows = (b"\0" + b"\x80" * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks), "image/png"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
