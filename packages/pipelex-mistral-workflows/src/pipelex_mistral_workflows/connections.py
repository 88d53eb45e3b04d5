"""The connections of a worker to Mistral's API: one pool for all clients that the SDK makes.

The SDK makes a client for each execution that begins, and never closes it. Each client would read all CA certificates
on the event loop, and open its own connection. The start of a batch would block the loop for seconds. Meanwhile no
heartbeats would be sent, so successful calls would count as lost and be paid for twice.
"""

import asyncio
import ssl
from typing import Any, Final, override
from weakref import WeakKeyDictionary

import httpx
import mistralai.workflows as sdk


class _Pools:
    """A pool for each event loop, and one for threads without an event loop."""

    def __init__(self) -> None:
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()
        self._of_threads: httpx.Client | None = None

    def of_this_loop(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            self._of_loops[loop] = httpx.AsyncClient(verify=_verify(), limits=_limits())
        return self._of_loops[loop]

    def of_threads(self) -> httpx.Client:
        if self._of_threads is None:
            self._of_threads = httpx.Client(verify=_verify(), limits=_limits())
        return self._of_threads


_POOLS: Final = _Pools()


class _Pooled(httpx.AsyncBaseTransport):
    """The transport of a client. Closing the client does not close the pool."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await _POOLS.of_this_loop().send(request, stream=True, auth=None, follow_redirects=False)


class _PooledForThreads(httpx.BaseTransport):
    @override
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _POOLS.of_threads().send(request, stream=True, auth=None, follow_redirects=False)


def share_connections() -> None:
    """Let the SDK's clients share connections, unless the SDK has its own transport, proxy, routes or retries."""
    http = sdk.config.http
    if not (http.transport_factory or http.proxy or http.routes or http.retries):
        http.transport_factory = _transport


def _transport(client: type[Any]) -> httpx.AsyncBaseTransport | httpx.BaseTransport:
    return _Pooled() if issubclass(client, httpx.AsyncClient) else _PooledForThreads()


def _verify() -> bool | ssl.SSLContext:
    if not sdk.config.http.verify:
        return False
    bundle = sdk.config.common.ca_bundle
    return ssl.create_default_context(cafile=bundle) if bundle else True


def _limits() -> httpx.Limits:
    http = sdk.config.http
    return httpx.Limits(max_connections=http.max_connections, max_keepalive_connections=http.max_keepalive_connections)
