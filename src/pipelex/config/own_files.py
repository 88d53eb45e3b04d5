"""Writes files that only their user may read: records of runs and of trust, and pages with the values of runs."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal, TextIO, overload

OWN_FOLDER: Final = 0o700
"""The mode of a folder that only its user may enter."""
_OWN_FILE: Final = 0o600
_TO_WRITE: Final = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@overload
def open_own(path: Path, mode: Literal["w"] = "w", *, newline: str | None = None) -> TextIO: ...
@overload
def open_own(path: Path, mode: Literal["ab"]) -> BinaryIO: ...
def open_own(path: Path, mode: str = "w", *, newline: str | None = None) -> IO[Any]:
    """Open a file for writing. Only its user may read a new file; an existing file keeps its mode.

    Args:
        path: the file, which need not be a regular file, in a folder that exists.
        mode: `w` for text in UTF-8, `ab` for bytes at the end.
        newline: see `open`.

    Raises:
        OSError: the file cannot be written.
    """
    return open(
        path,
        mode,
        encoding=None if "b" in mode else "utf-8",
        newline=newline,
        opener=lambda name, flags: os.open(name, flags, _OWN_FILE),
    )


def write_own_text(path: Path, text: str) -> None:
    """Write a text; see `open_own`.

    Raises:
        OSError: the file cannot be written.
    """
    with open_own(path) as stream:
        stream.write(text)


def append_own(path: Path, data: bytes) -> None:
    """Append to a file, which is created if it does not exist.

    Raises:
        OSError: the file cannot be written; its content is unchanged.
    """
    _write(path, data, os.O_APPEND)


def write_own_file(path: Path, data: bytes, *, in_place: bool = False) -> None:
    """Write a file that only its user may read, completely or not at all.

    Args:
        path: the file, in a folder that exists. An existing file is replaced.
        data: the content.
        in_place: whether to write to the file itself instead of replacing it, if nothing reads it meanwhile or it may
            not be a regular file. It keeps its mode.

    Raises:
        OSError: the file cannot be written; unless it was written in place, the earlier file is unchanged.
    """
    if in_place:
        _write(path, data)
        return
    written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(written, data)
        written.replace(path)
    except OSError:
        with suppress(OSError):
            written.unlink()
        raise


def _write(path: Path, data: bytes, how: int = os.O_TRUNC) -> None:
    """Write all bytes, or none if that fails. `open` has layers that take as long as a small file's writing."""
    file = os.open(path, _TO_WRITE | how, _OWN_FILE)
    written = 0
    try:
        while written < len(data):
            written += os.write(file, memoryview(data)[written:])
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, os.fstat(file).st_size - written)
        raise
    finally:
        os.close(file)
