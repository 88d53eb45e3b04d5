"""Hides the folders of this machine from the callers of a worker or a service.

A report names paths on the machine that made it. They help a person at that machine, but to anybody else they only
reveal something about it. So logs keep the folders, and a failure that leaves the process for a caller loses them.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_HIDDEN = "…"
_SEGMENTS = r"(?:[\\/][^\s\\/'\"`<>|:;,()\[\]{}]*)*"
"""A pattern for the rest of a path, up to a character that ends a path in a text."""

_known: set[str] = set()
"""The folders that are matched literally because their names contain a character that ends a path, such as a space."""
_ordinary: re.Pattern[str] | None = None
"""The pattern of a path without such a character; None until `hide_folders` is called."""
_paths: re.Pattern[str] | None = None
"""The pattern of any path on this machine; None until `hide_folders` is called."""


def hide_folders(folders: Iterable[Path | str | None] = ()) -> None:
    """Remember folders whose paths must not be shown to callers.

    Args:
        folders: the folders, in addition to the temporary, the home and Python's own folders.
    """
    import tempfile

    global _ordinary, _paths
    if _ordinary is None:
        _ordinary = _paths = _pattern(())
    own = (tempfile.gettempdir(), sys.prefix, sys.base_prefix, os.path.expanduser("~"))
    forms = {form for folder in (*own, *folders) if folder is not None for form in _forms(Path(folder))}
    # A process may learn of thousands of folders. Nearly all are ordinary, and only the others make the pattern longer.
    unusual = {form for form in forms - _known if not _ordinary.fullmatch(form)}
    if unusual:
        _known.update(unusual)
        _paths = _pattern(_known)


def without_folders(text: str) -> str:
    """The text with the folders of this machine's files removed; the names of the files stay."""
    return text if _paths is None else _paths.sub(_named, text)


def _forms(folder: Path) -> Iterator[str]:
    """The forms in which a folder may be written: absolute, and with symbolic links resolved."""
    for form in {os.path.abspath(folder), os.path.realpath(folder)}:
        if len(Path(form).parts) > 1:
            yield form


def _pattern(folders: Iterable[str]) -> re.Pattern[str]:
    tops = [f"{os.sep}{name}" for name in os.listdir(os.sep)]
    begins = "|".join(map(re.escape, [*sorted(folders, key=len, reverse=True), *sorted(tops, key=len, reverse=True)]))
    begun = rf"(?:(?<=file://)|(?<![\w/.\\]))(?:{begins})(?![\w-])"
    return re.compile(rf"(?:{begun}|(?<!\w)[A-Za-z]:(?=\\)|{_HIDDEN}(?=/)){_SEGMENTS}")


def _named(path: re.Match[str]) -> str:
    """The replacement for a path: the name of its file after a mark for the hidden folders."""
    name = re.split(r"[\\/]", path[0].rstrip("\\/"))[-1]
    return f"{_HIDDEN}/{name.removeprefix(_HIDDEN)}"
