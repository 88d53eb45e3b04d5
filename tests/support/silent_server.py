"""A model server that takes requests and never answers, and notices when a client goes away."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.serving import serving

_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
)


@dataclass
class SilentServer:
    """What it saw so far."""

    refuses: str | None = None
    """Requests that hold this text are refused, as soon as another one waits."""
    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A request came in that waits."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A client closed its connection while it waited for the answer."""
    arrivals: int = 0
    """The number of requests that wait, or waited."""
    departures: int = 0
    """The number of connections that a client closed while it waited."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if self.refuses is not None and self.refuses.encode() in body:
            await self.arrived.wait()
            writer.write(_REFUSAL)
            await writer.drain()
            writer.close()
            return
        self.arrivals += 1
        self.arrived.set()
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        self.departures += 1
        self.left.set()


@asynccontextmanager
async def silent_server(refuses: str | None = None) -> AsyncGenerator[SilentServer]:
    """Run one while the block runs."""
    silent = SilentServer(refuses)
    async with serving(silent.serve) as port:
        silent.url = f"http://127.0.0.1:{port}/v1"
        yield silent
