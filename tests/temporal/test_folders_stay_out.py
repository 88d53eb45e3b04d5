"""What fails on a worker says nothing of the worker's folders: not in reports, messages or stack traces of a history."""

import base64
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue

from pipelex.errors import PipelexError
from pipelex.inference.chat.service import Chat
from pipelex.pipes.semantics import SEMANTICS
from pipelex.pipes.semantics._run import PipeRun
from pipelex.temporal.dev_server import DevServer
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY
from tests.support.project import Project, worker_of, write_project
from tests.support.temporal import client_of
from tests.temporal.test_codec_server import encrypted

FUNCTIONS = """
import os, sys, traceback

def opens(text: str) -> str:
    return open(os.path.dirname(__file__) + "/harbour log.txt").read()

def tells(text: str) -> str:
    raise ValueError(f"{__file__} of {sys.prefix} in {os.environ}")

def traces(text: str) -> str:
    try:
        return [][1]
    except IndexError:
        raise ValueError(traceback.format_exc()) from None

def dies(text: str) -> str:
    sys.stderr.write(f"Fatal error in {__file__}")
    sys.stderr.flush()
    os._exit(3)

def floods(text: str) -> str:
    os.execv("/usr/bin/false", [__file__])
"""

FUNCTION = """
[pipe.{name}]
type = "PipeFunc"
description = "Fail"
inputs = {{ text = "Text" }}
output = "Text"
function_name = "funcs.{name}"
"""
NAMES = ("opens", "tells", "traces", "dies", "floods")

METHOD = """
domain = "hand"
main_pipe = "echo"

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo: $text"

[pipe.compose]
type = "PipeCompose"
description = "Compose"
inputs = { text = "Text" }
output = "Text"
template = "$text"

[pipe.print]
type = "PipeDocGen"
description = "Print"
inputs = { text = "Text" }
output = "Document"
format = "pdf"
template = "<p>$text</p>"
""" + "".join(FUNCTION.format(name=name) for name in NAMES)


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, temporal_server: DevServer) -> Project:
    found = write_project(
        tmp_path / "a project", stub=stub.url, target=temporal_server.target, queue=f"places-{tmp_path.name}"
    )
    (found.root / "methods").mkdir()
    (found.root / "methods" / "funcs.py").write_text(FUNCTIONS, encoding="utf-8")
    found.method(METHOD, "methods/method.mthds")
    return found


async def told(handle: WorkflowHandle[Any, Any]) -> str:
    """Everything that the server was told of a failed run, payloads included."""
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    history = (await handle.fetch_history()).to_json_dict()
    return json.dumps(history) + "".join(_data(history))


def _data(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if isinstance(data := members.get("data"), str):
            yield base64.b64decode(data).decode(errors="replace")
        for member in members.values():
            yield from _data(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _data(item)


def assert_no_folder(text: str, project: Project) -> None:
    folders = {str(project.root), "a project", sys.prefix, str(REPOSITORY), tempfile.gettempdir(), "site-packages"}
    assert not {folder for folder in folders if folder in text}, text


async def test_what_functions_say(project: Project) -> None:
    async with project.app() as app, worker_of(app):
        app.inference.trees.add_folder(project.root / "methods")
        client = await client_of(app)
        for name in NAMES:
            run = await app.load(project.root / "methods", pipe=name).start({"text": "x"})
            text = await told(client.get_workflow_handle(run.run_id))
            assert f"funcs.{name}" in text
            assert_no_folder(text, project)


async def test_what_is_encrypted_says_no_more_to_who_has_the_key(project: Project) -> None:
    async with project.app(overrides=encrypted(project)) as app, worker_of(app):
        app.inference.trees.add_folder(project.root / "methods")
        with pytest.raises(PipelexError) as failed:
            await app.load(project.root / "methods", pipe="tells").run({"text": "x"})
        causes: list[str] = []
        current: BaseException | None = failed.value
        while current is not None:
            causes.append(f"{current!r} {getattr(getattr(current, 'failure', None), 'stack_trace', '')}")
            current = current.__cause__ or current.__context__
        assert "…/funcs.py" in failed.value.report.detail
        assert_no_folder(f"{failed.value.report.to_problem()} {causes}", project)


async def test_what_nobody_foresaw(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in an activity, and one in workflow code."""

    async def broken(*_: object) -> Any:
        raise FileNotFoundError(2, "No such file", f"{project.root}/.pipelex/inference/backends.toml")

    async def broken_pipe(run: PipeRun) -> Any:
        raise KeyError(f"{sys.prefix}/lib/x.py")

    monkeypatch.setattr(Chat, "generate_text", broken)
    monkeypatch.setitem(SEMANTICS, "PipeCompose", broken_pipe)  # pyright: ignore[reportArgumentType]
    async with project.app() as app, worker_of(app):
        client = await client_of(app)
        for name, said in (("echo", "backends.toml"), ("compose", "x.py")):
            run = await app.load(project.root / "methods", pipe=name).start({"text": "x"})
            text = await told(client.get_workflow_handle(run.run_id))
            assert f"…/{said}" in text
            assert_no_folder(text, project)


async def test_what_a_store_says(project: Project) -> None:
    """The storage's folder is a file, which every read and write of it complains about with its path."""
    (project.root / "store of runs").write_text("no folder", encoding="utf-8")
    overrides = {"runtime.storage.local.path": str(project.root / "store of runs")}
    async with project.app(overrides=overrides) as app, worker_of(app):
        run = await app.load(project.root / "methods", pipe="print").start({"text": "x"})
        text = await told((await client_of(app)).get_workflow_handle(run.run_id))
        assert "…/store of runs" in text
        assert_no_folder(text, project)


async def test_what_payloads_nobody_can_read_say(project: Project) -> None:
    async with project.app() as app, worker_of(app):
        crate = app.load(project.root / "methods").library.closure("hand.echo").json_bytes
        client = await client_of(app)
        for number, data in enumerate([b"", b"\xff\xfe{", b"[" * 100_000, b'{"call": 3}', b"null"]):
            arguments = [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=each)) for each in (data, crate)]
            id_ = f"{project.queue}-{number}"
            handle = await client.start_workflow("PipeLLM", args=arguments, id=id_, task_queue=project.queue)
            assert_no_folder(await told(handle), project)
