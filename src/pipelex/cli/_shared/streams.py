"""The standard streams: whether a person looks at them, and which characters they take."""

import codecs
import io
import sys
from typing import Final, TextIO

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
    """Have the standard streams take any text, whatever their encoding: what they lack is replaced."""
    codecs.register_error("pipelex.replace", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pipelex.replace")


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_GLYPHS.get(character, "?") for character in lacking), error.end
