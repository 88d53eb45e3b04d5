"""Ctrl-C while the command is being loaded, and while it ends: nothing is under way, so that the process ends at once.

Python would print the traceback of whatever import it was at.
"""

import os
import signal


def end_at_once_on_interrupt() -> None:
    """Have SIGINT end the process with its exit code and one line, unless whoever started it has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def let_the_command_end() -> None:
    """Leave SIGINT to the command, which cleans up."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    del frame
    try:
        os.write(2, b"\nInterrupted.\n")
    finally:
        os._exit(128 + number)
