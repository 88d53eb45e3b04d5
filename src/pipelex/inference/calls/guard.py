"""Guards of every provider client: no redirect is followed, and the size of an answer is limited while it is decoded.

A redirect would send the prompt, and often the key, to an address that nobody configured. An answer of a few kilobytes
may decode to gigabytes, or never end. An answer of some megabytes may hold millions of values, each of which takes up
to a hundred bytes of memory. httpx itself follows no redirects, but the clients built on it do, and neither httpx nor
aiohttp limits the decoded size of a body.
"""

import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import cache
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from pipelex.inference.calls.heard import Tail, tail_of_answer
from pipelex.storage import BoundedDecoder, UndecodableError

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CODINGS: Final = "gzip, deflate"
"""The content codings that requests accept: those that can be decoded with a limit."""

MARKS: Final = 2_000_000
"""The maximum number of commas and opening brackets in an answer; sixty megabytes of prose have about a million."""

_LONGEST_TOLD: Final = 65_536
"""The maximum size of a body that is checked for a failure, in bytes."""

_STATUSES: Final = {
    400: "invalid_request_error invalid_request invalid_argument bad_request context_length_exceeded",
    401: "authentication_error invalid_api_key unauthenticated unauthorized",
    402: "billing_error insufficient_credits payment_required",
    403: "permission_error permission_denied forbidden",
    404: "not_found_error model_not_found not_found",
    413: "request_too_large",
    429: "rate_limit_error rate_limit_exceeded too_many_requests resource_exhausted insufficient_quota quota_exceeded",
    500: "api_error server_error internal_server_error internal",
    503: "unavailable service_unavailable service_unavailable_error",
    504: "timeout_error timeout gateway_timeout deadline_exceeded",
    529: "overloaded_error overloaded",
}
"""The types and codes of failures that providers and gateways send, by the HTTP status that belongs to them."""
_STATUS_OF: Final = {word: status for status, words in _STATUSES.items() for word in words.split()}

C = TypeVar("C")


class AnswerRefused(Exception):
    """A provider's answer is refused, and not read any further."""


class RedirectRefused(AnswerRefused):
    """A provider redirects to another address."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__(f"a redirect (status {status}) to {_host(location)!r}")
        self.redirect_status = status


class AnswerDamaged(AnswerRefused):
    """An answer cannot be decoded in the encoding that it names; another attempt may succeed."""


class AnswerTooLarge(AnswerRefused):
    """An answer is larger than the limit, or has an encoding that cannot be limited."""


class ToldFailure(Exception):
    """A failure in the body of an answer whose status says success, as gateways send it."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.body = body
        error: Any = body.get("error")
        members = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
        told = (_status(members.get(name)) for name in ("code", "status", "type"))
        self.status_code = next((status for status in told if status is not None), None)


def guarded(client: C, limit: int) -> C:
    """Make an asynchronous client of `httpx` or `httpx2` follow no redirect, and read no more than the limit.

    An answer to a POST whose status says success, but whose body reports a failure, is raised as that failure.

    Args:
        client: the client, which is changed and returned; its owner still has to close it.
        limit: the maximum size of a decoded answer, in bytes.

    Raises:
        AnswerRefused: later, from a request whose answer is a redirect, is too large or cannot be decoded.
        ToldFailure: later, from a request whose answer reports a failure in its body.
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
        # Events are read one after the other, so their values are never in memory all at once.
        is_streamed = "event-stream" in headers.get("content-type", "")
        marks = None if is_streamed else Marks()
        # A GET may ask for the state of a job: an answer that the job failed is then a success.
        is_read = response.is_success and response.request.method == "POST" and not is_streamed
        told, tail = (ToldText(), tail_of_answer()) if is_read else (None, None)
        response.stream = _bounded(base, response.stream, headers.get("content-encoding", ""), limit, marks, told, tail)
        headers.pop("content-encoding", None)

    hooks: dict[str, list[Any]] = pool.event_hooks
    pool.event_hooks = {**hooks, "response": [check, *hooks.get("response", [])]}
    pool.follow_redirects = False
    pool.headers["accept-encoding"] = _CODINGS
    return client


def read_bounded(pieces: Iterable[bytes], limit: int, tail: Tail | None = None) -> bytes:
    """A body that comes in pieces, joined without decoding.

    Args:
        pieces: the pieces of the body.
        limit: its maximum size, in bytes.
        tail: also gets the pieces, because the body of an answer that is refused has its price as well.

    Raises:
        AnswerTooLarge: the body is larger than the limit, or holds too many values.
    """
    body, marks = bytearray(), Marks()
    for piece in bounded_pieces(pieces, limit, tail):
        marks.count(piece)
        body += piece
    return bytes(body)


def bounded_pieces(pieces: Iterable[bytes], limit: int, tail: Tail | None = None) -> Iterator[bytes]:
    """The pieces of a body, as long as it is within its limit.

    Args:
        pieces: the pieces of the body.
        limit: its maximum size, in bytes.
        tail: also gets the pieces, those beyond the limit as well; see `read_bounded`.

    Raises:
        AnswerTooLarge: the body is larger than the limit.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if tail is not None:
            tail.add(piece)
        if size > limit:
            raise AnswerTooLarge(f"it is larger than the {limit:,} bytes that are read")
        yield piece


