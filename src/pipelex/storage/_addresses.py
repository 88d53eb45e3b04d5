"""Network addresses that must not be fetched from, because an untrusted URL may lead into the local network."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

Address = IPv4Address | IPv6Address
TargetClass = Literal["loopback", "private", "link_local", "metadata", "scheme"]
"""The reason why an address is refused, in the words of `security.input_url_refused`."""

METADATA_HOSTS: Final = frozenset({"metadata", "metadata.google.internal", "instance-data", "metadata.goog"})
_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "168.63.129.16",
    )
)
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_SHARED: Final = tuple(
    ip_network(text) for text in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "5f00::/16")
)
"""Shared, site-local and protocol networks that are refused explicitly, because Python releases classify them
differently."""


def refusal(address: Address) -> TargetClass | None:
    """The class of an address that must not be connected to; None for an address of the public internet.

    An IPv6 address that carries an IPv4 one (mapped, compatible, 6to4, NAT64, Teredo) is judged by both.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            address = IPv6Address(int(address))
        for inner in _inside(address):
            found = refusal(inner)
            if found is not None:
                return found
    if address in _METADATA:
        return "metadata"
    if address.is_loopback or address.is_unspecified:
        return "loopback"
    if address.is_link_local:
        return "link_local"
    if isinstance(address, IPv4Address) and int(address) >> 24 == 0:
        return "loopback"
    if any(address in network for network in _SHARED):
        return "private"
    if isinstance(address, IPv6Address) and any(True for _ in _inside(address)):
        return None
    # Multicast, broadcast, documentation, benchmarking and reserved ranges lead nowhere on the public internet.
    return None if address.is_global and not address.is_multicast else "private"


def _inside(address: IPv6Address) -> list[IPv4Address]:
    found: list[IPv4Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    if any(address in network for network in _NAT64) or (0xFFFF < int(address) < 1 << 32):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found
