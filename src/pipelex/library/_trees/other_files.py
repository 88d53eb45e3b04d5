"""Recognises files that are given as methods but are something else, and advises what to type instead."""

import re
import shlex
from pathlib import Path
from typing import Final

from pipelex.content.files.kinds import file_kind, sniff
from pipelex.errors import ErrorCategory, PipelexError

BUNDLE_SUFFIXES: Final = (".mthds", ".plx")
_BUNDLE_LINE: Final = re.compile(
    rb"^[ \t]*(?:(?:domain|main_pipe)[ \t]*=|\[[ \t]*(?:pipe|concept)[ \t.\]])", re.MULTILINE
)
"""A line that only bundles have, whatever else is wrong with the text."""
_LOOKED_AT: Final = 1_000_000
"""The number of bytes at a file's beginning that are searched for such a line."""
_INPUTS: Final = {".json": "a JSON file", ".toml": "a TOML file", ".yaml": "a YAML file", ".yml": "a YAML file"}
"""Suffixes of files that hold the inputs of a run, all at once."""
_KINDS: Final = {
    "pdf": "a PDF",
    "image": "an image",
    "svg": "an image",
    "docx": "a document",
    "odt": "a document",
    "doc": "a document",
    "html": "a web page",
    "csv": "a table",
    "xlsx": "a table",
    "pptx": "a presentation",
    "audio": "an audio file",
    "video": "a video",
    "zip": "an archive",
    "gzip": "an archive",
}


def check_is_bundle(path: Path) -> None:
    """Refuse a file that is not a bundle, by its name and by its content. A bundle with faults is still a bundle.

    Raises:
        PipelexError: the file is something else (`method.not_found`); the advice says what to type.
        OSError: it cannot be read.
    """
    if path.suffix in BUNDLE_SUFFIXES:
        return
    with path.open("rb") as file:
        content = file.read(_LOOKED_AT)
    if _BUNDLE_LINE.search(content):
        return
    raise PipelexError(
        "method.not_found",
        f"'{path}' is {_kind(path, content)}, not a method",
        category=ErrorCategory.CONTENT,
        params={"method_ref": str(path)},
        advice=_advice(path),
    )


def _kind(path: Path, content: bytes) -> str:
    suffix = path.suffix.lower()
    if suffix in _INPUTS:
        return _INPUTS[suffix]
    if suffix == ".py":
        return "Python code"
    if not content.strip():
        return "an empty file"
    return _KINDS.get(
        file_kind(sniff(content, filename=path.name)), "a text" if b"\0" not in content else "a data file"
    )


def _advice(path: Path) -> str:
    """The command to type. If there is only one method beside the file, the command names it."""
    beside = [file for file in sorted(path.parent.iterdir()) if file.suffix in BUNDLE_SUFFIXES]
    method = shlex.quote(str(beside[0])) if len(beside) == 1 else "METHOD.mthds"
    given = shlex.quote(str(path))
    match path.suffix.lower():
        case suffix if suffix in _INPUTS:
            return f"Inputs are given to a method: pipelex run {method} -i {given}"
        case ".csv" | ".tsv":
            return f"To run a method for each of its rows: pipelex run {method} --inputs-csv {given}"
        case ".py":
            return "Name the bundle (*.mthds) whose PipeFunc calls it, or the folder that holds both."
        case _:
            return f"Give the file to a method as an input: pipelex run {method} -i NAME=@{given}"