def check_status(status: int, location: str) -> None:
    """Refuse a redirect.

    Raises:
        RedirectRefused: the status is one of a redirect.
    """
    if status in _REDIRECTS:
        raise RedirectRefused(status, location)


class Marks:
    """A count of the commas and opening brackets in an answer."""

    def __init__(self) -> None:
        self._found = 0

    def count(self, piece: bytes) -> None:
        """Count the marks of a piece.

        Raises:
            AnswerTooLarge: the answer has more than `MARKS` of them.
        """
        self._found += sum(piece.count(mark) for mark in (b",", b"[", b"{"))
        if self._found > MARKS:
            raise AnswerTooLarge(f"its JSON has more than {MARKS:,} separators")


class ToldText:
    """The body of a successful answer, kept while it is short enough to be a failure report."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._is_longer = False

    def add(self, piece: bytes) -> None:
        """Take the next piece of the answer."""
        self._is_longer = self._is_longer or len(self._body) + len(piece) > _LONGEST_TOLD
        if not self._is_longer:
            self._body += piece

    def check(self) -> None:
        """Check the whole answer; see `check_told`.

        Raises:
            ToldFailure: the body reports a failure.
        """
        if not self._is_longer:
            check_told(bytes(self._body))


def check_told(body: bytes) -> None:
    """Refuse a successful answer whose body is an object with an `error` that has a message.

    Raises:
        ToldFailure: the body is such an object.
    """
    if len(body) > _LONGEST_TOLD or b'"error"' not in body:
        return
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    error: Any = cast("dict[str, Any]", found).get("error") if isinstance(found, dict) else None
    message: Any = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else None
    if isinstance(message, str) and message.strip():
        raise ToldFailure({"error": error})


def _status(told: object) -> int | None:
    """The status that a failure names: as a number, or by its word."""
    word = str(told).lower() if isinstance(told, int | str) else ""
    if not (word.isascii() and word.isdecimal() and len(word) == 3):
        return _STATUS_OF.get(word)
    return int(word) if 400 <= int(word) < 600 else None


def _bounded(
    base: type[Any],
    stream: Any,
    codings: str,
    limit: int,
    marks: Marks | None,
    told: ToldText | None,
    tail: Tail | None,
) -> Any:
    try:
        decoder = BoundedDecoder(codings, limit)
    except UndecodableError as unknown:
        raise AnswerTooLarge(str(unknown)) from None

    return _stream_type(base)(stream, decoder, marks, told, tail)


@cache
def _stream_type(base: type[Any]) -> type[Any]:
    """The type of bounded streams for a client library, which takes only streams of its own base type."""

    class BoundedStream(base):
        def __init__(
            self, stream: Any, decoder: BoundedDecoder, marks: Marks | None, told: ToldText | None, tail: Tail | None
        ) -> None:
            self._stream, self._decoder = stream, decoder
            self._marks, self._told = marks, told
            self._hearers = tuple(filter(None, (told, tail)))

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    for piece in self._decoder.pieces(chunk):
                        if self._marks is not None:
                            self._marks.count(piece)
                        for hearer in self._hearers:
                            hearer.add(piece)
                        yield piece
                if self._told is not None:
                    self._told.check()
            except UndecodableError as failed:
                raise (AnswerDamaged if failed.size is None else AnswerTooLarge)(str(failed)) from None

        async def aclose(self) -> None:
            await self._stream.aclose()

    return BoundedStream


def _library(client: Any) -> str:
    """The library of a client, found through its base classes, because several clients derive their own."""
    packages = [kind.__module__.partition(".")[0] for kind in type(client).__mro__]
    return next(package for package in packages if package in ("httpx", "httpx2"))


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or "the same host"
    except ValueError:
        return "something that is not an address"
