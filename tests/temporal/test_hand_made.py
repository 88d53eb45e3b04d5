"""Workflows that somebody in the namespace starts by hand: each ends with a report, and none repeats a task for ever."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from pipelex.runner import Pipelex
from pipelex.temporal.dev_server import DevServer
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of, write_project
from tests.support.temporal import client_of

METHOD = """
domain = "hand"
main_pipe = "echo"

[concept.Berth]
description = "A berth"
[concept.Berth.structure]
code  = { type = "text", description = "Code", required = true }
depth = { type = "number", description = "Depth" }

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { berth = "Berth" }
output = "Text"
prompt = "Echo: $berth"
"""

GOOD = {"berth": {"concept": "hand.Berth", "content": {"code": "B1"}}}


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, temporal_server: DevServer) -> Project:
    return write_project(tmp_path, stub=stub.url, target=temporal_server.target, queue=f"hand-{tmp_path.name}")


def plain(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


async def ended(app: Pipelex, project: Project, id_: str, workflow: str, arguments: list[Any]) -> str:
    """The code a workflow failed with; empty where it succeeded."""
    client = await client_of(app)
    handle = await client.start_workflow(workflow, args=arguments, id=id_, task_queue=project.queue)
    try:
        await asyncio.wait_for(handle.result(), 60)
    except WorkflowFailureError as failed:
        cause = failed.cause
        assert isinstance(cause, ApplicationError), cause
        detail: Any = cause.details[0]
        assert str(project.root) not in json.dumps(detail), detail
        return detail["code"]
    return ""


async def test_what_is_wrong_ends_the_run(project: Project, stub: OpenAIStub, tmp_path: Path) -> None:
    stub.on("Echo", text="fine")
    async with project.app() as app:
        crate = app.load(project.method(METHOD)).library.closure("hand.echo").json_bytes

        def job(inputs: Any = GOOD, pipe: str = "hand.echo") -> RawValue:
            return plain(json.dumps({"call": {"pipe": pipe, "inputs": inputs}}).encode())

        def berth(content: Any, concept: str = "hand.Berth") -> RawValue:
            return job({"berth": {"concept": concept, "content": content}})

        tries: dict[str, tuple[str, list[Any], set[str]]] = {
            "right": ("PipeLLM", [job(), plain(crate)], {""}),
            "other type": ("PipeCompose", [job(), plain(crate)], {"request.malformed"}),
            "another type": ("PipeFunc", [job(), plain(crate)], {"request.malformed"}),
            "no arguments": ("PipeLLM", [], {"request.malformed"}),
            "no crate": ("PipeLLM", [job()], {"request.malformed"}),
            "encoding": ("PipeLLM", [plain(b"x", b"binary/unknown"), plain(crate)], {"request.malformed"}),
            "garbage": ("PipeLLM", [plain(b"\xff\xfe{"), plain(crate)], {"request.malformed"}),
            "garbage crate": ("PipeLLM", [job(), plain(b"\xff\xff{{{")], {"request.malformed", "method.invalid"}),
            "crate of a list": ("PipeLLM", [job(), plain(b"[1, 2]")], {"request.malformed", "method.invalid"}),
            "nested crate": ("PipeLLM", [job(), plain(b"[" * 100_000)], {"request.malformed", "method.invalid"}),
            "no pipe": (
                "PipeLLM",
                [job(pipe="hand.other"), plain(crate)],
                {"request.pipe_not_found", "request.malformed"},
            ),
            "missing field": ("PipeLLM", [berth({"depth": 3}), plain(crate)], {"input.invalid"}),
            "wrong kind": ("PipeLLM", [berth({"code": ["x"]}), plain(crate)], {"input.invalid"}),
            "unknown field": ("PipeLLM", [berth({"code": "x", "evil": 1}), plain(crate)], {"input.invalid"}),
            "a text": ("PipeLLM", [berth("x"), plain(crate)], {"input.invalid"}),
            "null": ("PipeLLM", [berth(None), plain(crate)], {"input.invalid", "request.malformed"}),
        }
        async with worker_of(app):
            for number, (name, (workflow, arguments, codes)) in enumerate(tries.items()):
                code = await ended(app, project, f"{tmp_path.name}-{number}", workflow, arguments)
                assert code in codes, (name, code)
    assert len(stub.completions) == 1
