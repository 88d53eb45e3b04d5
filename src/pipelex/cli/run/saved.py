"""Lines that tell people about the files that a run made."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipelex.storage import SavedFiles, StoredFile

_TOLD: Final = 5
"""The most files that are listed for people."""


def saved_lines(saved: "SavedFiles") -> list[str]:
    """Lines about the saved files, and about those that could not be fetched."""
    lines = [f"  File: {path}" for path in saved.paths[:_TOLD]]
    if (more := len(saved.names) - _TOLD) > 0:
        lines.append(f"  … and {more:,} more in {saved.folder}/")
    return lines + missing_lines(saved)


def missing_lines(saved: "SavedFiles") -> list[str]:
    """Lines about the files that could not be fetched, with what to do about them."""
    lines: list[str] = []
    for file, failed in list(saved.missing.items())[:_TOLD]:
        lines.append(f"  Not fetched: {file.filename}: {failed.report.detail}")
    if saved.missing:
        lines.append(_ELSEWHERE)
    return lines


_ELSEWHERE: Final = (
    "  Files are in the storage of the worker that made them: give this machine the same [runtime.storage], or run"
    " pipelex storage get ADDRESS where the worker runs."
)


def stored_lines(files: "Sequence[StoredFile]", run_id: str) -> list[str]:
    """Lines that say how to fetch the files of a result that was only printed."""
    if not files:
        return []
    noun = "a file" if len(files) == 1 else f"{len(files):,} files"
    name = _quoted(files[0].filename)
    return [
        f"The result has {noun}; save everything:  pipelex runs result {run_id} --output-dir results",
        f"  or one of them:  pipelex storage get {files[0].uri} -o {name}",
    ]


def _quoted(name: str) -> str:
    from shlex import quote

    return quote(str(Path(name)))
