"""Blobs that were read or written a moment ago."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

ROOM: Final = 64 * 1024 * 1024
"""The number of bytes that are kept."""


class RecentBlobs:
    """The blobs used last, by key, up to a number of bytes; a blob that several wait for is fetched once.

    Args:
        room: bytes that are kept; a larger blob is not.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._size = 0
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._coming: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[bytes]] = {}

    def add(self, key: str, blob: bytes) -> None:
        """Remember a blob; those used longest ago make room for it."""
        if key in self._blobs or len(blob) > self._room:
            return
        self._blobs[key] = blob
        self._size += len(blob)
        while self._size > self._room:
            self._size -= len(self._blobs.popitem(last=False)[1])

    async def get(self, key: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """A blob that is remembered, or else fetched, once for all who ask meanwhile."""
        if key in self._blobs:
            self._blobs.move_to_end(key)
            return self._blobs[key]
        coming = (asyncio.get_running_loop(), key)
        if coming not in self._coming:
            task = asyncio.ensure_future(self._fetched(key, fetch))
            self._coming[coming] = task
            task.add_done_callback(partial(self._came, coming))
        # One who gives up leaves the fetch to the others.
        return await asyncio.shield(self._coming[coming])

    def _came(self, coming: tuple[asyncio.AbstractEventLoop, str], task: "asyncio.Task[bytes]") -> None:
        self._coming.pop(coming)
        if not task.cancelled():
            task.exception()  # whoever still waits is told; where nobody does, nothing is to be said

    async def _fetched(self, key: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        blob = await fetch()
        self.add(key, blob)
        return blob
