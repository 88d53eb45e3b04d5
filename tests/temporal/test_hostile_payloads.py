"""Payloads that somebody in the namespace made by hand: they end their own run, and nothing else."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from pipelex.durable.stored import StoredPayload
from pipelex.runner import Pipelex
from pipelex.temporal.codec import PayloadStore, store_of
from pipelex.temporal.dev_server import DevServer
from pipelex.temporal.workflow.large_inputs import NAME, PARTS
from pipelex.temporal.workflow.references import reference_payload
from tests.support.openai_server import OpenAIStub
from tests.support.processes import peak_memory, process, wait_for_file
from tests.support.project import Project
from tests.support.temporal import client_of

METHOD = """
domain = "hostile"
main_pipe = "echo"

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo: $text"
"""
MEGABYTE = 1_000_000


def json_payload(data: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


def zstd_payload(payload: Payload) -> Payload:
    data = zstandard.ZstdCompressor(level=19).compress(payload.SerializeToString())
    return Payload(metadata={"encoding": b"binary/zstd"}, data=data)


def bomb() -> Payload:
    """Two hundred megabytes of spaces in some kilobytes."""
    return zstd_payload(json_payload(b'{"values":{' + b" " * (200 * MEGABYTE) + b"}}"))


def stream_bomb() -> Payload:
    """The same without its size in the frame's header."""
    compressor = zstandard.ZstdCompressor(level=19, write_content_size=False).compressobj()
    data = compressor.compress(json_payload(b"[" + b" " * (200 * MEGABYTE)).SerializeToString()) + compressor.flush()
    return Payload(metadata={"encoding": b"binary/zstd"}, data=data)


def many_values() -> Payload:
    """A hundred bytes of memory for every three of text."""
    return zstd_payload(json_payload(b"[" + b"[]," * (4 * MEGABYTE) + b"[]]"))


def many_bombs() -> list[Payload]:
    """Three hundred arguments of two kilobytes, each of which becomes sixteen megabytes, which one alone may."""
    return [zstd_payload(json_payload(b" " * (16 * MEGABYTE) + b"1"))] * 300


def many_lists() -> list[Payload]:
    """Twenty arguments that stay below the number of values one may have."""
    return [zstd_payload(json_payload(b"[" + b"[]," * (2 * MEGABYTE) + b"[]]"))] * 20


def broken_frame() -> Payload:
    return Payload(metadata={"encoding": b"binary/zstd"}, data=b"no frame at all")


def broken_parts() -> Payload:
    return Payload(metadata={"encoding": PARTS}, data=b"\xff\xff\xff")


async def one_blob_many_times(store: PayloadStore) -> Payload:
    """A blob of two megabytes, named two hundred times."""
    stored = await store.put(json_payload(b'"' + b"x" * (2 * MEGABYTE) + b'"'))
    parts = [named(stored, f"part_{number}") for number in range(200)]
    return Payload(metadata={"encoding": PARTS}, data=Payloads(payloads=parts).SerializeToString())


def named(stored: StoredPayload, name: str) -> Payload:
    part = reference_payload(stored)
    part.metadata[NAME] = name.encode()
    return part


async def one_large_blob_many_times(store: PayloadStore) -> list[Payload]:
    """A blob of sixty megabytes, as each of forty arguments."""
    stored = await store.put(json_payload(b'"' + b"x" * (60 * MEGABYTE) + b'"'))
    return [reference_payload(stored)] * 40


def of_gigabytes(folder: Path, *, told: int) -> Payload:
    """A reference to a file of four gigabytes in the store."""
    name = f"{told:064x}.bin"
    with (folder / name).open("wb") as file:
        file.truncate(4 * 1024**3)
    return reference_payload(StoredPayload(key=f"temporal-payloads/{name}", size=told))


def of_a_lie(folder: Path) -> Payload:
    """A reference to a blob that has more bytes than the reference says."""
    data = json_payload(b'"' + b"y" * MEGABYTE + b'"').SerializeToString()
    name = f"{hashlib.sha256(data).hexdigest()}.bin"
    (folder / name).write_bytes(data)
    return reference_payload(StoredPayload(key=f"temporal-payloads/{name}", size=20))


def of_another_store(payload: Payload) -> Payload:
    return Payload(metadata=payload.metadata, data=payload.data.replace(b'"pipelex"', b'"elsewhere"'))


