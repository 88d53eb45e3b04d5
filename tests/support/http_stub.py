"""A small HTTP server on 127.0.0.1 whose answers a test writes as a function."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import serving


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0
    """Seconds before the body."""
    length: int | None = None
    """What `Content-Length` claims, when not the truth."""

    @classmethod
    def of_json(cls, value: Any, status: int = 200, **headers: str) -> "Answer":
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(json.dumps(value).encode(), status, {"content-type": "application/json", **named})


@dataclass
class HttpStub:
    port: int
    requests: list[Received] = field(default_factory=list[Received])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def http_stub(answer: Callable[[Received], Answer]) -> AsyncGenerator[HttpStub]:
    """Serve while the block runs; each connection is for one request."""
    stub = HttpStub(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received = await _read(reader)
            stub.requests.append(received)
            found = answer(received)
            length = len(found.body) if found.length is None else found.length
            lines = [f"HTTP/1.1 {found.status} X", *(f"{name}: {value}" for name, value in found.headers.items())]
            if "content-length" not in found.headers:
                lines.append(f"content-length: {length}")
            writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode())
            await writer.drain()
            if found.delay:
                await asyncio.sleep(found.delay)
            if received.method != "HEAD":
                writer.write(found.body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async with serving(serve) as stub.port:
        yield stub


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    if headers.get("expect", "").lower() == "100-continue":
        raise ConnectionError("not served here")
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body)
