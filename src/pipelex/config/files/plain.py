"""Reads small files that others may have made: only regular files, and only up to a maximum size."""

import os
import stat
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 4_000_000
"""The maximum size of a file of settings, in bytes."""


class UnfitFile(OSError):
    """A file is not read because it is not a regular file, or is too large."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.strerror = why


def read_plain(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file. Devices and pipes, also behind a symbolic link, are refused: they may never end.

    Args:
        path: the file.
        most: the maximum size, in bytes.

    Raises:
        OSError: the file cannot be read, or it is not a regular file or is larger (`UnfitFile`).
    """
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise UnfitFile("it is a device, a pipe or a socket, not a file")
        data = stream.read(most + 1)
    if len(data) > most:
        raise UnfitFile(f"it has more than {most:,} bytes")
    return data


def read_plain_text(path: Path, *, most: int = MOST_BYTES) -> str:
    """The content of a regular file as UTF-8 text, with line feeds only.

    Raises:
        OSError: see `read_plain`.
        UnicodeDecodeError: the file is not UTF-8.
    """
    return read_plain(path, most=most).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
