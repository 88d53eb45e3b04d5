"""Why a request did not reach its provider: a certificate, a name, a proxy, a port, or a header that cannot be sent.

Each reason has its own message. Only a reason that may pass counts as transient. A host that does not exist, a
certificate of an unknown authority, or a proxy that wants a password will fail again on every attempt. Client
libraries, and LiteLLM above them, say "Connection error." for all of these.
"""

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pipelex.errors import NOT_CONNECTED, ErrorCategory, PipelexError
from pipelex.inference.calls.facts import Facts

_KINDS: Final = (
    "ConnectError", "ConnectTimeout", "ConnectTimeoutError", "EndpointConnectionError", "ClientConnectorError",
    "ConnectionRefusedError", "gaierror",
)  # fmt: skip
"""The classes that the clients raise when no connection was made, so that nothing was sent."""

_BROKEN: Final = (
    "RemoteProtocolError", "ReadError", "IncompleteRead", "IncompleteReadError", "ProtocolError", "ChunkedEncodingError",
    "ConnectionClosedError", "ResponseStreamingError", "ServerDisconnectedError",
)  # fmt: skip
"""The classes that the clients raise when a connection ends before the answer does."""
_NO_HTTP: Final = re.compile(
    r"illegal (chunk|status|header)|invalid.{0,9}(chunk|header|http)|bad ?status|malformed", re.IGNORECASE
)
_UNANSWERED: Final = re.compile(r"without sending a response|without response|before we received", re.IGNORECASE)

_UNKNOWN_NAMES: Final = frozenset(
    number for name in ("EAI_NONAME", "EAI_NODATA") if (number := getattr(socket, name, None)) is not None
)
"""The error numbers by which a name does not exist; any other says that the resolver could not be asked."""

_CERTIFICATE: Final = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSL validation failed", re.IGNORECASE
)
_SELF_SIGNED: Final = re.compile(r"self[- ]signed|unable to get local issuer", re.IGNORECASE)
_EXPIRED: Final = re.compile(r"has expired|not yet valid", re.IGNORECASE)
_OTHER_NAME: Final = re.compile(r"not valid for|doesn't match|mismatch", re.IGNORECASE)
_PLAIN: Final = re.compile(r"WRONG_VERSION_NUMBER|HTTP_REQUEST|RECORD_LAYER_FAILURE")
_SOCKS: Final = re.compile(r"socksio|Using SOCKS proxy|Missing dependencies for SOCKS", re.IGNORECASE)
_NO_PROXY_SCHEME: Final = re.compile(r"Unknown scheme for proxy|proxy.*(not supported|unsupported)", re.IGNORECASE)
_NO_PORT: Final = re.compile(r"port must be 0-65535|Invalid port", re.IGNORECASE)
_HEADER: Final = re.compile(r"illegal header|invalid header|codec can't encode", re.IGNORECASE)
PROXY_WANTS_CREDENTIALS: Final = 407
"""The status of a proxy that lets nobody through without a password; a provider never answers with it."""
_LOCKED: Final = re.compile(r"\b(401|403|407)\b")


def connection_failure(facts: Facts) -> PipelexError | None:
    """The failure of a request that did not reach its provider or got no whole answer; None for any other failure."""
    found = (cause(facts) for cause in _CAUSES)
    return next((failure for failure in found if failure is not None), None)


def _socks(facts: Facts) -> PipelexError | None:
    if not (_is(facts, "ImportError", "ModuleNotFoundError", "InvalidSchema") and _heard(facts, _SOCKS)):
        return None
    return _lasting(
        facts,
        "socks_unsupported",
        f"{_proxy_variable('all')} names a SOCKS proxy, but the package for SOCKS is not installed",
        "Install the package socksio beside Pipelex, name an HTTP proxy, or unset the variable.",
    )


def _port(facts: Facts) -> PipelexError | None:
    if not (_is(facts, "OverflowError", "InvalidURL") and _heard(facts, _NO_PORT)):
        return None
    return _lasting(
        facts,
        "endpoint_invalid",
        f"the address of {facts.provider!r} has a port that does not exist: ports go up to 65535",
        f"Correct 'endpoint' of [{facts.provider}] in backends.toml.",
    )


