"""A killed worker, and a killed server, lose nothing."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from pipelex.temporal.dev_server import DevServer
from tests.support.methods import DESCRIBE_ALL
from tests.support.processes import kill, process, wait_for_file
from tests.support.project import Project, write_project

WORDS = [f"word{number:02}" for number in range(12)]
IN_FLIGHT = 4

IMPATIENT = f"""
[temporal.worker_config]
default_task_queue = "crash"
default_activity_heartbeat_timeout = "2s"
task_timeout = "0:00:02"
retry_policy_config.initial_interval = "0:00:00.05"

[temporal.worker_runtime_profiles.profiles.default]
graceful_shutdown_timeout = "0:00:00"
sticky_queue_schedule_to_start_timeout = "0:00:01"

[interpreter.pipeline_execution]
max_concurrency = {IN_FLIGHT}

[temporal.temporal_config]
selected_server = "tests"
"""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Models:
    """A slow model server in a process of its own."""

    url: str
    log: Path

    def asked(self) -> Counter[str]:
        """How often each word was asked for."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        prompts = [json.loads(line)["body"]["messages"][-1]["content"] for line in lines]
        return Counter(prompt.removeprefix("Describe ").removesuffix(".") for prompt in prompts)

    async def until_asked(self, number: int) -> None:
        for _ in range(1200):
            if self.asked().total() >= number:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{number} requests did not arrive: {self.asked()}")


@contextmanager
def models(root: Path, delay: float) -> Generator[Models]:
    root.mkdir()
    reply = {"text": "about \\1", "expand": True, "delay": delay}
    rules = {"rules": [{"matches": r"Describe (\w+)\.", "replies": [reply]}]}
    (root / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    port, log, asked = root / "port", root / "log", root / "asked.jsonl"
    arguments = ["-m", "tests.support.openai_server", "--rules", "rules.json", "--port-file", "port"]
    with process([*arguments, "--log", "asked.jsonl"], cwd=root, environ={}, log=log) as child:
        yield Models(f"http://127.0.0.1:{wait_for_file(port, child, log)}/v1", asked)


@contextmanager
def worker(project: Project, name: str) -> Generator[Popen[bytes]]:
    ready, log = project.root / f"{name}.ready", project.root / f"{name}.log"
    arguments = ["-m", "tests.support.worker_process", str(ready)]
    with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
        wait_for_file(ready, child, log)
        yield child


def crash_project(root: Path, url: str, target: str) -> Project:
    project = write_project(root, stub=url, target=target, queue="crash")
    server = f'temporal_server_configs.tests.target_host = "{target}"\n'
    (root / ".pipelex" / "pipelex.toml").write_text(IMPATIENT + server, encoding="utf-8")
    return project


async def test_a_killed_worker_loses_nothing(tmp_path: Path, temporal_server: DevServer) -> None:
    with models(tmp_path / "models", delay=1.0) as slow:
        project = crash_project(tmp_path / "project", slow.url, temporal_server.target)
        method_file = project.method(DESCRIBE_ALL)
        async with project.app() as app:
            with worker(project, "first") as first:
                run = await app.load(method_file).start({"words": WORDS})
                await slow.until_asked(IN_FLIGHT + 2)
                kill(first)
            before = slow.asked().total()
            with worker(project, "second"):
                result = await asyncio.wait_for(run.result(), 60)
        assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
        asked = slow.asked()
        assert asked.keys() == set(WORDS)
        assert before < len(WORDS) <= asked.total() <= len(WORDS) + IN_FLIGHT


async def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    database = tmp_path / "temporal.db"
    server = DevServer(database=database)
    await server.start()
    try:
        with models(tmp_path / "models", delay=1.0) as slow:
            project = crash_project(tmp_path / "project", slow.url, server.target)
            settings = project.root / ".pipelex" / "pipelex.toml"
            settings.write_text(
                settings.read_text(encoding="utf-8") + "[temporal.search_attributes]\nenabled = false\n",
                encoding="utf-8",
            )
            with worker(project, "only"):
                async with project.app() as app:
                    run = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
                    await slow.until_asked(IN_FLIGHT + 2)
                assert server.process is not None
                server.process.kill()
                server.process.wait()
                server = DevServer(database=database, port=server.port)
                await server.start()
                async with project.app() as app:
                    attached = await app.attach(run.run_id)
                    result = await asyncio.wait_for(attached.result(), 80)
            assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
            assert slow.asked().total() <= len(WORDS) + IN_FLIGHT
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.stop()
