"""How a command that starts processes is ended."""

import signal
from types import FrameType


def end_as_with_ctrl_c() -> None:
    """Have SIGTERM, and SIGINT even in a shell's background job, raise KeyboardInterrupt, so that processes are ended."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupt)
