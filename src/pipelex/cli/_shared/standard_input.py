"""Standard input as text."""

import sys
from typing import TextIO

from pipelex.cli._shared.console import say
from pipelex.cli._shared.streams import is_terminal
from pipelex.errors import InputError


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
        say("Reading standard input; end it with Ctrl-D on a line of its own.")
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


def _refused(detail: str, advice: str) -> InputError:
    error = InputError("input.invalid", detail, field="")
    return error.with_report(advice=advice)
