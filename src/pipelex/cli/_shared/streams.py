"""The standard streams: whether a person looks at them, and which characters they take."""

import codecs
import io
import os
import sys
from typing import Any, Final, TextIO

_GLYPHS: Final = {
    "✓": "+", "✗": "x", "●": "*", "○": "o", "–": "-", "—": "-", "…": "...", "→": "->", "│": "|", "·": "-", "×": "x",
    "├": "|", "└": "`", "─": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "€": "EUR", "\u00a0": " ",
}  # fmt: skip


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def speaks_unicode(stream: TextIO) -> bool:
    """Whether the stream takes every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def prepare_streams() -> None:
    """Have the standard streams take any text, whatever their encoding: what they lack is replaced.

    A stream that was closed before the start leads nowhere, lest a file that is opened later takes its place.
    """
    _open_closed()
    codecs.register_error("pipelex.replace", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pipelex.replace")


def _open_closed() -> None:
    found: Any = sys  # a stream is None where it was closed, which its type does not say
    if found.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    for name in ("stdout", "stderr"):
        if getattr(found, name) is None:
            setattr(found, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 it is open as long as the process


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_GLYPHS.get(character, "?") for character in lacking), error.end
