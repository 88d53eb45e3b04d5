"""One worker process under every kind of attack, while another tenant's runs go on: it stays under a gigabyte."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue

from pipelex.errors import PipelexError
from pipelex.library import load_library
from pipelex.runner import Method, Pipelex, RunHandle
from pipelex.temporal.codec import store_of
from pipelex.temporal.dev_server import DevServer
from tests.inference.extract.test_bombs import BOMBS
from tests.support.hostile import METHODS, PICTURES, answers
from tests.support.openai_server import OpenAIStub
from tests.support.processes import peak_memory, process, wait_for_file
from tests.support.project import Project
from tests.support.temporal import client_of
from tests.temporal.test_codec_server import encrypted
from tests.temporal.test_hostile_payloads import hostile_payloads, json_payload, signalled
from tests.temporal.test_payload_codec import TABLE

GIGABYTE = 1_000_000_000
MEGABYTE = 1_000_000

HONEST = """
domain = "honest"
main_pipe = "echo"

[pipe.echo]
type = "PipeSequence"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
steps = [{ pipe = "ask", result = "answer" }, { pipe = "frame", result = "framed" }]

[pipe.ask]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo: $text"

[pipe.frame]
type = "PipeCompose"
description = "Frame"
inputs = { answer = "Text" }
output = "Text"
template = "<$answer>"
"""

READING = """
domain = "evil"

