"""Paths that others may have made."""

import os
from pathlib import Path


def resolved(path: Path) -> Path:
    """The absolute path with its symbolic links followed, as `Path.resolve` returns it.

    If the links form a loop, the result is a path that cannot be opened. `Path.resolve` raises `RuntimeError` for a loop,
    up to Python 3.12.
    """
    return Path(os.path.realpath(path))
