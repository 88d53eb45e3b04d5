"""Signals that a worker is alive and that it polls: an HTTP port and a file."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from pipelex.cli.worker.flags import EVERYWHERE, WorkerFlags
from pipelex.errors import ErrorCategory, PipelexError

PATIENCE: Final = 20.0
"""The seconds without an answer from the server after which a worker counts as not ready."""

_LOOKS: Final = 4
"""The number of times that the server is asked within `PATIENCE`."""


class Readiness:
    """Shows that a worker is alive, and whether it is ready: it polls, and the server has answered recently.

    Args:
        ready_file: the file that exists while the worker is ready.
        health_port: the port that serves `GET /healthz`, 200 while the process runs, and `GET /readyz`, 200 while the
            worker is ready and 503 otherwise.
        health_address: the address that the port listens on.
        patience: the seconds without an answer from the server after which the worker is not ready.
    """

    def __init__(
        self,
        ready_file: Path | None,
        health_port: int | None,
        health_address: str = EVERYWHERE,
        patience: float = PATIENCE,
    ) -> None:
        self._file = ready_file
        self._port = health_port
        self._address = health_address
        self._patience = patience
        self._polls = False
        self._answered = 0.0
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, flags: WorkerFlags) -> Self:
        """The signals that the options of the command ask for.

        Raises:
            Misuse: the options for the health port are incomplete or contradict each other.
        """
        address, port = flags.health()
        return cls(flags.ready_file, port, address)

    @property
    def port(self) -> int | None:
        """The port that is listened on; None before `open`, or if none is wanted."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else None

    @property
    def reason(self) -> str | None:
        """The reason why the worker is not ready; None when it is."""
        if not self._polls:
            return "not polling"
        silent = time.monotonic() - self._answered
        return f"the Temporal server has not answered for {silent:.0f} s" if silent > self._patience else None

    async def open(self) -> None:
        """Listen on the port; the worker is not ready yet.

        Raises:
            PipelexError: the port is taken, or the file of an earlier worker cannot be removed.
        """
        if self._file is not None:
            try:
                self._file.unlink(missing_ok=True)
                self._file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _refused(f"the ready file '{self._file}' cannot be written: {error.strerror}") from None
        if self._port is not None:
            try:
                self._server = await asyncio.start_server(self._answer, host=self._address, port=self._port)
            except OSError as error:
                where = f"{self._address}:{self._port}"
                raise _refused(f"{where} for health checks cannot be listened on: {error.strerror}") from None

    def set_ready(self, ask: Callable[[], Awaitable[object]] | None = None) -> None:
        """Note that the worker polls from now on.

        Args:
            ask: asks the server something, and raises if it does not answer; called at intervals. If None, the worker
                is ready as long as it polls.
        """
        self._polls = True
        self._answered = time.monotonic() if ask is not None else float("inf")
        self._follow()
        if ask is not None:
            self._watching = asyncio.create_task(self._watch(ask))

    def set_stopping(self) -> None:
        """Note that the worker takes no new tasks from now on."""
        self._polls = False
        self._follow()

    async def close(self) -> None:
        """Stop listening."""
        self.set_stopping()
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _watch(self, ask: Callable[[], Awaitable[object]]) -> None:
        interval = self._patience / _LOOKS
        while True:
            began = time.monotonic()
            with suppress(Exception):
                async with asyncio.timeout(interval):
                    await ask()
                self._answered = time.monotonic()
            self._follow()
            await asyncio.sleep(max(0.0, began + interval - time.monotonic()))

    def _follow(self) -> None:
        """Create the file if the worker is ready, and remove it if not."""
        if self._file is None:
            return
        if self.reason is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
        elif not self._file.exists():
            written = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            written.write_text(f"{os.getpid()}\n", encoding="utf-8")
            written.replace(self._file)  # so that nobody sees it half-written

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = self._status(head.split(b"\r\n", 1)[0])
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
                    f"Connection: close\r\n\r\n{body}".encode()
                )
                await writer.drain()
        writer.close()

    def _status(self, request: bytes) -> tuple[str, str]:
        method, _, rest = request.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if path not in (b"/healthz", b"/readyz"):
            return "404 Not Found", "not found\n"
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", "GET only\n"
        if path == b"/healthz":
            return "200 OK", "alive\n"
        reason = self.reason
        return ("200 OK", "ready\n") if reason is None else ("503 Service Unavailable", f"{reason}\n")


def _refused(detail: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "worker"},
        advice="Name another one.",
    )
