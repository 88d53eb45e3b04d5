"""Folders of this machine: they are left out of whatever a worker or a service tells its callers.

A report says where things are on the machine that made it, which helps whoever sits there, and tells everybody else about
the machine alone. So the folders stay in logs, and are left out where a failure leaves the process for a caller.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_HIDDEN = "…"
_SEGMENTS = r"(?:[\\/][^\s\\/'\"`<>|:;,()\[\]{}]*)*"
"""The rest of a path, up to whatever ends one in a text."""

_known: set[str] = set()
"""The folders of this process; unlike any other path they may have spaces in their names."""
_paths: re.Pattern[str] | None = None
"""A path of this machine; None until somebody made its folders known."""


def hide_folders(folders: Iterable[Path | str | None] = ()) -> None:
    """Remember folders whose place must not be told to callers, beside those that every process has.

    Args:
        folders: the folders.
    """
    import tempfile

    global _paths
    own = (tempfile.gettempdir(), sys.prefix, sys.base_prefix, os.path.expanduser("~"))
    found = {form for folder in (*own, *folders) if folder is not None for form in _forms(Path(folder))}
    if _paths is None or not found <= _known:
        _known.update(found)
        _paths = _pattern()


def without_folders(text: str) -> str:
    """The text without the places of its files on this machine; the names of the files stay."""
    return text if _paths is None else _paths.sub(_named, text)


def _forms(folder: Path) -> Iterator[str]:
    """A folder as it is written: absolute, and without links."""
    for form in {os.path.abspath(folder), os.path.realpath(folder)}:
        if len(Path(form).parts) > 1:
            yield form


def _pattern() -> re.Pattern[str]:
    tops = [f"{os.sep}{name}" for name in os.listdir(os.sep)]
    begins = "|".join(map(re.escape, [*sorted(_known, key=len, reverse=True), *sorted(tops, key=len, reverse=True)]))
    begun = rf"(?:(?<=file://)|(?<![\w/.\\]))(?:{begins})(?![\w-])"
    return re.compile(rf"(?:{begun}|(?<!\w)[A-Za-z]:(?=\\)|{_HIDDEN}(?=/)){_SEGMENTS}")


def _named(path: re.Match[str]) -> str:
    """The end of a path: the name of its file."""
    name = re.split(r"[\\/]", path[0].rstrip("\\/"))[-1]
    return f"{_HIDDEN}/{name.removeprefix(_HIDDEN)}"
