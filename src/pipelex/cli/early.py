"""Ctrl-C while the command is being loaded, and while it ends: nothing is under way, so the process ends at once.

Without this, Python would print a traceback of the import it was executing.
"""

import os
import signal


def end_at_once_on_interrupt() -> None:
    """Make SIGINT end the process with one line and its own exit code, unless the parent process ignores SIGINT."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def let_the_command_end() -> None:
    """Leave SIGINT to the command, which cleans up after itself."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: object) -> None:
    del frame
    try:
        os.write(2, b"\nInterrupted.\n")
    finally:
        os._exit(128 + number)
