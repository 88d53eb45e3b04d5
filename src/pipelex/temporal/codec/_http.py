"""A small HTTP/1.1 server for a few JSON endpoints: h11 for the protocol, asyncio for the connections."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h11

MOST_BYTES: Final = 32 * 1024 * 1024
"""The maximum size of a request's body, in bytes. A page of a history, which is what the UI sends, has 4 MiB at most."""

MOST_HELD: Final = 4 * MOST_BYTES
"""The maximum total size, in bytes, of the request bodies of all connections."""

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
    """The response to a request."""

    status: int
    body: Sequence[bytes] = ()
    """The body, in pieces."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger(__name__)


def text_response(status: HTTPStatus, text: str) -> Response:
    """A response whose body is a sentence for people."""
    said = f"{text.strip()}\n".encode(errors="replace")  # lone surrogates cannot be encoded
    return Response(status, [said], {"content-type": "text/plain; charset=utf-8"})


async def serve_http(handle: Handler, host: str, port: int) -> asyncio.Server:
    """Listen on an address, and answer every request with the handler.

    Raises:
        OSError: the address cannot be listened on.
    """
    held = _Held()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
                await _Conversation(handle, reader, writer, held).run()
        finally:
            writer.close()

    return await asyncio.start_server(talk, host, port)


@dataclass
class _Held:
    """The total size, in bytes, of the request bodies in memory."""

    size: int = 0


class _Refused(Exception):
    """Refuses a request before it is read completely; the connection ends with the response."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.response = text_response(status, text)


class _Conversation:
    """The requests of one connection, one after the other."""

    def __init__(
        self, handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: _Held
    ) -> None:
        self._handle = handle
        self._reader = reader
        self._writer = writer
        self._held = held
        self._own = 0
        self._state = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        try:
            while (request := await self._request()) is not None:
                await self._send(await self._answer(request))
                self._let_go()
                if self._state.our_state is not h11.DONE or self._state.their_state is not h11.DONE:
                    return
                self._state.start_next_cycle()
        except _Refused as refused:
            await self._refuse(refused.response)
        except h11.RemoteProtocolError as wrong:
            status = HTTPStatus(wrong.error_status_hint)
            await self._refuse(text_response(status, f"the request is not HTTP/1.1: {wrong}"))
        finally:
            self._let_go()

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except Exception:
            _log.exception("a request could not be answered")
            return text_response(HTTPStatus.INTERNAL_SERVER_ERROR, "the request could not be answered; see the log")

    async def _request(self) -> Request | None:
        """The next request; None at the end of the connection."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match await self._event():
                case h11.Request() as head:
                    _check(_announced(head))
                case h11.Data() as data:
                    body += data.data
                    _check(len(body))
                    self._hold(len(data.data))
                case h11.EndOfMessage() if head is not None:
                    path, _, query = head.target.decode("ascii").partition("?")
                    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in head.headers}
                    return Request(head.method.decode("ascii"), path, query, headers, bytes(body))
                case _:
                    return None

    def _hold(self, size: int) -> None:
        self._own += size
        self._held.size += size
        if self._held.size > MOST_HELD:
            raise _Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "other requests are using all the available memory; try again"
            )

    def _let_go(self) -> None:
        self._held.size -= self._own
        self._own = 0

    async def _refuse(self, response: Response) -> None:
        """Refuse the request, and discard the rest of it for a while, so that its sender reads the response."""
        if self._state.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        await self._send(Response(response.status, response.body, {**response.headers, "connection": "close"}))
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
        headers = [("content-length", str(sum(map(len, response.body)))), *response.headers.items()]
        status = HTTPStatus(response.status)
        await self._write(h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()))
        for piece in response.body:
            await self._write(h11.Data(data=piece))
        await self._write(h11.EndOfMessage())

    async def _write(self, event: h11.Event) -> None:
        data = self._state.send(event)
        if data:
            self._writer.write(data)
            await self._writer.drain()


def _announced(head: h11.Request) -> int:
    """The size of the body that the request announces, in bytes; 0 if it announces none."""
    lengths = [value for name, value in head.headers if name == b"content-length"]
    return int(lengths[0]) if lengths else 0


def _check(size: int) -> None:
    if size > MOST_BYTES:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has more than {MOST_BYTES:,} bytes")
