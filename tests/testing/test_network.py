import asyncio
import socket
from urllib.request import urlopen

import httpx
import pytest

from pipelex.testing import NetworkRefused, no_network
from tests.support.http_stub import Answer, http_stub


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)])
@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_other_machines_are_refused(address: tuple[str, int], method: str) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with no_network(), socket.socket(family) as client, pytest.raises(NetworkRefused, match=r"no_network"):
        getattr(client, method)(address)


def test_names_are_not_looked_up() -> None:
    with no_network(), pytest.raises(NetworkRefused, match="example"):
        socket.getaddrinfo("www.example.com", 443)


def test_libraries_are_refused() -> None:
    with no_network():
        with pytest.raises(OSError, match=r"example\.com"):
            urlopen("http://www.example.com/")
        with pytest.raises(httpx.ConnectError, match=r"example\.com"):
            httpx.get("http://www.example.com/")


async def test_coroutines_are_refused() -> None:
    with no_network(), pytest.raises(NetworkRefused):
        await asyncio.open_connection("192.0.2.1", 80)


async def test_this_machine_is_reached() -> None:
    async with http_stub(lambda _: Answer(b"here")) as stub:
        with no_network():
            async with httpx.AsyncClient() as client:
                assert (await client.get(stub.url)).text == "here"
            reader, writer = await asyncio.open_connection("localhost", stub.port)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()


def test_unix_sockets_are_open() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with no_network(), ours, theirs:
        ours.sendall(b"hello")
        assert theirs.recv(5) == b"hello"


def test_afterwards_everything_is_as_before() -> None:
    before = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
    with no_network():
        with no_network():
            assert socket.socket.connect is not before[0]
        with socket.socket() as client, pytest.raises(NetworkRefused):
            client.connect(("192.0.2.1", 80))
    assert before == (socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo)
    assert "connect" not in vars(socket.socket)
