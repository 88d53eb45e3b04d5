"""A submitter says within seconds what part is missing, and how to start it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelex.temporal.dev_server import DevServer
from tests.distributed.cluster import eventually
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project
from tests.support.temporal import cluster_of

pytestmark = pytest.mark.slow

INPUT = ("-i", '{"name": "Ada"}')


@contextmanager
def worker(project: Project, *options: str, name: str = "worker") -> Generator[subprocess.Popen[bytes]]:
    ready, log = project.root / f"{name}.ready", project.root / f"{name}.log"
    arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready), *options]
    with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
        wait_for_file(ready, child, log)
        yield child


@contextmanager
def submitting(project: Project, *options: str) -> Generator[tuple[subprocess.Popen[bytes], Path]]:
    """`pipelex run greet.mthds`, while the block runs."""
    log = project.root / "run.log"
    arguments = ["-m", "pipelex.cli", "run", "greet.mthds", *INPUT, "--durable", *options]
    with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
        yield child, log


async def has_workers(project: Project) -> bool:
    async with project.app() as app:
        return await (await cluster_of(app)).has_workers()


def text_of(log: Path) -> str:
    return log.read_text(encoding="utf-8") if log.exists() else ""


def test_workers_that_were_killed_do_not_count(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    with worker(project) as child:
        eventually(lambda: asyncio.run(has_workers(project)))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert asyncio.run(has_workers(project))  # as the server has it

    with submitting(project, "--run-id", f"killed-{project.root.name}") as (run, log):
        eventually(lambda: "Running harbour.greet" in text_of(log))
        began = time.monotonic()
        eventually(lambda: f"pipelex worker --task-queue {project.queue}" in text_of(log), 10)
        assert time.monotonic() - began < 6
        with worker(project, name="second"):
            assert run.wait(30) == 0, text_of(log)


def test_stopping_instead_of_waiting(project: Project) -> None:
    with worker(project) as child:
        eventually(lambda: asyncio.run(has_workers(project)))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert asyncio.run(has_workers(project))  # as the server has it
    run_id = f"stops-{project.root.name}"

    with submitting(project, "--no-wait", "--json", "--run-id", run_id) as (run, log):
        assert run.wait(30) == 1
    problem = json.loads(text_of(log).splitlines()[-1])

    assert problem["code"] == "runtime.unavailable"
    # The server still counts the worker that was killed a moment ago.
    assert f"the workers of the task queue '{project.queue}' are busy or have just ended" in problem["detail"]
    assert f"pipelex runs cancel {run_id}" in problem["detail"]
    assert f"pipelex worker --task-queue {project.queue}" in json.dumps(problem)


def test_a_pool_without_workers_is_named(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    pool = f"{project.queue}_pool"
    with (project.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[temporal.activity_queues.llm]\ndefault = "{pool}"\n[temporal.queue_options.{pool}]\n')

    with worker(project, "--scope", "router"), submitting(project) as (run, log):
        eventually(lambda: f"act_llm_gen_text waits in the task queue '{pool}'" in text_of(log), 40)
        assert f"pipelex worker --task-queue {pool}" in text_of(log)
        with worker(project, "--scope", "runner-llm", "--task-queue", pool, name="pool"):
            assert run.wait(30) == 0, text_of(log)


MISSING = [
    ("target_host", "127.0.0.1:1", "no Temporal at 127.0.0.1:1 answers", "pipelex dev --port 1", 1),
    ("namespace", "nowhere", "has no namespace 'nowhere'", "temporal operator namespace create --namespace nowhere", 2),
]


@pytest.mark.parametrize(("key", "value", "said", "command", "code"), MISSING, ids=lambda each: str(each)[:12])
def test_the_server_or_the_namespace(
    project: Project, key: str, value: str, said: str, command: str, code: int
) -> None:
    with (project.root / ".pipelex" / "pipelex_override.toml").open("w", encoding="utf-8") as settings:
        settings.write(f'temporal.temporal_config.temporal_server_configs.tests.{key} = "{value}"\n')

    with submitting(project) as (run, log):
        assert run.wait(20) == code
    told = text_of(log)

    assert said in told
    assert command in told
    assert f"pipelex worker --task-queue {project.queue}" in told


async def test_waiting_for_a_server(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (project.root / ".pipelex" / "pipelex_override.toml").open("w", encoding="utf-8") as settings:
        settings.write(f'temporal.temporal_config.temporal_server_configs.tests.target_host = "127.0.0.1:{port}"\n')

    with submitting(project, "--wait") as (run, log):
        eventually(lambda: "Waiting; Ctrl-C ends." in text_of(log), 20)
        assert f"no Temporal at 127.0.0.1:{port} answers" in text_of(log)
        async with DevServer(port=port):
            with worker(project):
                assert run.wait(30) == 0, text_of(log)


async def test_a_server_that_goes_away_and_comes_back(project: Project, stub: OpenAIStub, tmp_path: Path) -> None:
    """A submitter waits on, and nothing but the result is on standard output, whatever the SDK warns of.

    Each outage is announced, and so is its end.
    """
    stub.on("Hello", text="Hi", delay=1.0)
    server = DevServer(database=tmp_path / "temporal.db")
    await server.start()
    with (project.root / ".pipelex" / "pipelex_override.toml").open("w", encoding="utf-8") as settings:
        settings.write(f'temporal.temporal_config.temporal_server_configs.tests.target_host = "{server.target}"\n')
        settings.write("temporal.search_attributes.enabled = false\n")
    command = [
        sys.executable,
        "-m",
        "pipelex.cli",
        "run",
        "greet.mthds",
        *INPUT,
        "--durable",
        "--wait",
        "--no-pretty-print",
        "--no-costs",
    ]
    told: list[str] = []

    def goes_away() -> None:
        assert server.process is not None
        server.process.kill()
        server.process.wait()

    def is_told(text: str) -> bool:
        """Read what the submitter says until it says this; false if it ends before."""
        assert run.stderr is not None
        for line in run.stderr:
            told.append(line)
            if text in line:
                return True
        return False

    try:
        with subprocess.Popen(
            command, cwd=project.root, env={**os.environ, **project.environ}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        ) as run:  # fmt: skip
            assert is_told("No worker polls the task queue"), told
            goes_away()
            assert is_told("Temporal did not answer about run"), told
            await server.start()
            assert is_told("The server answers again"), told
            with worker(project):
                eventually(lambda: bool(stub.requests), 40)
                goes_away()
                assert is_told("Temporal did not answer about run"), told
                await server.start()
                said, problems = run.communicate(timeout=60)
                assert (run.returncode, said) == (0, ""), problems
    finally:
        server.stop()


async def test_a_worker_ends_when_the_server_is_gone(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi", delay=1.0)
    async with DevServer() as server:
        settings = project.root / ".pipelex" / "pipelex.toml"
        text = re.sub(
            r'target_host = "[^"]+"', f'target_host = "{server.target}"', settings.read_text(encoding="utf-8")
        )
        settings.write_text(text, encoding="utf-8")
        with worker(project) as child:
            async with project.app() as app:
                await app.load(project.root / "greet.mthds").start({"name": "Ada"})
            eventually(lambda: bool(stub.requests))
            assert server.process is not None
            server.process.kill()
            child.send_signal(signal.SIGTERM)
            assert child.wait(25) == 1

    assert "Ended before the clean-up was complete" in text_of(project.root / "worker.log")


@pytest.mark.parametrize(
    ("queue", "said"),
    [("nobody_q", "no table under [temporal] names the task queue 'nobody_q'"), ("poool_q", "did you mean 'pool_q'")],
)
def test_a_queue_that_nobody_routes_to(project: Project, queue: str, said: str) -> None:
    with (project.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[temporal.activity_queues.llm]\ndefault = "pool_q"\n[temporal.queue_options.pool_q]\n')

    done = subprocess.run(
        [sys.executable, "-m", "pipelex.cli", "worker", "--task-queue", queue],
        cwd=project.root, env={**os.environ, **project.environ}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
