"""Decodes HTTP content codings, with a size limit that is checked while decoding.

`gzip` and `deflate` (RFC 9110, section 8.4.1) may be applied several times. Each layer returns at most one piece at a
time, so three kilobytes never become gigabytes between two layers.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

PIECE: Final = 65_536
"""The maximum size, in bytes, of the output that one layer returns at a time."""
LAYERS: Final = 3
"""The maximum number of codings of one response."""


class UndecodableError(Exception):
    """A response has an unknown coding, is damaged, or becomes too large."""

    def __init__(self, why: str, *, size: int | None = None) -> None:
        super().__init__(why)
        self.size = size
        """The number of bytes at which decoding stopped, if the response became too large; else None."""


class _Decompressor(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class BoundedDecoder:
    """Decodes one response.

    Args:
        codings: the value of the `Content-Encoding` header; empty if there is none.
        limit: the maximum size of the decoded response, and of each layer in between, in bytes.

    Raises:
        UndecodableError: a coding is unknown, or there are too many.
    """

    def __init__(self, codings: str, limit: int) -> None:
        names = [name.strip().lower() for name in codings.split(",") if name.strip()]
        applied = [name for name in names if name != "identity"]
        if len(applied) > LAYERS:
            raise UndecodableError(f"it is encoded {len(applied)} times")
        # The header lists the codings in the order in which they were applied.
        self._layers = [_Layer(name, limit) for name in reversed(applied)]
        self._limit = limit
        self._size = 0

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of some more bytes of the response.

        Raises:
            UndecodableError: the response is damaged or becomes too large.
        """
        for piece in self._through(data, 0):
            self._size += len(piece)
            if self._size > self._limit:
                raise UndecodableError(f"it is larger than {self._limit} bytes", size=self._size)
            yield piece

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield data
            return
        for piece in self._layers[depth].pieces(data):
            yield from self._through(piece, depth + 1)


class _Layer:
    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._size = 0
        self._decompressor: _Decompressor | None = None
        if name not in ("gzip", "x-gzip", "deflate"):
            raise UndecodableError(f"it is encoded as {name!r}, which was not asked for")

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            try:
                piece = self._decompress(data)
            except zlib.error:
                raise UndecodableError(f"its {self._name} encoding is damaged") from None
            data = self._known.unconsumed_tail
            self._size += len(piece)
            if self._size > self._limit:
                raise UndecodableError(f"it is larger than {self._limit} bytes", size=self._size)
            if piece:
                yield piece

    def _decompress(self, data: bytes) -> bytes:
        if self._decompressor is not None:
            return self._decompressor.decompress(data, PIECE)
        if self._name != "deflate":
            self._decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
            return self._decompressor.decompress(data, PIECE)
        try:
            self._decompressor = zlib.decompressobj()
            return self._decompressor.decompress(data, PIECE)
        except zlib.error:  # some servers leave out zlib's header
            self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._decompressor.decompress(data, PIECE)

    @property
    def _known(self) -> _Decompressor:
        assert self._decompressor is not None
        return self._decompressor
