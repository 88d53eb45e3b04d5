"""Payloads that somebody in the namespace made by hand: they end their own run, and nothing else."""

import asyncio
from collections.abc import Sequence
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
        attacks = {
            "bomb": bomb(),
            "stream": stream_bomb(),
            "values": many_values(),
            "frame": broken_frame(),
            "parts": broken_parts(),
            "blobs": await one_blob_many_times(store),
        }
        for name, payload in attacks.items():
            id_ = f"{project.queue}-{name}"
            failure = await failure_of(client, project.queue, id_, [job, crate, payload])
            assert failure.type == ("RequestMalformed" if name in ("frame", "parts") else "RequestTooLarge"), name
            assert (await method.run({"text": f"beside {name}"})).text == "an echo"
        assert peak_memory(worker.pid) < 700 * MEGABYTE