def _proxy_address(facts: Facts) -> PipelexError | None:
    if not _heard(facts, _NO_PROXY_SCHEME):
        return None
    return _lasting(
        facts,
        "proxy_invalid",
        "the address of the proxy does not begin with http://, https:// or socks5://",
        f"Correct or unset {_proxy_variable('all')}.",
    )


def _proxy_refusal(facts: Facts) -> PipelexError | None:
    is_locked = facts.status == PROXY_WANTS_CREDENTIALS
    if not is_locked and not _is(facts, "ProxyError", "ProxyConnectionError"):
        return None
    variable, proxy = _proxy(facts) or (_proxy_variable("all"), "")
    named = f"the proxy {proxy!r}" if proxy else "the proxy"
    if is_locked or _heard(facts, _LOCKED):
        detail = f"{named} does not let the request to {facts.provider!r} through"
        return _lasting(facts, "proxy_refused", detail, f"Check the user and the password in {variable}.")
    return _passing(facts, f"{named} made no connection to {facts.provider!r}", f"Check {variable}, or unset it.")


def _header(facts: Facts) -> PipelexError | None:
    kinds = ("LocalProtocolError", "UnicodeEncodeError", "ValueError", "InvalidHeader")
    if not (_is(facts, *kinds) and _heard(facts, _HEADER)):
        return None
    named = " or ".join(facts.variables) or f"'api_key' of [{facts.provider}] in backends.toml"
    return _lasting(
        facts,
        "header_invalid",
        f"the key or a header of {facts.provider!r} has a character that a header must not have, such as a line break",
        f"Check {named}: no spaces, no line breaks, only ASCII characters.",
    )


def _certificate(facts: Facts) -> PipelexError | None:
    if not _heard(facts, _CERTIFICATE):
        return None
    host = _host(facts)
    bundle = f"Set 'ca_bundle' of [{facts.provider}] in backends.toml to the file of the authority that signed it."
    if _heard(facts, _EXPIRED):
        why, advice = "has expired, or is not valid yet", "Have it renewed, and check this machine's clock."
    elif _heard(facts, _OTHER_NAME):
        why = "is for another host"
        advice = f"Set 'endpoint' of [{facts.provider}] in backends.toml to the name that it was issued for."
    elif _heard(facts, _SELF_SIGNED):
        why, advice = "is self-signed, or signed by an authority that this machine does not trust", bundle
    else:
        why, advice = "cannot be verified", bundle
    return _lasting(facts, "certificate", f"the certificate of {host} {why}", advice)


def _plain_server(facts: Facts) -> PipelexError | None:
    if not (_is(facts, "SSLError") and _heard(facts, _PLAIN)):
        return None
    detail = f"{_host(facts)} does not speak TLS, although its address begins with https://"
    advice = f"Begin 'endpoint' of [{facts.provider}] in backends.toml with http://, or check its port."
    return _lasting(facts, "plain_server", detail, advice)


def _unknown_host(facts: Facts) -> PipelexError | None:
    numbers = {error.errno for error in facts.roots if isinstance(error, socket.gaierror)}
    if not numbers:
        return None
    proxy = _proxy(facts)
    host = f"the proxy {proxy[1]!r}" if proxy else f"the host {_host(facts)}"
    where = proxy[0] if proxy else f"'endpoint' of [{facts.provider}] in backends.toml"
    if numbers & _UNKNOWN_NAMES:
        return _lasting(facts, "unknown_host", f"{host} does not exist according to DNS", f"Check {where}.")
    return _passing(facts, f"DNS does not answer for {host}", "Check the network of this machine.")


