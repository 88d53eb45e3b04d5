"""How others learn that a worker polls: a file, and an HTTP port."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from pipelex.errors import ErrorCategory, PipelexError


class Readiness:
    """Says that a worker polls, and stops saying it.

    Args:
        ready_file: made when ready, removed at the end.
        health_port: of `GET /healthz`, on all addresses: 200 when ready, 503 otherwise.
    """

    def __init__(self, ready_file: Path | None, health_port: int | None) -> None:
        self._file = ready_file
        self._port = health_port
        self._is_ready = False
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen on the port; not ready yet.

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
                self._server = await asyncio.start_server(self._answer, host="0.0.0.0", port=self._port)
            except OSError as error:
                raise _refused(f"port {self._port} for health checks cannot be used: {error.strerror}") from None

    def set_ready(self) -> None:
        """From now on the worker polls."""
        self._is_ready = True
        if self._file is not None:
            written = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            written.write_text(f"{os.getpid()}\n", encoding="utf-8")
            written.replace(self._file)  # never seen half-written

    def set_stopping(self) -> None:
        """From now on nothing new should be expected of the worker."""
        self._is_ready = False
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    async def close(self) -> None:
        """Stop listening."""
        self.set_stopping()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

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
        if rest.split(b" ", 1)[0].split(b"?", 1)[0] != b"/healthz":
            return "404 Not Found", "not found\n"
        if method not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", "GET only\n"
        return ("200 OK", "ready\n") if self._is_ready else ("503 Service Unavailable", "not polling\n")


def _refused(detail: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "worker"},
        advice="Name another one.",
    )
