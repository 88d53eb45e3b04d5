"""Files that their user alone may read: records of runs, of trust, and pages with the values of runs."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal, TextIO, overload

OWN_FOLDER: Final = 0o700
"""The mode of a folder that its user alone may enter."""
_OWN_FILE: Final = 0o600


@overload
def open_own(path: Path, mode: Literal["w"] = "w", *, newline: str | None = None) -> TextIO: ...
@overload
def open_own(path: Path, mode: Literal["wb", "ab"]) -> BinaryIO: ...
def open_own(path: Path, mode: str = "w", *, newline: str | None = None) -> IO[Any]:
    """A file to write to: one that is new is its user's alone, one that is there keeps its mode.

    Args:
        path: the file, which need not be a plain one, in a folder that exists.
        mode: `w` for text in UTF-8, `wb` or `ab` for bytes.
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
    """Write behind what is in a file, which is made if it is not there.

    Raises:
        OSError: the file cannot be written, and is as it was.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), _OWN_FILE)
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


def write_own_file(path: Path, data: bytes, *, in_place: bool = False) -> None:
    """Write a file that its user alone may read, whole or not at all.

    Args:
        path: the file, in a folder that exists. One that is there already is replaced.
        data: what is written.
        in_place: whether the file itself is written to, where nobody reads it meanwhile, or where it need not be a
            plain file. It keeps the mode that it has.

    Raises:
        OSError: the file cannot be written; what was there before is there still, if not written in place.
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


def _write(path: Path, data: bytes) -> None:
    with open_own(path, "wb") as stream:
        stream.write(data)
