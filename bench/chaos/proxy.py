"""A TCP proxy whose connections can be cut, as when a network loses its state."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

_BLOCK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time-out of zero: closing the socket sends a reset."""


class Proxy:
    """Passes connections to a free port of 127.0.0.1 on to another port, while the block runs.

    Args:
        port: the port they go to; it may be without a listener at times.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.target = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.target = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """Reset every connection; return how many there were."""
        cut = list(self._open)
        for writer in cut:
            sock: socket.socket = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        return len(cut) // 2

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = {writer}
        with contextlib.suppress(OSError, asyncio.CancelledError):
            behind, to_behind = await asyncio.open_connection("127.0.0.1", self._port)
            ends.add(to_behind)
            self._open |= ends
            await asyncio.gather(_copy(reader, to_behind), _copy(behind, writer))
        self._open -= ends
        for each in ends:
            each.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await source.read(_BLOCK):
            sink.write(block)
            await sink.drain()
    sink.close()
