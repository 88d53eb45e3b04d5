"""The codec server, asked over HTTP as the UI asks, and by the `temporal` command."""

import asyncio
import base64
import json
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import DataConverter, JSONProtoPayloadConverter

from pipelex.runner import Pipelex
from pipelex.temporal.codec.server import CodecServer
from pipelex.temporal.dev_server import DevServer, find_binary
from pipelex.temporal.workflow.large_inputs import parts_payload
from pipelex.temporal.workflow.references import DRIVER
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process
from tests.support.project import Project, worker_of
from tests.temporal.test_payload_codec import KEYS, TABLE, encrypting

PAGE = "http://localhost:8233"
SECRET = "a secret of the harbour"


@pytest.fixture
def converter(tmp_path: Path) -> DataConverter:
    return encrypting(tmp_path, compression="zstd")


@pytest_asyncio.fixture
async def client(converter: DataConverter) -> AsyncIterator[httpx.AsyncClient]:
    server = CodecServer(converter, origins=[PAGE])
    await server.start()
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client
    await server.stop()


def body(*payloads: Payload) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=payloads))


def payloads_of(response: httpx.Response) -> list[Payload]:
    response.raise_for_status()
    return list(ParseDict(response.json(), Payloads()).payloads)


async def test_what_it_encodes_it_decodes(client: httpx.AsyncClient, converter: DataConverter) -> None:
    plain = converter.payload_converter.to_payloads([SECRET, None])
    encoded = payloads_of(await client.post("/encode", json=body(*plain)))
    assert encoded == await converter.encode([SECRET, None])
    assert payloads_of(await client.post("/default/decode", json=body(*encoded, plain[0]))) == [*plain, plain[0]]


async def test_what_is_stored_is_decoded_or_downloaded(client: httpx.AsyncClient, converter: DataConverter) -> None:
    noise = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    texts = [SECRET, noise * 4, noise * 40]
    encoded = [(await converter.encode([text]))[0] for text in texts]
    plain = [converter.payload_converter.to_payloads([text])[0] for text in texts]
    assert payloads_of(await client.post("/decode", json=body(*encoded))) == plain
    assert payloads_of(await client.post("/download", json=body(encoded[2]))) == [plain[2]]


