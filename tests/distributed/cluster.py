"""Deployments on one machine for tests: real processes, and what the server says about who did what."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.client import Client

from pipelex.config import load_settings
from pipelex.runner import Pipelex
from tests.support.inference_files import write
from tests.support.processes import REPOSITORY, kill, wait_for_file

DEPLOY = REPOSITORY / "deploy"

BACKENDS = """
[openai]
endpoint = "{url}"
api_key  = "${{OPENAI_API_KEY}}"
[anthropic]
endpoint = "{url}"
api_key  = "${{ANTHROPIC_API_KEY}}"
[mistral]
endpoint = "{url}"
api_key  = "${{MISTRAL_API_KEY}}"
[linkup]
api_key  = "${{LINKUP_API_KEY}}"
[typesafe]
endpoint = "{url}"
api_key  = "${{TYPESAFE_API_KEY}}"
[pictures]
endpoint = "{pictures}/v1"
api_key  = "${{OPENAI_API_KEY}}"
[internal]
"""
PICTURES = """
[painter-test]
model_type = "img_gen"
sdk        = "openai_img_gen"
outputs    = ["image"]
"""
LLM = """
[defaults]
sdk              = "openai"
structure_method = "instructor/openai_tools"
inputs           = ["text"]
outputs          = ["text", "structured"]
[{handle}]
"""
ROUTING = """
active = "by_name"
[profiles.by_name]
description    = "Each model at its maker"
default        = "openai"
fallback_order = ["anthropic", "mistral", "pictures", "internal"]
"""
DECK = """
[llm.choice_defaults]
for_text   = "gpt-test"
for_object = "gpt-test"
"""

KEYS = {"OPENAI_API_KEY": "key-openai-0123456789", "ANTHROPIC_API_KEY": "key-anthropic-0123456789"}


def write_inference(folder: Path, url: str, pictures: str) -> None:
    """Models of two makers at a test server, their keys in the environment; documents are read by software."""
    write(
        folder,
        backends=BACKENDS.format(url=url, pictures=pictures),
        backends__pictures=PICTURES,
        backends__openai=LLM.format(handle="gpt-test"),
        backends__anthropic=LLM.format(handle="claude-test"),
        backends__mistral=LLM.format(handle="mistral-test"),
        routing_profiles=ROUTING,
        deck__9_tests=DECK,
    )


class Ran(NamedTuple):
    """One activity, as the server has it."""

    activity: str
    queue: str
    pid: int | None
    """The process that started it; None: none did yet."""


@dataclass
class Cluster:
    """A deployment that runs."""

    folder: Path
    target: str
    workers: dict[str, int]
    """Name → process id."""
    process: subprocess.Popen[bytes]
    log: Path
    queue: str
    added: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Pipelex]:
        """A thin client, which knows the server and the routers' queue, and none of the pools and keys."""
        root = self.folder.parent / "client"
        if not root.exists():
            shutil.copytree(self.folder / ".pipelex" / "inference", root / ".pipelex" / "inference")
            (root / ".pipelex" / "pipelex.toml").write_text(
                f'[temporal.temporal_config.temporal_server_configs.local]\ntarget_host = "{self.target}"\n'
                f'[temporal.worker_config]\ndefault_task_queue = "{self.queue}"\n'
                "[inference]\ncredentials_elsewhere = true\n"
                f'[runtime.storage.local]\npath = "{self.folder / ".pipelex" / "storage"}"\n',
                encoding="utf-8",
            )
        settings = load_settings(cwd=root, environ={"HOME": str(root)})
        async with Pipelex(settings, orchestrator="temporal") as app:
            yield app

    def stop(self, worker: str) -> None:
        """End a worker process."""
        os.kill(self.workers[worker], signal.SIGTERM)
        eventually(lambda: f"Worker {worker} ended" in self.said)

    def add(self, name: str, *arguments: str) -> int:
        """Start one more `pipelex worker`, as one does by hand."""
        ready = self.folder / f"ready-{name}"
        environ = {**environment(self.folder), "TEMPORAL_ADDRESS": self.target}
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", "pipelex.cli", "worker", *arguments, "--ready-file", str(ready)]
            child = subprocess.Popen(command, cwd=self.folder, env=environ, stdout=output, stderr=output)
        self.added.append(child)
        wait_for_file(ready, child, self.log)
        self.workers[name] = child.pid
        return child.pid


def environment(folder: Path) -> dict[str, str]:
    """The test process's, without what would configure Pipelex or Temporal, and with the providers' keys."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("PIPELEX_", "TEMPORAL_"))}
    own = {"HOME": str(folder.parent / "home"), "PYTHON": sys.executable, "PIPELEX_TRUST_PROJECT": "1"}
    return {**known, **own, **KEYS}


@contextmanager
def deployed(
    name: str,
    root: Path,
    *,
    url: str,
    pictures: str,
    edits: Sequence[tuple[str, str, str]] = (),
    queue: str = "router_q",
) -> Generator[Cluster]:
    """A shipped deployment, started by its own command, with the models at a test server.

    Args:
        name: of its folder in `deploy`.
        root: a folder for the copy.
        url: the test server's.
        pictures: address of the server that makes images.
        edits: file, text, and what to put in its place.
        queue: the queue that clients start runs on.
    """
    shutil.copytree(DEPLOY, root / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    folder = root / "deploy" / name
    write_inference(folder / ".pipelex" / "inference", url, pictures)
    for file, old, new in edits:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    ready, log = root / "ready.json", root / "deploy.log"
    with log.open("ab") as output:
        arguments = ["--port", "0", "--headless", "--ready-file", str(ready)]
        process = subprocess.Popen(
            [str(folder / "run.sh"), *arguments], cwd=root, env=environment(folder), stdout=output, stderr=output
        )
    cluster: Cluster | None = None
    try:
        found = json.loads(wait_for_file(ready, process, log, seconds=100))
        cluster = Cluster(folder, found["target"], dict(found["workers"]), process, log, queue)
        yield cluster
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
        assert not any(is_alive(pid) for pid in found["workers"].values())
    finally:
        for child in (process, *(cluster.added if cluster is not None else ())):
            kill(child)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.1)


async def scheduled(client: Client, workflow_id: str) -> list[ActivityTaskScheduledEventAttributes]:
    """How a workflow scheduled its activities."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    wanted = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return [event.activity_task_scheduled_event_attributes for event in history.events if event.event_type == wanted]


async def who_ran(client: Client, run_id: str) -> list[Ran]:
    """Every activity of a run and who ran it, as the histories of its workflows have it."""
    found: list[Ran] = []
    async for execution in client.list_workflows(f"PipelineRunId = '{run_id}'"):
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        started: dict[int, int] = {}
        events = (await handle.fetch_history()).events
        for event in events:
            if event.HasField("activity_task_started_event_attributes"):
                attributes = event.activity_task_started_event_attributes
                started[attributes.scheduled_event_id] = int(attributes.identity.partition("@")[0])
        for event in events:
            if event.HasField("activity_task_scheduled_event_attributes"):
                attributes = event.activity_task_scheduled_event_attributes
                ran = Ran(attributes.activity_type.name, attributes.task_queue.name, started.get(event.event_id))
                found.append(ran)
    return found
