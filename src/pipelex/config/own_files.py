"""Files that their user alone may read: records of runs, of trust, and pages with the values of runs."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

OWN_FOLDER: Final = 0o700
"""The mode of a folder that its user alone may enter."""
_OWN_FILE: Final = 0o600


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
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWN_FILE), "wb") as stream:
        stream.write(data)
