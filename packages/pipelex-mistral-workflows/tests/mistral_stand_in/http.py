"""An HTTP/1.1 server of JSON, with connections that stay and streams of events, on 127.0.0.1."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> list[str]:
        return [unquote(part) for part in urlsplit(self.target).path.strip("/").split("/")]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def all_of(self, name: str) -> list[str]:
        """Every value of a member of the query that may be repeated."""
        return parse_qs(urlsplit(self.target).query).get(name, [])

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True)
class Answer:
    value: Any = None
    status: int = 200


@dataclass(frozen=True)
class Stream:
    """Server-sent events."""

    events: AsyncIterator[tuple[str, Any]]


@dataclass
class HttpServer:
    answer: Callable[[Request], Awaitable[Answer | Stream]]
    port: int = 0
    connections: int = 0
    """How many were opened so far."""
    _server: asyncio.Server | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=2**26)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._connections):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                answer = await self.answer(request)
                if isinstance(answer, Stream):
                    await _stream(writer, answer)
                    break
                await _write(writer, answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = head[0].split(" ", 2)
    headers = {
        name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    body = b"" if answer.status == 204 else json.dumps(answer.value).encode()
    head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, stream: Stream) -> None:
    writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    async for name, value in stream.events:
        writer.write(f"event: {name}\nid: {value.get('broker_sequence', 0)}\ndata: {json.dumps(value)}\n\n".encode())
        await writer.drain()