def _refused(facts: Facts) -> PipelexError | None:
    if not _is(facts, *_KINDS):
        return None
    proxy = _proxy(facts)
    if proxy is not None:
        detail = f"the proxy {proxy[1]!r} for requests to {facts.provider!r} cannot be reached"
        return _passing(facts, detail, f"Start the proxy, or correct or unset {proxy[0]}.")
    advice = f"Check that it is running, then the network and 'endpoint' of [{facts.provider}] in backends.toml."
    if _is(facts, "ConnectionRefusedError"):
        why = f"{_host(facts)} refuses connections: nothing listens there"
    else:
        why = f"{_host(facts)} does not answer"
    return _passing(facts, f"no connection to {facts.provider!r} could be made: {why}", advice)


def _broken(facts: Facts) -> PipelexError | None:
    """The failure of a connection that ended before its answer did; the call may have been paid for."""
    if not _is(facts, *_BROKEN):
        return None
    if _heard(facts, _NO_HTTP):
        why = f"what {_host(facts)} answers is not HTTP"
    elif _heard(facts, _UNANSWERED):
        why = f"{_host(facts)} closed the connection without an answer"
    else:
        why = f"{_host(facts)} closed the connection in the middle of the answer"
    return PipelexError(
        "provider.unavailable",
        f"the request to {facts.provider!r} got no complete answer: {why}",
        category=ErrorCategory.TRANSIENT,
        advice=f"Run it again; if it fails again, check 'endpoint' of [{facts.provider}] in backends.toml.",
        params={"provider": facts.provider},
        provider=facts.provider,
        model=facts.model,
    )


_CAUSES: Final[tuple[Callable[[Facts], PipelexError | None], ...]] = (
    _socks, _port, _proxy_address, _proxy_refusal, _header, _certificate, _plain_server, _unknown_host, _refused, _broken,
)  # fmt: skip


def _lasting(facts: Facts, reason: str, detail: str, advice: str) -> PipelexError:
    return _failure(facts, ErrorCategory.CONFIGURATION, reason, detail, advice)


def _passing(facts: Facts, detail: str, advice: str) -> PipelexError:
    return _failure(facts, ErrorCategory.TRANSIENT, NOT_CONNECTED, detail, advice)


def _failure(facts: Facts, category: ErrorCategory, reason: str, detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "provider.unavailable",
        detail,
        category=category,
        advice=advice,
        params={"provider": facts.provider, "reason": reason},
        provider=facts.provider,
        model=facts.model,
    )


def _is(facts: Facts, *names: str) -> bool:
    return any(kind.__name__ in names for error in facts.roots for kind in type(error).__mro__)


def _heard(facts: Facts, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(str(error)) for error in facts.roots)


def _urls(facts: Facts) -> Iterator[str]:
    for error in facts.roots:
        request: Any = vars(error).get("_request") or vars(error).get("request")
        told: Any = getattr(error, "kwargs", None)
        if request is not None:
            yield str(request.url)
        elif isinstance(told, dict):
            yield str(cast("dict[str, Any]", told).get("endpoint_url", ""))


def _address(facts: Facts) -> tuple[str, str, int | None]:
    """The scheme, host and port of the request; empty when no exception holds them."""
    for url in _urls(facts):
        try:
            parts = urlsplit(url)
            return parts.scheme, parts.hostname or "", parts.port
        except ValueError:
            continue
    return "", "", None


def _host(facts: Facts) -> str:
    _, host, port = _address(facts)
    if not host:
        return f"the endpoint of {facts.provider!r}"
    return f"'{host}:{port}'" if port else f"'{host}'"


def _proxy(facts: Facts) -> tuple[str, str] | None:
    """The variable that names the proxy of a request, and the proxy's host and port; None without a proxy.

    When no exception holds the address, but one is about a proxy, it is the first proxy that a variable names.
    """
    scheme, host, _ = _address(facts)
    is_told = facts.status == PROXY_WANTS_CREDENTIALS or _is(facts, "ProxyError", "ProxyConnectionError")
    if proxy_bypass(host) if host else not is_told:
        return None
    proxies = getproxies()
    names = (scheme, "all") if host else ("https", "http", "all")
    name = next((name for name in names if proxies.get(name)), None)
    if name is None:
        return None
    return _proxy_variable(name), urlsplit(proxies[name]).netloc.rpartition("@")[2]


def _proxy_variable(name: str) -> str:
    return f"{name.upper()}_PROXY"
