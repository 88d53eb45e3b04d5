"""Small files of a folder that others may have made: read where they are plain files, and not without end."""

import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 4_000_000
"""The maximum size of a file of settings, in bytes."""


class UnfitFile(OSError):
    """A file that is not read: it is not a plain one, or too large."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


def read_plain(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """The content of a plain file. A device or a pipe, also behind a symbolic link, might never end.

    Args:
        path: the file.
        most: the maximum size, in bytes.

    Raises:
        OSError: it cannot be read, is not a plain file, or is larger (`UnfitFile`).
    """
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise UnfitFile("it is a device, a pipe or a socket, not a file")
        data = stream.read(most + 1)
    if len(data) > most:
        raise UnfitFile(f"it has more than {most:,} bytes")
    return data


def read_plain_text(path: Path, *, most: int = MOST_BYTES) -> str:
    """The same as a text in UTF-8, with line ends of one character.

    Raises:
        OSError: see `read_plain`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_plain(path, most=most).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