[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { document = "Document" }
output = "Page[]"

[pipe.look]
type = "PipeLLM"
description = "Look"
inputs = { image = "Image" }
output = "Text"
prompt = "Look: $image"

[pipe.ask]
type = "PipeLLM"
description = "Ask"
inputs = { text = "Text" }
output = "Text"
prompt = "Answer me $text"

[pipe.structured]
type = "PipeLLM"
description = "Ask"
inputs = { text = "Text" }
output = "Answer"
prompt = "Answer me $text"

[concept.Answer]
description = "d"
[concept.Answer.structure]
a = { type = "text", description = "d" }
"""

LIBRARY = """
domain = "quay"
main_pipe = "total"

[pipe.total]
type = "PipeFunc"
description = "Add up"
inputs = { text = "Text" }
output = "Text"
function_name = "json.total"
"""
FUNCTIONS = "import os, subprocess\nfrom pathlib import Path\ndef total(text):\n    return 'shadow'\nclass Sum: ...\n"
"""A module of the method's own that is named like one of the standard library."""

CALLABLES = (
    "subprocess.Popen", "os.system", "os.popen", "builtins.exec", "builtins.eval", "json.dumps", "json.loads",
    "json.os.system", "json.subprocess.run", "json.Path", "json.Sum", "json.__init__", "json.total.__call__",
    "json.total.__globals__", "json.__builtins__.exec", ".json.total", "json..total", "json/total", "../json.total",
    "/etc/passwd", "pathlib.Path.write_text", "importlib.import_module", "runpy.run_path", "", "json.total\n", "json:total",
)  # fmt: skip


DOCUMENTS = ("wide rows", "parts of a mail", "elements in elements", "a million pages", "operators")
"""Those of the bombs that differ most; every one of them has a test of its own."""


@dataclass
class Tenant:
    """Somebody whose runs have nothing to do with the attacks."""

    method: Method
    ended: int = 0
    failures: list[BaseException] = field(default_factory=list[BaseException])

    async def go_on(self) -> None:
        while True:
            try:
                said = (await asyncio.wait_for(self.method.run({"text": f"run {self.ended}"}), 60)).text
                assert said == "<an echo>"
                self.ended += 1
            except (PipelexError, TimeoutError, AssertionError) as failed:
                self.failures.append(failed)
            await asyncio.sleep(0.2)


@asynccontextmanager
async def going_on(tenant: Tenant) -> AsyncGenerator[None]:
    task = asyncio.create_task(tenant.go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def reporting(attacker: "Attacker", tenant: Tenant, pid: int) -> AsyncGenerator[None]:
    """Say what became of the attacks, however the block ends."""
    try:
        yield
    finally:
        for kind, outcomes in attacker.done.items():
            print(f"--- {kind}: {len(outcomes)}", *outcomes, sep="\n")
        print(f"tenant: {tenant.ended} runs; worker: {peak_memory(pid) / MEGABYTE:.0f} MB at most")


@dataclass
class Attacker:
    """Somebody who may start workflows in the namespace, and writes methods, documents and answers."""

    app: Pipelex
    client: Client
    """It has no key."""
    queue: str
    root: Path
    numbers: Iterator[int] = field(default_factory=count)
    done: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What became of each attack, by kind."""

    def tell(self, kind: str, name: str, outcome: str) -> None:
        self.done.setdefault(kind, []).append(f"{name}: {outcome}")

    async def by_hand(self, kind: str, name: str, workflow: str, payloads: Sequence[Payload]) -> str:
        """What a workflow that is started by hand ends with."""
        handle = await self.client.start_workflow(
            workflow,
            args=[RawValue(payload) for payload in payloads],
            id=f"{self.queue}-{kind}-{next(self.numbers)}",
            task_queue=self.queue,
        )
        reader = await client_of(self.app)  # what a run ends with is encrypted, too
        try:
            await asyncio.wait_for(reader.get_workflow_handle(handle.id).result(), 45)
            outcome = "done"
        except WorkflowFailureError as failed:
            outcome = str(getattr(failed.cause, "type", failed.cause))
        except TimeoutError:
            await handle.terminate()
            outcome = "repeated"
        self.tell(kind, name, outcome)
        return outcome

    async def run(self, kind: str, name: str, method: Method, pipe: str | None, inputs: dict[str, Any]) -> str:
        """What a run of a method ends with."""
        run: RunHandle | None = None
        try:
            run = await method.start(inputs, pipe=pipe)
            await asyncio.wait_for(run.result(), 45)
            outcome = "done"
        except PipelexError as failed:
            outcome = failed.code
            if outcome in ("runtime.unexpected", "runtime.unavailable"):
                outcome = f"{outcome}: {failed.report.detail}"
        except TimeoutError:
            outcome = "goes on"
            if run is not None:
                await run.cancel()
        self.tell(kind, name, outcome)
        return outcome

    async def functions(self, library: Path, *, is_plain_refused: bool) -> None:
        """Callables of every kind, under a file of the worker's library that is named by its digest."""
        loaded = load_library([library / "method.mthds"]).library
        assert loaded is not None
        crate = loaded.closure("quay.total").json_bytes
        pwned = self.root / "pwned"
        inputs = {name: {"concept": "native.Text", "content": {"text": f"touch {pwned}"}} for name in ("text",)}
        job = json_payload(json.dumps({"call": {"pipe": "quay.total", "inputs": inputs}}).encode())
        own = await self.by_hand("functions", "its own", "PipeFunc", [job, json_payload(crate)])
        assert (own == "done") is not is_plain_refused
        wrong = {name: crate.replace(b'"json.total"', json.dumps(name).encode()) for name in CALLABLES}
        for path in ("../../etc/passwd", "/etc/passwd", "other.py", "/proc/self/environ"):
            wrong[f"of {path}"] = re.sub(rb'"path": ?"json\.py"', f'"path":"{path}"'.encode(), crate)
        assert crate not in wrong.values()
        tries = [self.by_hand("functions", name, "PipeFunc", [job, json_payload(each)]) for name, each in wrong.items()]
        for name, outcome in zip(wrong, await asyncio.gather(*tries), strict=True):
            assert outcome not in ("done", "repeated"), (name, outcome)
        assert not pwned.exists()

    async def payloads(self, project: Project, *, is_plain_refused: bool) -> None:
        store = store_of((await client_of(self.app)).data_converter)
        assert store is not None
        crate = json_payload(b'{"pipes":{}}')
        job = json_payload(b'{"call":{"pipe":"evil.go"}}')
        folder = project.root / ".pipelex" / "storage" / "temporal-payloads"
        for code, attacks in (await hostile_payloads(store, folder)).items():
            for name, sent in attacks.items():
                outcome = await self.by_hand("payloads", name, "PipeLLM", [job, crate, *sent])
                assert outcome in ({code, "RequestMalformed"} if is_plain_refused else {code}), (name, outcome)
        await signalled(self.client, self.queue, reader=await client_of(self.app))
        self.tell("payloads", "signals", "ended")

    async def jobs(self) -> None:
        """Garbage, to every workflow type."""
        good = json_payload(b'{"call":{"pipe":"evil.go"}}')
        garbage = {
            "unknown encoding": Payload(metadata={"encoding": b"binary/unknown"}, data=b"x"),
            "no encoding": Payload(data=b"x"),
            "no text": json_payload(b"\xff\xfe{"),
            "deep": json_payload(b"[" * 500_000),
            "a list": json_payload(b"[1]"),
            "a long number": json_payload(b"9" * 500_000),
            "halves": json_payload(rb'{"call":{"pipe":"\ud800"}}'),
            "protobuf": Payload(metadata={"encoding": b"json/protobuf", "messageType": b"no.Such"}, data=b"{}"),
            "null": Payload(metadata={"encoding": b"binary/null"}),
        }
        tries = [
            (f"{workflow} {name} as {place}", workflow, sent)
            for workflow in ("PipeLLM", "PipeBatch")
            for name, payload in garbage.items()
            for place, sent in (("job", [payload, good]), ("crate", [good, payload]), ("more", [good, good, payload]))
        ]
        outcomes = await asyncio.gather(*(self.by_hand("jobs", *each) for each in tries))
        for (name, *_), outcome in zip(tries, outcomes, strict=True):
            assert outcome not in ("done", "repeated"), (name, outcome)

    async def methods(self) -> None:
        for name, make in METHODS.items():
            file = self.root / "evil.mthds"
            file.write_text(make(), encoding="utf-8")
            try:
                method = self.app.load(file)
            except PipelexError as refused:
                self.tell("methods", name, f"refused: {refused.code}")
                continue
            await self.run("methods", name, method, None, {"text": "x"})
        assert not (self.root / "pwned").exists()

    async def documents(self, method: Method) -> None:
        files = {name: (BOMBS[name], "read", "document") for name in DOCUMENTS}
        files |= {name: (each, "look", "image") for name, each in PICTURES.items()}
        for number, (name, ((make, filename), pipe, input_name)) in enumerate(files.items()):
            file = self.root / f"{number}-{filename}"
            file.write_bytes(await asyncio.to_thread(make))  # it would hold up the tenant, who is in this process
            await self.run("documents", name, method, pipe, {input_name: {"url": str(file)}})

    async def answers(self, method: Method, stub: OpenAIStub) -> None:
        for name, reply in await asyncio.to_thread(lambda: list(answers())):
            stub.on(f"Answer me {name}.", reply)
            tries = [
                self.run("answers", f"{pipe} {name}", method, pipe, {"text": f"{name}."})
                for pipe in ("ask", "structured")
            ]
            assert not any(outcome.startswith("runtime.") for outcome in await asyncio.gather(*tries)), name


async def by_hand(attacker: Attacker, project: Project, library: Path, *, is_plain_refused: bool) -> None:
    """The attacks of whoever starts workflows without a client of ours."""
    await attacker.functions(library, is_plain_refused=is_plain_refused)
    await attacker.payloads(project, is_plain_refused=is_plain_refused)
    await attacker.jobs()


def add_settings(project: Project, settings: Mapping[str, Any]) -> None:
    """Put settings into the file of a project."""
    tables: dict[str, list[str]] = {}
    for key, value in settings.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}\n")
    with (project.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as file:
        file.writelines(f"\n[{table}]\n{''.join(lines)}" for table, lines in tables.items())


@pytest.mark.slow
@pytest.mark.timeout(540)
@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_a_worker_outlives_every_kind_of_attack(
    project: Project, stub: OpenAIStub, temporal_server: DevServer, *, is_encrypted: bool
) -> None:
    stub.on("Echo", text="an echo").on("Look", text="seen")
    add_settings(project, {"inference.extract.timeout_seconds": 3.0, "inference.extract.max_memory_bytes": 201_326_592})
    if is_encrypted:
        add_settings(project, encrypted(project) | {f"{TABLE}.encryption.is_required": True})
    library = project.root / "library"
    library.mkdir()
    (library / "method.mthds").write_text(LIBRARY, encoding="utf-8")
    (library / "json.py").write_text(FUNCTIONS, encoding="utf-8")
    ready, log = project.root / "ready", project.root / "worker.log"
    command = ["-m", "pipelex.cli", "worker", "--library", str(library), "--ready-file", str(ready)]
    with process(command, cwd=project.root, environ=project.environ, log=log) as worker:
        wait_for_file(ready, worker, log)
        async with project.app() as app:
            tenant = Tenant(app.load(project.method(HONEST, "honest.mthds")))
            attacker = Attacker(app, await Client.connect(temporal_server.target), project.queue, project.root)
            reading = app.load(project.method(READING, "reading.mthds"))
            async with going_on(tenant), reporting(attacker, tenant, worker.pid):
                await asyncio.gather(
                    by_hand(attacker, project, library, is_plain_refused=is_encrypted),
                    attacker.methods(),
                    attacker.documents(reading),
                    attacker.answers(reading, stub),
                )
        assert worker.poll() is None
        assert not tenant.failures
        assert tenant.ended > 3
        assert peak_memory(worker.pid) < GIGABYTE
        assert "\x1b" not in log.read_text(encoding="utf-8", errors="replace")
