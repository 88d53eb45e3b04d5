"""Guards of every provider client: no redirect is followed, and an answer has a limit while it is decoded.

A redirect would take the prompt, and often the key, to an address that nobody configured. An answer of a few kilobytes
may decode to gigabytes, or never end, and one of some megabytes may hold millions of values, each of which takes up to a
hundred bytes of memory. httpx follows no redirect by itself, but the clients built on it do, and neither it
nor aiohttp limits what a body decodes to.
"""

import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pipelex.storage import BoundedDecoder, UndecodableError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CODINGS: Final = "gzip, deflate"
"""The codings that are asked for: those that are undone with a limit."""

MARKS: Final = 2_000_000
"""The maximum number of commas and opening brackets in an answer; sixty megabytes of prose have about a million."""

C = TypeVar("C")


class AnswerRefused(Exception):
    """An answer of a provider is not read any further."""


class RedirectRefused(AnswerRefused):
    """A provider redirects to another address."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(f"a redirect (status {status}) to {_host(location)!r}")
        self.redirect_status = status


class AnswerDamaged(AnswerRefused):
    """An answer is not what its encoding promises; the next one may be."""


class AnswerTooLarge(AnswerRefused):
    """An answer is larger than the limit, or is encoded in a way that has none."""


def guarded(client: C, limit: int) -> C:
    """The same asynchronous client of `httpx` or `httpx2`, which follows no redirect and reads no more than the limit.

    Args:
        client: the client; whoever closes it goes on doing so.
        limit: the maximum size of a decoded answer, in bytes.

    Raises:
        AnswerRefused: from requests, where the answer is a redirect or too large.
    """
    pool: Any = client
    base: type[Any] = sys.modules[_library(pool)].AsyncByteStream

    async def check(response: Any) -> None:
        status, headers = response.status_code, response.headers
        if status in _REDIRECTS:
            raise RedirectRefused(status, headers.get("location", ""))
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise AnswerTooLarge(f"it has {int(length):,} bytes, and at most {limit:,} are read")
        # Events are read one after the other; what they hold together is never in memory at once.
        marks = None if "event-stream" in headers.get("content-type", "") else Marks()
        response.stream = _bounded(base, response.stream, headers.get("content-encoding", ""), limit, marks)
        headers.pop("content-encoding", None)

    hooks: dict[str, list[Any]] = pool.event_hooks
    pool.event_hooks = {**hooks, "response": [check, *hooks.get("response", [])]}
    pool.follow_redirects = False
    pool.headers["accept-encoding"] = _CODINGS
    return client


def read_bounded(pieces: Iterable[bytes], limit: int) -> bytes:
    """A body that comes in pieces, as it is.

    Raises:
        AnswerTooLarge: it is larger than the limit, or holds too many values.
    """
    body, marks = bytearray(), Marks()
    for piece in pieces:
        body += piece
        marks.count(piece)
        if len(body) > limit:
            raise AnswerTooLarge(f"it is larger than the {limit:,} bytes that are read")
    return bytes(body)


def check_status(status: int, location: str) -> None:
    """Refuse a redirect.

    Raises:
        RedirectRefused: it is one.
    """
    if status in _REDIRECTS:
        raise RedirectRefused(status, location)


class Marks:
    """A count of the commas and opening brackets in an answer."""

    def __init__(self) -> None:
        self._found = 0

    def count(self, piece: bytes) -> None:
        """Count those of a piece.

        Raises:
            AnswerTooLarge: there are more than an answer may have.
        """
        self._found += sum(piece.count(mark) for mark in (b",", b"[", b"{"))
        if self._found > MARKS:
            raise AnswerTooLarge(f"its JSON has more than {MARKS:,} separators")


def _bounded(base: type[Any], stream: Any, codings: str, limit: int, marks: Marks | None) -> Any:
    try:
        decoder = BoundedDecoder(codings, limit)
    except UndecodableError as unknown:
        raise AnswerTooLarge(str(unknown)) from None

    class BoundedStream(base):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in stream:
                    for piece in decoder.pieces(chunk):
                        if marks is not None:
                            marks.count(piece)
                        yield piece
            except UndecodableError as failed:
                raise (AnswerDamaged if failed.size is None else AnswerTooLarge)(str(failed)) from None

        async def aclose(self) -> None:
            await stream.aclose()

    return BoundedStream()


def _library(client: Any) -> str:
    """The library that a client is of: several clients derive their own classes."""
    packages = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
    return next(package for package in packages if package in ("httpx", "httpx2"))


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or "the same host"
    except ValueError:
        return "something that is not an address"