def marked(payload: Payload) -> Payload:
    """Garbage that says it is a reference."""
    metadata = {"encoding": b"json/plain", "__temporal_external_storage_reference": b"true"}
    return Payload(metadata=metadata, data=b"{}")


def of_no_json(payload: Payload) -> Payload:
    return Payload(metadata=payload.metadata, data=b"{" * 1_000)


def former() -> Payload:
    return Payload(metadata={"encoding": b"json/external-storage-reference"}, data=b"[[[")


def a_message() -> Payload:
    """What the SDK reads as a protobuf message, whatever type is asked for."""
    metadata = {"encoding": b"json/protobuf", "messageType": b"temporal.api.common.v1.WorkflowType"}
    return Payload(metadata=metadata, data=b'{"name": "x"}')


async def hostile_payloads(store: PayloadStore, folder: Path) -> dict[str, dict[str, list[Payload]]]:
    """Arguments by the type of failure that they end their run with.

    Args:
        store: the store that references lead to.
        folder: where it keeps payloads.
    """
    reference = reference_payload(await store.put(json_payload(b'"' + b"x" * 1_000 + b'"')))
    too_large = {
        "bomb": [bomb()],
        "stream": [stream_bomb()],
        "values": [many_values()],
        "blobs": [await one_blob_many_times(store)],
        "bombs": many_bombs(),
        "lists": many_lists(),
        "large blobs": await one_large_blob_many_times(store),
        "gigabytes": [of_gigabytes(folder, told=4 * 1024**3)],
    }
    malformed = {
        "frame": [broken_frame()],
        "parts": [broken_parts()],
        "gigabytes that are told to be few": [of_gigabytes(folder, told=1_000)],
        "a lie": [of_a_lie(folder)],
        "another store": [of_another_store(reference)],
        "marked": [marked(reference)],
        "no JSON": [of_no_json(reference)],
        "former": [former()],
        "bytes": [Payload(metadata={"encoding": b"binary/plain"}, data=b"{}")],
        "a message": [a_message()],
    }
    return {"RequestTooLarge": too_large, "RequestMalformed": malformed}


async def failure_of(client: Client, queue: str, id_: str, arguments: Sequence[Payload]) -> ApplicationError:
    handle = await client.start_workflow(
        "PipeLLM", args=[RawValue(payload) for payload in arguments], id=id_, task_queue=queue
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 60)
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


@pytest.mark.slow
async def test_they_end_their_run_and_leave_the_worker_small(
    idle: Pipelex, project: Project, stub: OpenAIStub, temporal_server: DevServer, tmp_path: Path
) -> None:
    stub.on("Echo", text="an echo")
    client = await Client.connect(temporal_server.target)
    method = idle.load(project.method(METHOD))
    store = store_of((await client_of(idle)).data_converter)
    assert store is not None
    ready = tmp_path / "ready"
    command = ["-m", "tests.support.worker_process", str(ready)]
    with process(command, cwd=project.root, environ=project.environ, log=tmp_path / "worker.log") as worker:
        wait_for_file(ready, worker, tmp_path / "worker.log")
        job, crate = json_payload(b'{"call":{"pipe":"hostile.echo"}}'), json_payload(b'{"pipes":{}}')
        folder = project.root / ".pipelex" / "storage" / "temporal-payloads"
        for code, attacks in (await hostile_payloads(store, folder)).items():
            for name, payloads in attacks.items():
                id_ = f"{project.queue}-{name}"
                failure = await failure_of(client, project.queue, id_, [job, crate, *payloads])
                assert failure.type == code, name
                assert (await method.run({"text": f"beside {name}"})).text == "an echo"
        await signalled(client, project.queue)
        assert (await method.run({"text": "beside signals"})).text == "an echo"
        assert peak_memory(worker.pid) < 700 * MEGABYTE


async def signalled(client: Client, queue: str, *, reader: Client | None = None) -> None:
    """Signals, each of which decompresses to what one may be; no workflow of ours reads them."""
    unread = f"{queue}-unread"
    (signal,) = many_bombs()[:1]
    job = RawValue(json_payload(b'{"call":{"pipe":"hostile.echo"}}'))
    handle = await client.start_workflow(
        "PipeLLM", args=[job], id=unread, task_queue=queue, start_delay=timedelta(seconds=3)
    )
    for _ in range(60):
        await handle.signal("anything", RawValue(signal))
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for((reader or client).get_workflow_handle(unread).result(), 60)
