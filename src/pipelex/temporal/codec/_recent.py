"""A cache of the blobs that were read or written last."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

ROOM: Final = 64 * 1024 * 1024
"""The default size of the cache, in bytes: 64 MiB."""


class RecentBlobs:
    """The blobs that were used last, by key. A blob that several callers wait for is fetched once.

    Args:
        room: the maximum total size of the blobs, in bytes; a blob larger than this is not kept.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._size = 0
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._coming: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[bytes]] = {}

    def add(self, key: str, blob: bytes) -> None:
        """Keep a blob; the least recently used ones make room for it."""
        if key in self._blobs or len(blob) > self._room:
            return
        self._blobs[key] = blob
        self._size += len(blob)
        while self._size > self._room:
            self._size -= len(self._blobs.popitem(last=False)[1])

    async def get(self, key: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """The blob with the key. If it is not kept, it is fetched, once for all callers that ask meanwhile."""
        if key in self._blobs:
            self._blobs.move_to_end(key)
            return self._blobs[key]
        coming = (asyncio.get_running_loop(), key)
        if coming not in self._coming:
            task = asyncio.ensure_future(self._fetched(key, fetch))
            self._coming[coming] = task
            task.add_done_callback(partial(self._came, coming))
        # A caller that is cancelled leaves the fetch to the others.
        return await asyncio.shield(self._coming[coming])

    def _came(self, coming: tuple[asyncio.AbstractEventLoop, str], task: "asyncio.Task[bytes]") -> None:
        self._coming.pop(coming)
        if not task.cancelled():
            task.exception()  # callers that still wait get it; without any, asyncio must not log it

    async def _fetched(self, key: str, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        blob = await fetch()
        self.add(key, blob)
        return blob
