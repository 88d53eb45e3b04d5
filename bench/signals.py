"""Signals that end a command which has started processes."""

import signal
from types import FrameType


def end_as_with_ctrl_c() -> None:
    """Make SIGTERM, and SIGINT even in a background job, raise KeyboardInterrupt, so that child processes are ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupt)
