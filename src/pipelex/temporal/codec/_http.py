"""A small HTTP/1.1 server for a few JSON endpoints: h11 for the protocol, asyncio for the connections."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h11

MOST_BYTES: Final = 32 * 1024 * 1024
"""The maximum size of a request's body, in bytes. A page of a history, which is what the UI sends, has 4 MiB at most."""

_READ: Final = 65_536
_IDLE_SECONDS: Final = 60.0
_LINGERING_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Request:
    """A request, read as a whole."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """The headers, with names in lower case."""
    body: bytes


@dataclass(frozen=True)
class Response:
    """An answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler = Callable[[Request], Awaitable[Response]]


async def serve_http(handle: Handler, host: str, port: int) -> asyncio.Server:
    """Listen; every request is answered by the handler.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
                await _Conversation(handle, reader, writer).run()
        finally:
            writer.close()

    return await asyncio.start_server(talk, host, port)


class _Conversation:
    """The requests of one connection, one after the other."""

    def __init__(self, handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._handle = handle
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        while (request := await self._request()) is not None:
            await self._send(await self._handle(request))
            if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
                return
            self._state.start_next_cycle()

    async def _request(self) -> Request | None:
        """The next request; None at the end of the connection, or where a body is too long."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match await self._event():
                case h11.Request() as head:
                    if _announced(head) > MOST_BYTES:
                        return await self._too_large()
                case h11.Data() as data:
                    body += data.data
                    if len(body) > MOST_BYTES:
                        return await self._too_large()
                case h11.EndOfMessage() if head is not None:
                    path, _, query = head.target.decode("ascii").partition("?")
                    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
                    return Request(head.method.decode("ascii"), path, query, headers, bytes(body))
                case _:
                    return None

    async def _too_large(self) -> None:
        """Refuse the request; what is left of it is thrown away for a while, so that its sender reads the answer."""
        await self._send(Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"connection": "close"}))
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGERING_SECONDS):
                while await self._reader.read(_READ):
                    pass

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            if self._state.they_are_waiting_for_100_continue:
                await self._write(h11.InformationalResponse(status_code=100, headers=[]))
            async with asyncio.timeout(_IDLE_SECONDS):
                self._state.receive_data(await self._reader.read(_READ))
        return event

    async def _send(self, response: Response) -> None:
        headers = [("content-length", str(len(response.body))), *response.headers.items()]
        status = HTTPStatus(response.status)
        await self._write(h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()))
        if response.body:
            await self._write(h11.Data(data=response.body))
        await self._write(h11.EndOfMessage())

    async def _write(self, event: h11.Event) -> None:
        data = self._state.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


def _announced(head: h11.Request) -> int:
    """The size of the body, in bytes, as the request announces it; 0 where it does not."""
    lengths = [value for name, value in head.headers if name == b"content-length"]
    return int(lengths[0]) if lengths else 0
