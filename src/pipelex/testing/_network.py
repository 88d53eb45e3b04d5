"""A guard that keeps a test off the network by refusing connections to other machines before they are made."""

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

_HERE: Final = frozenset({"localhost", "localhost.localdomain", ""})
_METHODS: Final = ("connect", "connect_ex")


class NetworkRefused(OSError):
    """Code inside `no_network` tried to connect to another machine. An `OSError`, as for an unreachable host."""


@contextmanager
def no_network() -> Generator[None]:
    """Refuse connections to other machines, and look-ups of their names, while the block runs.

    Addresses of this machine and Unix sockets stay usable, for tests with a local server. Connections that are not made
    by Python, such as those of the Temporal SDK, are not intercepted.

    Raises:
        NetworkRefused: inside the block, by any attempt to connect.
    """
    kept = {name: vars(socket.socket).get(name) for name in _METHODS}
    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        _require_here(host)
        return look_up(host, *arguments, **options)

    for name in _METHODS:
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    socket.getaddrinfo = guarded_look_up
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        for name, method in kept.items():
            if method is None:  # it is inherited again
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)


def _guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def method(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_here(address[0])
        return connect(self, address)

    return method


def _require_here(host: Any) -> None:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text is None or text in _HERE:
        return
    try:
        is_here = ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise NetworkRefused(f"a test tried to reach {text!r}, and pipelex.testing.no_network() is in force")
