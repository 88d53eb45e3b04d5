"""The codec server, asked by those who do not mean well: a sentence for each, no connection dropped, little memory."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import pytest_asyncio
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import DataConverter

from pipelex.temporal.codec.server import CodecServer
from pipelex.temporal.workflow.large_inputs import NAME, PARTS
from pipelex.temporal.workflow.references import DRIVER
from tests.support.processes import peak_memory, process, wait_for_file
from tests.temporal.test_payload_codec import encrypting

EFFECTS = ("/encode", "/decode", "/download", "/decode?preserveStorageRefs=true")
DEEP = 60_000
REFERENCE = "temporal.api.sdk.v1.ExternalStorageReference"


@pytest.fixture
def converter(tmp_path: Path) -> DataConverter:
    return encrypting(tmp_path, compression="zstd")


@pytest_asyncio.fixture
async def server(converter: DataConverter) -> AsyncIterator[CodecServer]:
    server = CodecServer(converter)
    await server.start()
    yield server
    await server.stop()


def coded(text: bytes | str) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def payload(data: bytes | str, **metadata: bytes | str) -> dict[str, Any]:
    """A payload, as the protocol's JSON writes it; `_` of a name stands for `-`."""
    return {"metadata": {key.replace("_", "-"): coded(value) for key, value in metadata.items()}, "data": coded(data)}


def reference(data: str) -> dict[str, Any]:
    return payload(data, encoding="json/protobuf", messageType=REFERENCE)


def claim(**members: Any) -> dict[str, Any]:
    return reference(json.dumps({"driverName": DRIVER, "claimData": members}))


def parts(*each: Payload) -> dict[str, Any]:
    return payload(Payloads(payloads=each).SerializeToString(), encoding=PARTS)


def tables() -> Iterator[Any]:
    """Payloads that cannot be read, each of another kind."""
    yield from (None, 3, "x", [], [[]], True, {"data": 3}, {"data": {"a": []}}, {"data": "é"}, {"data": "\ud800"})
    yield from ({"metadata": 3}, {"metadata": []}, {"metadata": {"encoding": "%"}}, {"metadata": {"\udfff": ""}})
    yield from ({"metadata": {"a": {"b": {}}}}, {"externalPayloads": 3}, {"externalPayloads": [3]})
    sizes: list[Any] = [1e999, float("nan"), 10**30, -1, "9" * 400, [], 1.5]
    for size in sizes:
        yield {"externalPayloads": [{"sizeBytes": size}]}
    # References: no JSON, JSON of something else, claims of nobody.
    for text in ("", "no json", "[]", "3", "{", "[" * DEEP, '{"a":' * DEEP, "\udcff".encode("utf-8", "surrogatepass")):
        yield payload(text, encoding="json/protobuf", messageType=REFERENCE)
    yield reference(json.dumps({"driverName": 3}))
    yield reference(json.dumps({"driverName": DRIVER, "claimData": [1]}))
    for size in ("", "-1", "1e9", "9" * 5_000, "٣", " 3", "0x10", "\ud800", "3\n", 3):
        yield claim(key="x", size=size)
    for key in ("", "x", "../../etc/passwd", "/etc/passwd", "a" * 10_000, "\x00", "0" * 64, "\ud800"):
        yield claim(key=key, size="3")
    yield claim(key="ab/" + "0" * 64 + ".bin", size="9" * 18)
    # Ours in name, damaged in data.
    for encoding in ("binary/zstd", "binary/pipelex-parts"):
        yield payload(b"\xff\xfe\xfd", encoding=encoding)
        yield payload(b"\x28\xb5\x2f\xfd" + b"\xff" * 20, encoding=encoding)
    for key in ("new", "other", b"\xff", ""):
        yield payload(b"", encoding="binary/encrypted", encryption_key_id=key)
        yield payload(b"\xff" * 40, encoding="binary/encrypted", encryption_key_id=key, encryption_run=b"\xff\x00")
    yield parts(Payload(metadata={"encoding": b"binary/zstd", NAME: b"\xff"}, data=b"x"))
    lost = json.dumps({"driverName": DRIVER, "claimData": {"key": "x", "size": "3"}}).encode()
    yield parts(Payload(metadata={"encoding": b"json/protobuf", "messageType": REFERENCE.encode()}, data=lost))


def bodies() -> Iterator[bytes]:
    """Bodies that are no payloads, and one for each payload that cannot be read."""
    for text in ("", " ", "no json", "[]", "{}", "3", '"x"', "null", "{'a': 1}", '{"payloads": {"a": 1}}'):
        yield text.encode()
    for value in (
        "NaN",
        "9" * 100_000,
        "-" + "9" * 9_000,
        "1e99999",
        '"\\ud800"',
        "{",
        "]",
        "null",
        '{"": 0}',
        "[NaN]",
    ):
        yield b'{"payloads": ' + value.encode() + b"}"
    for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
        yield b'{"payloads": ' + opened * DEEP + b"1" + closed * DEEP + b"}"
        yield b'{"payloads": [{"metadata": ' + opened * DEEP + b"1" + closed * DEEP + b"}]}"
    for encoding in ("utf-16", "utf-32", "latin-1", "cp037"):
        yield '{"payloads": ["é"]}'.encode(encoding)
    yield from (b"\xff" * 1_000, b"\x00" * 1_000, b"\xef\xbb\xbf{}", b"\x1f\x8b\x08" + b"\x00" * 50)
    for table in tables():
        yield json.dumps({"payloads": [table]}).encode()