async def test_the_ui_gets_large_payloads_only_where_it_downloads_them(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    converter = encrypting(tmp_path)
    encoded = [(await converter.encode(["x" * size]))[0] for size in (10, 200_000, 2_000_000)]
    shown = payloads_of(await client.post("/decode?preserveStorageRefs=true", json=body(*encoded)))
    assert [len(payload.data) for payload in shown[:2]] == [12, 200_002]
    assert shown[2] == encoded[2]


async def test_large_inputs_are_stored_apart_encrypted_and_shown_as_one(
    client: httpx.AsyncClient, converter: DataConverter, tmp_path: Path
) -> None:
    values = {
        name: json.dumps(f"{SECRET} {name} {'.' * size}").encode() for name, size in (("a", 10), ("b", 2_000_000))
    }
    assert converter.payload_codec is not None
    encoded = await converter.payload_codec.encode([parts_payload(values)])
    again = await converter.payload_codec.encode([parts_payload({"a": values["a"]})])
    blobs = [file for file in tmp_path.rglob("temporal-payloads/*") if file.is_file()]
    assert len(blobs) == 2, "a value is stored once whatever it is sent with"
    assert not any(SECRET.encode() in blob.read_bytes() for blob in blobs)
    assert encoded[0].ByteSize() < 1_000
    (shown,) = payloads_of(await client.post("/decode?preserveStorageRefs=true", json=body(*again)))
    assert json.loads(shown.data) == {"values": {"a": json.loads(values["a"])}}
    (downloaded,) = payloads_of(await client.post("/download", json=body(*encoded)))
    assert json.loads(downloaded.data) == {"values": {name: json.loads(value) for name, value in values.items()}}


async def test_the_ui_is_told_where_a_very_large_input_is(client: httpx.AsyncClient, tmp_path: Path) -> None:
    converter = encrypting(tmp_path)
    assert converter.payload_codec is not None
    encoded = await converter.payload_codec.encode([parts_payload({"a": b'"' + b"x" * 2_000_000 + b'"'})])
    (shown,) = payloads_of(await client.post("/decode?preserveStorageRefs=true", json=body(*encoded)))
    assert json.loads(shown.data)["values"]["a"]["stored"]["size"] > 2_000_000


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(client: httpx.AsyncClient) -> None:
    refused = await client.post("/decode", content=b" " * 34_000_000)
    assert refused.status_code == 413


@pytest.mark.parametrize(
    "text",
    [
        b"no json",
        b"[]",
        b'{"payloads": 3}',
        b'{"payloads": [3]}',
        b'{"payloads": [{"metadata": {"encoding": 3}}]}',
        b'{"payloads": [{"data": "%%%"}]}',
        b'{"payloads": ' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_a_body_that_is_no_payloads_is_refused(client: httpx.AsyncClient, text: bytes) -> None:
    assert (await client.post("/decode", content=text)).status_code == 400


@pytest.mark.parametrize("claim", [{}, {"key": "x"}, {"key": "x", "size": "many"}, {"size": "3"}])
async def test_a_damaged_reference_is_refused(client: httpx.AsyncClient, claim: dict[str, str]) -> None:
    reference = ExternalStorageReference(driver_name=DRIVER, claim_data=claim)
    payload = JSONProtoPayloadConverter().to_payload(reference)
    assert payload is not None
    asked = await client.post("/download", json=body(payload))
    assert (asked.status_code, "damaged" in asked.text) == (400, True)


async def test_only_the_pages_named_may_ask(client: httpx.AsyncClient) -> None:
    wanted = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-namespace",
        "access-control-request-private-network": "true",
    }
    asked = await client.request("OPTIONS", "/decode", headers=wanted)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert {"content-type", "x-namespace"} <= set(asked.headers["access-control-allow-headers"].split(", "))
    assert asked.headers["access-control-allow-private-network"] == "true"
    answered = await client.post("/decode", json={"payloads": []}, headers={"origin": PAGE})
    assert (answered.json(), answered.headers["access-control-allow-origin"]) == ({}, PAGE)
    for headers in ({"origin": "http://elsewhere.example"}, {"host": "elsewhere.example:8081"}):
        refused = await client.post("/decode", json={"payloads": []}, headers=headers)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


async def test_what_it_cannot_do_it_says(client: httpx.AsyncClient, tmp_path: Path) -> None:
    assert (await client.post("/elsewhere", json={})).status_code == 404
    assert (await client.get("/decode")).status_code == 405
    assert (await client.post("/decode", content=b"{'")).status_code == 400
    (foreign,) = await encrypting(tmp_path, "other", "OLD").encode([SECRET])
    refused = await client.post("/decode", json=body(foreign))
    assert refused.status_code == 422
    assert "key 'other'" in refused.text
    assert "decrypt_keys" in refused.text


METHOD = """
domain = "harbour"
main_pipe = "tell"

[pipe.tell]
type = "PipeLLM"
description = "Tell"
inputs = { text = "Text" }
output = "Text"
prompt = "Tell $text"
"""


def encrypted(project: Project) -> dict[str, Any]:
    """Settings with which a project's payloads are encrypted."""
    (project.root / ".env").write_text(f"NEW={KEYS['NEW']}\n")
    return {f"{TABLE}.encryption.key_id": "new", f"{TABLE}.encryption.key_env": "NEW", f"{TABLE}.compression": "zstd"}


def show(server: DevServer, run_id: str, *more: str) -> bytes:
    """The data of all payloads that the `temporal` command shows of a run."""
    command = [str(find_binary()), "workflow", "show", "--address", server.target, "-w", run_id, "-o", "json", *more]
    shown = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout
    return b"\n".join(map(base64.b64decode, re.findall(r'"data": "(.*?)"', shown)))


async def test_the_temporal_command_reads_encrypted_runs_through_it(
    project: Project, stub: OpenAIStub, temporal_server: DevServer
) -> None:
    stub.on("Tell", text=f"{SECRET}, told")
    settings = encrypted(project)
    async with project.app(overrides=settings) as app, worker_of(app):
        run = await app.load(project.method(METHOD)).run({"text": SECRET + "." * 200_000})
    (project.root / ".pipelex" / "pipelex_override.toml").write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    )
    log = project.root / "codec.log"
    command = ["-m", "pipelex.cli", "temporal", "codec-server", "--port", "0"]
    with process(command, cwd=project.root, environ=project.environ, log=log) as server:
        url = await asyncio.to_thread(_url, log)
        raw, shown = [
            await asyncio.to_thread(show, temporal_server, run.run_id, *more)
            for more in ([], ["--codec-endpoint", url])
        ]
        server.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(server.wait, 20) == 130
    assert SECRET.encode() not in raw
    assert f"{SECRET}, told".encode() in shown
    assert f"{SECRET}.....".encode() in shown


def _url(log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if log.exists() and "http://" in (said := log.read_text()):
            return said.partition("http://")[1] + said.partition("http://")[2].split()[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


async def test_it_listens_for_other_machines_only_where_that_is_said(idle: Pipelex, project: Project) -> None:
    log = project.root / "codec.log"
    command = ["-m", "pipelex.cli", "temporal", "codec-server", "--host", "0.0.0.0", "--port", "0"]
    with process(command, cwd=project.root, environ=project.environ, log=log) as server:
        assert await asyncio.to_thread(server.wait, 60) == 2
    assert "--allow-remote" in log.read_text()
