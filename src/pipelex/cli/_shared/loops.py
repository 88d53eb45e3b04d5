"""Running coroutines in a command that a person may interrupt."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from pipelex.exits import ExitCode

T = TypeVar("T")


class Interrupted(Exception):
    """A signal asked the command to end, and its work was cancelled."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode(128 + self.number)


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Await some work; SIGINT and SIGTERM cancel it.

    Raises:
        Interrupted: a signal came before the work was done.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[int] = []

    def interrupt(number: int) -> None:
        received.append(number)
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
