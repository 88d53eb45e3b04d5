"""The standard streams: whether a person looks at them, which characters they take, and what was written to us."""

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from pipelex.errors import PipelexError

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


# --- standard input ---------------------------------------------------------------------------------------------------


def stdin_text() -> str:
    """All of standard input; a person at a terminal is told how to end it.

    Raises:
        InputError: it is closed, or no text.
    """
    from pipelex.content.files.not_readable import NotReadable
    from pipelex.content.files.text import TO_UTF8, decoded

    stream: TextIO | None = sys.stdin
    if stream is None or stream.closed:
        raise _refused("standard input is closed", "Give the inputs by name, -i NAME=VALUE, or in a file, -i FILE.")
    if is_terminal(stream):
        sys.stderr.write("Reading standard input; end it with Ctrl-D at the beginning of a line.\n")
    try:
        return decoded(stream.buffer.read())
    except NotReadable as error:
        raise _refused(f"standard input, line {error.line}, {error}", TO_UTF8) from None


def some_stdin_text() -> str:
    """All of standard input, where there is something.

    Raises:
        InputError: it is empty, closed, or no text.
    """
    if text := stdin_text():
        return text
    raise _refused("standard input is empty", "Look at the command before the |: it printed nothing.")


def _refused(detail: str, advice: str) -> "PipelexError":
    from pipelex.errors import InputError

    return InputError("input.invalid", detail, field="").with_report(advice=advice)
