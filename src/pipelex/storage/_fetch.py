"""Fetches a URL under a policy that keeps callers out of the network in which this process runs.

pydantic-ai's `safe_download` does much of this. But it is private, cannot allow chosen networks, and limits only the
time of each step.
"""

import asyncio
import socket
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from pipelex.errors import ErrorCategory, InputError, PipelexError
from pipelex.storage._addresses import METADATA_HOSTS, Address, TargetClass, refusal
from pipelex.storage._bounded import MAX_BYTES
from pipelex.storage._decoding import PIECE, BoundedDecoder, UndecodableError

if TYPE_CHECKING:
    import httpx

Network = IPv4Network | IPv6Network

USER_AGENT = "pipelex (+https://github.com/Pipelex/pipelex)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class Resolver(Protocol):
    """Looks up a host name."""

    def __call__(self, host: str, port: int) -> Awaitable[Sequence[Address]]:
        """All addresses of a host.

        Raises:
            OSError: the name is not known.
        """
        ...


async def system_resolver(host: str, port: int) -> Sequence[Address]:
    """All addresses of a host, as the operating system's resolver finds them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(entry[4][0]) for entry in found]


@dataclass(frozen=True)
class FetchPolicy:
    """The limits of fetching: the allowed addresses, sizes and times."""

    is_guarded: bool = True
    """Whether a host is refused if any of its addresses is loopback, private, link-local or a metadata service. The
    connection goes to the addresses that were checked, so it does not matter if the name resolves differently later.
    Proxies of the environment are not used, because they look up names themselves."""
    allowed_networks: tuple[Network, ...] = ()
    """Networks that may be fetched from although they are not public, for example that of a document server."""
    allow_files: bool = False
    """Whether `file:` URLs may be read. Set it only if the inputs' author may read this machine's files anyway."""
    max_bytes: int = MAX_BYTES
    max_redirects: int = 5
    connect_timeout: float = 10.0
    """The time limit of a connection, in seconds."""
    total_timeout: float = 120.0
    """The time limit of a whole fetch, in seconds, redirects included."""
    resolver: Resolver = field(default=system_resolver, repr=False)


@dataclass(frozen=True)
class Fetched:
    """The content of a URL."""

    data: bytes
    content_type: str | None
    filename: str | None
    """The last part of the URL's path, if it looks like a file's name."""
    url: str
    """The URL after redirects."""


@dataclass(frozen=True)
class _Hop:
    """One request: a URL and the checked addresses to which it may be sent."""

    url: SplitResult
    host: str
    port: int
    addresses: tuple[Address, ...]


async def fetch(url: str, policy: FetchPolicy) -> Fetched:
    """Fetch an `http:` or `https:` URL.

    Raises:
        PipelexError: `security.input_url_refused`, `input.url_unreachable`, `input.reference_not_found` or
            `input.too_large`. The texts show the URL without user, password and query.
    """
    try:
        async with asyncio.timeout(policy.total_timeout):
            return await _followed(url, policy)
    except TimeoutError:
        raise _unreachable(url, f"it took longer than {policy.total_timeout:g} seconds") from None


def shown_url(url: str) -> str:
    """A URL for messages, without the parts that may be secret."""
    if url[:5].lower() == "data:":
        return f"{url[:5]}{url[5:].partition(',')[0][:60]},…"
    try:
        parts = urlsplit(url)
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        bare = url.partition("?")[0].rpartition("@")[2]
    return bare if len(bare) <= 120 else bare[:119] + "…"


def refused(url: str, target: TargetClass, reason: str, why: str) -> PipelexError:
    """The error for a URL that the policy does not allow."""
    return InputError(
        "security.input_url_refused", f"{shown_url(url)!r} is refused: {why}", target_class=target, reason=reason
    )


async def _followed(url: str, policy: FetchPolicy) -> Fetched:
    current = url
    for _ in range(policy.max_redirects + 1):
        found = await _requested(current, await _hop(current, policy), policy)
        if isinstance(found, Fetched):
            return found
        current = found
    raise _unreachable(url, f"it redirects more than {policy.max_redirects} times", category=ErrorCategory.CONTENT)


async def _hop(url: str, policy: FetchPolicy) -> _Hop:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise InputError("input.url_unreachable", f"{shown_url(url)!r} is not a URL: {error}", host="") from None
    if parts.scheme not in _PORTS:
        raise refused(url, "scheme", "scheme_refused", f"only http and https are fetched, not {parts.scheme!r}")
    if not host:
        raise InputError("input.url_unreachable", f"{shown_url(url)!r} names no host", host="")
    if not policy.is_guarded:
        return _Hop(parts, host, port, ())
    if host.lower() in METADATA_HOSTS:
        raise refused(url, "metadata", "host_refused", f"{host!r} is a metadata service")
    addresses = await _resolved(url, host, port, policy.resolver)
    for address in addresses:
        target = refusal(address)
        if target is not None and not any(address in network for network in policy.allowed_networks):
            why = f"its host leads to {address}, an address of this machine or its network"
            raise refused(url, target, "address_refused", why)
    return _Hop(parts, host, port, addresses)


async def _resolved(url: str, host: str, port: int, resolver: Resolver) -> tuple[Address, ...]:
    try:
        return (ip_address(host),)
    except ValueError:
        pass
    try:
        found = tuple(dict.fromkeys(await resolver(host, port)))
    except (OSError, UnicodeError) as error:
        raise _unreachable(url, f"the host {host!r} is not known ({error})") from None
    if not found:
        raise _unreachable(url, f"the host {host!r} has no address")
    return found


async def _requested(url: str, hop: _Hop, policy: FetchPolicy) -> Fetched | str:
    """The content of the response, or the URL it redirects to. Addresses are tried until one accepts the connection."""
    import httpx

    timeout = httpx.Timeout(policy.total_timeout, connect=policy.connect_timeout)
    async with httpx.AsyncClient(timeout=timeout, trust_env=not policy.is_guarded) as client:
        targets: Sequence[Address | None] = hop.addresses or (None,)
        for index, address in enumerate(targets):
            try:
                async with client.stream(
                    "GET",
                    _aimed(hop, address),
                    headers=_headers(hop, is_pinned=address is not None),
                    extensions={"sni_hostname": hop.host} if address is not None else None,
                ) as response:
                    return await _read(url, hop, response, policy)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if index + 1 == len(targets):
                    raise _unreachable(url, f"the connection failed ({_said(error)})") from None
            except httpx.InvalidURL as error:
                raise InputError(
                    "input.url_unreachable", f"{shown_url(url)!r} is not a URL: {error}", host=hop.host
                ) from None
            except httpx.HTTPError as error:
                raise _unreachable(url, _said(error)) from None
    raise AssertionError("unreachable: the last address either answers or raises")


def _aimed(hop: _Hop, address: Address | None) -> str:
    """The URL with the checked address as its host, so that the name is not resolved a second time."""
    if address is None:
        return urlunsplit(hop.url)
    host = f"[{address}]" if address.version == 6 else str(address)
    user = hop.url.netloc.rpartition("@")[0]
    netloc = f"{user}@{host}:{hop.port}" if user else f"{host}:{hop.port}"
    return urlunsplit((hop.url.scheme, netloc, hop.url.path, hop.url.query, ""))


def _headers(hop: _Hop, *, is_pinned: bool) -> dict[str, str]:
    found = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if not is_pinned:
        return found
    host = f"[{hop.host}]" if ":" in hop.host else hop.host.encode("idna").decode("ascii")
    return {**found, "Host": host if hop.port == _PORTS[hop.url.scheme] else f"{host}:{hop.port}"}


async def _read(url: str, hop: _Hop, response: "httpx.Response", policy: FetchPolicy) -> Fetched | str:
    status = response.status_code
    if status in _REDIRECTS and "location" in response.headers:
        return urljoin(url, response.headers["location"])
    if status in (404, 410):
        raise InputError("input.reference_not_found", f"there is nothing at {shown_url(url)!r} (status {status})")
    if status != 200:
        category = ErrorCategory.TRANSIENT if status in _PASSING else ErrorCategory.CONTENT
        raise _unreachable(url, f"the server answered with status {status}", category=category)
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > policy.max_bytes:
        raise _too_large(url, policy.max_bytes, int(length))
    try:
        data = await _decoded(response, policy.max_bytes)
    except UndecodableError as failed:
        if failed.size is not None:
            raise _too_large(url, policy.max_bytes, failed.size) from None
        raise _unreachable(url, str(failed), category=ErrorCategory.CONTENT) from None
    name = unquote(hop.url.path.rpartition("/")[2])
    return Fetched(data, response.headers.get("content-type"), name if "." in name else None, url)


async def _decoded(response: "httpx.Response", limit: int) -> bytes:
    """The decoded body of a response. Servers are asked not to encode it, but some do so anyway.

    Raises:
        UndecodableError: the body is damaged or too large.
    """
    decoder = BoundedDecoder(response.headers.get("content-encoding", ""), limit)
    data = bytearray()
    async for chunk in response.aiter_raw(chunk_size=PIECE):
        for piece in decoder.pieces(chunk):
            data += piece
    return bytes(data)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _too_large(url: str, limit: int, size: int) -> PipelexError:
    return InputError(
        "input.too_large",
        f"{shown_url(url)!r} is larger than the {limit} bytes that are fetched",
        limit=limit,
        size=size,
    )


def _unreachable(url: str, why: str, *, category: ErrorCategory = ErrorCategory.TRANSIENT) -> PipelexError:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return PipelexError(
        "input.url_unreachable",
        f"{shown_url(url)!r} cannot be fetched: {why}",
        category=category,
        params={"host": host},
    )