def cut(seed: int) -> Iterator[bytes]:
    """A good body, a few of its bytes left out, doubled or changed."""
    chance = Random(seed)
    good = json.dumps({"payloads": [payload('"x"', encoding="json/plain"), claim(key="x", size="3")]}).encode()
    while True:
        text = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(text))
            text[place : place + chance.randint(0, 3)] = bytes(
                chance.choices(b'{}[]":,\\x\xff\x000', k=chance.randint(0, 3))
            )
        yield bytes(text)


def assert_said(response: httpx.Response, body: bytes) -> None:
    """Assert that a body is taken, or refused in a sentence that is no page."""
    if response.status_code == 200:
        response.json()
        return
    assert 400 <= response.status_code < 500, (response.status_code, body[:200])
    assert re.match(r"\w.* .*\w", response.text), (response.text, body[:200])
    assert len(response.content) < 2_000, "nothing that was sent comes back as a whole"


@pytest.mark.slow
@pytest.mark.parametrize("effect", EFFECTS)
async def test_whatever_is_sent_is_answered_with_a_sentence(server: CodecServer, effect: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for body in (*bodies(), *islice(cut(len(effect)), 200)):
            assert_said(await client.post(effect, content=body), body)
            assert len(server_connections(client)) == 1, f"the connection was dropped after {body[:200]!r}"


def server_connections(client: httpx.AsyncClient) -> list[Any]:
    transport: Any = client._transport  # pyright: ignore[reportPrivateUsage]
    return transport._pool.connections


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["payloads", "metadata", "data"]) | st.text(), inner)
    ),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON | st.fixed_dictionaries({"payloads": st.lists(JSON)}), effect=st.sampled_from(EFFECTS))
def test_any_json_is_answered_with_a_sentence(converter: DataConverter, value: Any, effect: str) -> None:
    async def ask() -> None:
        server = CodecServer(converter)
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url, verify=False) as client:
                body = json.dumps(value).encode()
                assert_said(await client.post(effect, content=body), body)
        finally:
            await server.stop()

    asyncio.run(ask())


@pytest.mark.parametrize(
    "sent",
    [
        b"no http\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /decode HTTP/1.1\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: many\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /decode HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"POST /d\xff HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"POST /decode HTTP/1.1\r\nhost: [::1\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
async def test_what_is_no_request_is_told_so(server: CodecServer, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(sent)
    writer.write_eof()
    head, _, said = (await asyncio.wait_for(reader.read(), 60)).partition(b"\r\n\r\n")
    writer.close()
    assert re.match(rb"HTTP/1.1 (4\d\d|501) ", head), head
    assert b" " in said.strip()


def bombs() -> Iterator[bytes]:
    """Bodies that would become gigabytes."""
    megabyte = 1_000_000
    yield b'{"payloads": [' + b"[]," * (10 * megabyte) + b"[]]}"
    yield b'{"payloads": [{"metadata": {' + b'"":0,' * (6 * megabyte) + b'"":0}}]}'
    yield b'{"payloads": [' + b"9," * (15 * megabyte) + b"9]}"
    yield b'{"payloads": "' + "😀".encode() * (7 * megabyte) + b'"}'
    yield b"{" * (31 * megabyte)
    for inside in (b'"' + b"x" * (200 * megabyte), b"[" * (120 * megabyte)):
        inner = Payload(metadata={"encoding": b"json/plain"}, data=inside)
        packed = zstandard.ZstdCompressor(level=1).compress(inner.SerializeToString())
        yield json.dumps({"payloads": [payload(packed, encoding="binary/zstd")]}).encode()
    small = Payload(metadata={"encoding": b"json/plain"}, data=b"0" * (15 * megabyte))
    packed = zstandard.ZstdCompressor(level=1).compress(small.SerializeToString())
    yield json.dumps({"payloads": [payload(packed, encoding="binary/zstd")] * 8}).encode()
    yield json.dumps({"payloads": [payload(packed, encoding="binary/zstd")] * 400}).encode()


@pytest.mark.slow
async def test_its_memory_is_bounded(tmp_path: Path) -> None:
    log, told = tmp_path / "server.log", tmp_path / "url"
    with process(["-m", "tests.temporal.codec_server_process", str(told)], cwd=tmp_path, environ={}, log=log) as child:
        url = await asyncio.to_thread(wait_for_file, told, child, log)
        async with httpx.AsyncClient(base_url=url, timeout=300) as client:
            asked = [client.post("/decode", content=body) for body in bombs()]
            answers = await asyncio.gather(*asked)  # all at once
            statuses = [answer.status_code for answer in answers]
            assert statuses[-2] in (200, 503)
            assert all(400 <= status < 500 or status == 503 for status in (*statuses[:-2], statuses[-1])), statuses
            for body in bombs():  # one after the other
                assert_said(await client.post("/download", content=body), body)
        assert child.poll() is None
        assert peak_memory(child.pid) < 900_000_000
