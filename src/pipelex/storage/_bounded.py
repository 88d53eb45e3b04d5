"""Reads objects of a store up to a maximum size, because a short reference may name gigabytes."""

import stat
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelex.errors import InputError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MAX_BYTES: Final = 100 * 1024 * 1024
"""The maximum size of a file that runs read, in bytes, from any source: 100 MiB."""
MOST_KEPT: Final = 128 * 1024 * 1024
"""The maximum size of bytes kept under a name, and of a value passed by reference, in bytes: 128 MiB."""

_CHUNK: Final = 4 * 1024 * 1024


class LargerThanAllowed(Exception):
    """An object has more bytes than may be read."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes")
        self.size = size
        """The size that the store reports, or the number of bytes at which reading stopped."""


def read_bounded(store: "ObjectStore", key: str, most: int) -> bytes:
    """The bytes of an object.

    If the store reports a larger size, nothing is read. The bytes are counted in any case.

    Raises:
        LargerThanAllowed: the object has more bytes than `most`.
        FileNotFoundError: there is no such object.
    """
    import obstore

    found = obstore.get(store, key)
    if found.meta["size"] > most:
        raise LargerThanAllowed(found.meta["size"])
    read = BytesIO()
    for chunk in found.stream(min_chunk_size=_CHUNK):
        read.write(memoryview(chunk))
        if read.tell() > most:
            raise LargerThanAllowed(read.tell())
    return read.getvalue()


def check_plain(file: Path, uri: str) -> None:
    """Refuse anything in a local store's folder that is not a regular file, because reading a device may never end.

    Raises:
        InputError: the path is a folder, a pipe or a device (`input.file_unreadable`).
    """
    try:
        mode = file.stat().st_mode
    except OSError:
        return  # reading from the store will raise a better error
    if not stat.S_ISREG(mode):
        raise InputError("input.file_unreadable", f"{uri!r} cannot be read: it is not a file", reason="not_a_file")


def too_large(uri: str, label: str, most: int, size: int) -> InputError:
    """The error for an object that is larger than allowed."""
    detail = f"{uri!r} in {label} is larger than {most:,} bytes"
    return InputError("input.too_large", detail, limit=most, size=size)
