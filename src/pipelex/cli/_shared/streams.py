"""The standard streams: whether they are terminals, which characters they can hold, and the text on standard input."""

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
    """Whether the stream is a terminal, so that a person reads it."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def speaks_unicode(stream: TextIO) -> bool:
    """Whether the stream's encoding can hold every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def prepare_streams() -> None:
    """Make the standard streams accept any text: a character that their encoding lacks is replaced.

    A stream that was closed before the start is opened on the null device, or else a file that is opened later would
    get its descriptor.
    """
    _open_closed()
    codecs.register_error("pipelex.replace", _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pipelex.replace")


def _open_closed() -> None:
    found: Any = sys  # a stream that was closed is None, although its type does not say so
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
        InputError: standard input is closed, or is not text.
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
    """All of standard input, which must not be empty.

    Raises:
        InputError: standard input is empty or closed, or is not text.
    """
    if text := stdin_text():
        return text
    raise _refused("standard input is empty", "Look at the command before the |: it printed nothing.")


def _refused(detail: str, advice: str) -> "PipelexError":
    from pipelex.errors import InputError

    return InputError("input.invalid", detail, field="").with_report(advice=advice)
