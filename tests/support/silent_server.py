"""A model server that takes requests and never answers, and notices when a client goes away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.serving import serving


@dataclass
class SilentServer:
    """What it saw so far."""

    url: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A request came in."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A client closed its connection while it waited for the answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.arrived.set()
        try:
            while await reader.read(65_536):
                pass
        except ConnectionError:
            pass
        self.left.set()


@asynccontextmanager
async def silent_server() -> AsyncGenerator[SilentServer]:
    """Run one while the block runs."""
    silent = SilentServer()
    async with serving(silent.serve) as port:
        silent.url = f"http://127.0.0.1:{port}/v1"
        yield silent
