"""Servers of asyncio for the length of a block that leave nothing behind."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk, *, context: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """The port of 127.0.0.1 on which `talk` answers each connection while the block runs.

    At the end of the block no connection is accepted any more, and conversations that go on are cancelled.

    Args:
        talk: one conversation; its connection is closed after it.
        context: with one, connections are TLS.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        try:
            await talk(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=context)
    listening = server.sockets[0]
    try:
        yield listening.getsockname()[1]
    finally:
        # A connection that was accepted a moment ago becomes a transport in the next turn of the loop. A server that is
        # closed before that turn cannot adopt it, and its socket would stay open.
        asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(0)
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
