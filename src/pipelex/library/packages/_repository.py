"""Finds the packages in one repository."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipelex.config.files.paths import resolved
from pipelex.library.packages._manifest import MANIFEST_NAME

_MOST_FOLDERS: Final = 10_000
"""The maximum number of folders of a repository that are searched; packages in further folders are not found."""
_NEVER: Final = frozenset({"__pycache__", "node_modules"})


def packages_beside(folder: Path) -> Iterator[Path]:
    """The packages of the repository that a folder lies in, apart from the folder's own.

    If a package is not in a repository, its siblings in the same folder count, because it may be a copy from one.
    """
    here = resolved(folder)
    root = next((above for above in (here, *here.parents) if (above / ".git").exists()), None)
    is_package = (here / MANIFEST_NAME).is_file()
    found = _below(root) if root is not None else _inside(here.parent) if is_package else ()
    yield from (each for each in found if each != here and (each / MANIFEST_NAME).is_file())


def _below(root: Path) -> Iterator[Path]:
    waiting = [root]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        folder = waiting.pop()
        yield folder
        waiting.extend(reversed([inner for inner in _inside(folder) if not (inner / ".git").exists()]))


def _inside(folder: Path) -> list[Path]:
    """The folders of a folder that may hold a method, by name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [
        folder / name
        for name in sorted(names)
        if not name.startswith(".") and name not in _NEVER and not (folder / name / "pyvenv.cfg").exists()
    ]
