import gzip
import tracemalloc
import zlib
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.storage import FetchPolicy, fetch
from pipelex.storage._addresses import Address, refusal
from tests.support.http_stub import Answer, Received, http_stub

HERE = (ip_network("127.0.0.1/32"),)
AROUND = (ip_network("127.0.0.0/8"),)
OPEN = FetchPolicy(is_guarded=False)
BODY = bytes(range(256)) * 1000
ZEROS = bytes(200_000_000)


def names(**hosts: str) -> Any:
    """A resolver that knows these names: each a list of addresses with spaces between."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        known = hosts.get(host.replace(".", "_").replace("-", "_"))
        if known is None:
            raise OSError(f"unknown name {host}")
        return [ip_address(text) for text in known.split()]

    resolve.asked = asked  # pyright: ignore[reportFunctionMemberAccess]
    return resolve


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.0.3", "loopback"),
        ("0.0.0.0", "loopback"),
        ("0.1.2.3", "loopback"),
        ("::1", "loopback"),
        ("::", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("100.127.255.255", "private"),
        ("198.18.0.1", "private"),
        ("192.0.2.1", "private"),
        ("224.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("fc00::1", "private"),
        ("fd12:3456::1", "private"),
        ("ff02::1", "private"),
        ("169.254.1.1", "link_local"),
        ("fe80::1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("169.254.169.254", "metadata"),
        ("169.254.170.2", "metadata"),
        ("100.100.100.200", "metadata"),
        ("192.0.0.192", "metadata"),
        ("192.0.0.9", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fec0::1", "private"),
        ("5f00::1", "private"),
        ("192.88.99.1", "private"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::ffff:10.0.0.1", "private"),
        ("::127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:101::", "private"),
        ("1.1.1.1", None),
        ("100.63.255.255", None),
        ("100.128.0.1", None),
        ("172.32.0.1", None),
        ("2606:4700::1111", None),
        ("::ffff:1.1.1.1", None),
        ("64:ff9b::101:101", None),
    ],
)
def test_addresses(address: str, target: str | None):
    assert refusal(ip_address(address)) == target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://[::1]:8080/x", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "loopback"),
        ("http://inside.example/", "private"),
        ("http://inside.example./", "private"),
        ("http://both.example/", "loopback"),
        ("http://user:secret@inside.example/", "private"),
        ("http://metadata.google.internal/computeMetadata/v1/", "metadata"),
        ("http://METADATA.google.internal/", "metadata"),
        ("ftp://public.example/file", "scheme"),
        ("gopher://127.0.0.1/", "scheme"),
    ],
)
async def test_refused_urls(url: str, target: str):
    resolver = names(inside_example="10.0.0.7", both_example="93.184.216.34 127.0.0.1", public_example="93.184.216.34")

    with pytest.raises(PipelexError) as caught:
        await fetch(url, FetchPolicy(resolver=resolver))

    assert caught.value.code == "security.input_url_refused"
    assert caught.value.report.params["target_class"] == target
    assert caught.value.report.category is ErrorCategory.CONTENT
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1"])
async def test_other_spellings_of_loopback_with_the_systems_resolver(host: str):
    with pytest.raises(PipelexError) as caught:
        await fetch(f"http://{host}/", FetchPolicy())
    assert caught.value.code == "security.input_url_refused"


async def test_fetching():
    def answer(request: Received) -> Answer:
        return Answer(b"%PDF-1.7", headers={"content-type": "application/pdf"})

    async with http_stub(answer) as stub:
        found = await fetch(f"{stub.url}/files/a%20report.pdf?signature=abc#page=2", OPEN)

    assert (found.data, found.content_type, found.filename) == (b"%PDF-1.7", "application/pdf", "a report.pdf")
    assert stub.requests[0].target == "/files/a%20report.pdf?signature=abc"


async def test_the_checked_address_is_the_one_connected_to():
    """The name is looked up once; the request goes to that address with the name in its Host header."""
    resolver = names(public_example="127.0.0.1")

    async with http_stub(lambda _: Answer(b"hello")) as stub:
        policy = FetchPolicy(resolver=resolver, allowed_networks=HERE)
        found = await fetch(f"http://public.example:{stub.port}/x", policy)

    assert found.data == b"hello"
    assert resolver.asked == ["public.example"]
    assert stub.requests[0].headers["host"] == f"public.example:{stub.port}"


async def test_the_next_address_is_tried_when_one_does_not_answer():
    async with http_stub(lambda _: Answer(b"hello")) as stub:
        policy = FetchPolicy(resolver=names(public_example="127.9.9.9 127.0.0.1"), allowed_networks=AROUND)
        found = await fetch(f"http://public.example:{stub.port}/", policy)

    assert found.data == b"hello"


@pytest.mark.parametrize("location", ["http://127.0.0.2/admin", "http://inside.example/", "//10.0.0.1/"])
async def test_a_redirect_into_the_own_network_is_refused(location: str):
    """127.0.0.1 stands for a public host here."""
    resolver = names(public_example="127.0.0.1", inside_example="192.168.0.1")
    policy = FetchPolicy(resolver=resolver, allowed_networks=HERE)

    async with http_stub(lambda _: Answer(status=302, headers={"location": location})) as stub:
        with pytest.raises(PipelexError) as caught:
            await fetch(f"http://public.example:{stub.port}/", policy)

    assert caught.value.code == "security.input_url_refused"
    assert len(stub.requests) == 1


async def test_a_name_that_changes_its_mind_is_checked_again_after_a_redirect():
    answers = iter(["127.0.0.1", "127.0.0.2"])

    async def rebinding(host: str, port: int) -> Sequence[Address]:
        return [ip_address(next(answers))]

    async with http_stub(lambda _: Answer(status=302, headers={"location": "/again"})) as stub:
        with pytest.raises(PipelexError) as caught:
            await fetch(f"http://public.example:{stub.port}/", FetchPolicy(resolver=rebinding, allowed_networks=HERE))

    assert caught.value.report.params["target_class"] == "loopback"


async def test_a_redirect_to_another_scheme_is_refused():
    async with http_stub(lambda _: Answer(status=301, headers={"location": "file:///etc/passwd"})) as stub:
        with pytest.raises(PipelexError) as caught:
            await fetch(stub.url, OPEN)
    assert caught.value.report.params["target_class"] == "scheme"


@pytest.mark.slow
async def test_redirects_are_followed_and_counted():
    def answer(request: Received) -> Answer:
        number = int(request.path.strip("/") or 0)
        return Answer(b"end") if number == 0 else Answer(status=307, headers={"location": f"/{number - 1}"})

    async with http_stub(answer) as stub:
        found = await fetch(f"{stub.url}/5", OPEN)
        with pytest.raises(PipelexError) as caught:
            await fetch(f"{stub.url}/6", OPEN)

    assert found.data == b"end"
    assert found.url == f"{stub.url}/0"
    assert caught.value.code == "input.url_unreachable"
    assert "5 times" in str(caught.value)


@pytest.mark.parametrize("is_honest", [True, False])
async def test_too_much_is_not_read(is_honest: bool):
    body = b"x" * 5000
    headers = {} if is_honest else {"content-length": "5000", "content-encoding": "gzip"}
    sent = body if is_honest else gzip.compress(b"x" * 5_000_000)
    async with http_stub(lambda _: Answer(sent, headers={**headers, "content-length": str(len(sent))})) as stub:
        with pytest.raises(PipelexError) as caught:
            await fetch(stub.url, FetchPolicy(is_guarded=False, max_bytes=4999 if is_honest else 100_000))
    assert caught.value.code == "input.too_large"
    assert caught.value.report.params["limit"] in (4999, 100_000)


def many_times(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("gzip, deflate", zlib.compress(gzip.compress(BODY))),
        ("identity", BODY),
        ("gzip, gzip, gzip", many_times(BODY, 3)),
    ],
)
async def test_what_is_encoded_without_being_asked_is_decoded(coding: str, sent: bytes):
    async with http_stub(lambda _: Answer(sent, headers={"content-encoding": coding})) as stub:
        assert (await fetch(stub.url, OPEN)).data == BODY
    assert stub.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("coding", "sent", "code"),
    [
        ("gzip", many_times(ZEROS, 1), "input.too_large"),
        ("gzip, gzip", many_times(ZEROS, 2), "input.too_large"),
        ("deflate, gzip", gzip.compress(zlib.compress(ZEROS)), "input.too_large"),
        ("gzip, gzip, gzip, gzip", many_times(BODY, 4), "input.url_unreachable"),
        ("br", BODY, "input.url_unreachable"),
        ("zstd", BODY, "input.url_unreachable"),
        ("gzip", BODY, "input.url_unreachable"),
    ],
)
async def test_no_coding_makes_much_of_little(coding: str, sent: bytes, code: str):
    async with http_stub(lambda _: Answer(sent, headers={"content-encoding": coding})) as stub:
        tracemalloc.start()
        with pytest.raises(PipelexError) as caught:
            await fetch(stub.url, FetchPolicy(is_guarded=False, max_bytes=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 10_000_000


async def test_too_slow():
    """The answer would come long after pytest has given the test up."""
    async with http_stub(lambda _: Answer(b"late", delay=3600)) as stub:
        with pytest.raises(PipelexError, match=r"longer than 0\.2 seconds") as caught:
            await fetch(stub.url, FetchPolicy(is_guarded=False, total_timeout=0.2))
    assert caught.value.code == "input.url_unreachable"
    assert caught.value.report.is_retryable


@pytest.mark.parametrize(
    ("status", "code", "category"),
    [
        (404, "input.reference_not_found", ErrorCategory.CONTENT),
        (410, "input.reference_not_found", ErrorCategory.CONTENT),
        (403, "input.url_unreachable", ErrorCategory.CONTENT),
        (429, "input.url_unreachable", ErrorCategory.TRANSIENT),
        (503, "input.url_unreachable", ErrorCategory.TRANSIENT),
    ],
)
async def test_statuses(status: int, code: str, category: ErrorCategory):
    async with http_stub(lambda _: Answer(b"", status)) as stub:
        with pytest.raises(PipelexError) as caught:
            await fetch(f"{stub.url}/file?token=hidden", OPEN)
    assert (caught.value.code, caught.value.report.category) == (code, category)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://unknown.example/", "http://", "http://[::1", "http://127.0.0.1:99999/", f"http://{'a' * 70}.example/"],
)
async def test_urls_that_lead_nowhere(url: str):
    with pytest.raises(PipelexError) as caught:
        await fetch(url, FetchPolicy(resolver=names()))
    assert caught.value.code == "input.url_unreachable"


async def test_nobody_answers():
    with pytest.raises(PipelexError) as caught:
        await fetch("http://127.0.0.1:1/", OPEN)
    assert caught.value.code == "input.url_unreachable"
    assert caught.value.report.is_retryable
    assert caught.value.report.params["host"] == "127.0.0.1"
