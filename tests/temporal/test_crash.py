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
from typing import Any

import pytest

from pipelex.pipes.trace import pipes_of
from pipelex.runner import RunHandle
from pipelex.runner.replays import ReplayEdit, prepare_replay
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import DESCRIBE_ALL, chain_of
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
        """How often each word was asked for, or whatever else was asked."""
        return Counter(prompt.removeprefix("Describe ").removesuffix(".") for prompt in self.prompts)

    @property
    def prompts(self) -> list[str]:
        """What was asked, in its order."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line)["body"]["messages"][-1]["content"] for line in lines]

    async def until_asked(self, number: int) -> None:
        for _ in range(1200):
            if self.asked().total() >= number:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{number} requests did not arrive: {self.asked()}")


def rule(matches: str, text: str, delay: float) -> dict[str, Any]:
    """What a model server answers to prompts of some form."""
    return {"matches": matches, "replies": [{"text": text, "expand": True, "delay": delay}]}


@contextmanager
def models(root: Path, delay: float, *rules: dict[str, Any]) -> Generator[Models]:
    """A model server with these rules; without any, it describes words."""
    root.mkdir()
    all_rules = {"rules": list(rules) or [rule(r"Describe (\w+)\.", "about \\1", delay)]}
    (root / "rules.json").write_text(json.dumps(all_rules), encoding="utf-8")
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


async def until_completed(run: RunHandle, number: int) -> None:
    """Wait until that many pipes of a run have completed."""
    for _ in range(1200):
        counts = await run.run.counts()
        if counts is not None and counts.completed >= number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{number} pipes did not complete: {await run.run.counts()}")


@pytest.mark.timeout(300)  # four workers start one after the other
async def test_workers_killed_in_the_middle_of_a_replay_pay_for_nothing_twice(
    tmp_path: Path, temporal_server: DevServer
) -> None:
    length, edited = 50, 20
    rules = (rule("^New words", "other words", 3.0), rule(r"number (\d+) with", "answer \\1", 0.0))
    with models(tmp_path / "models", 0.0, *rules) as counted:
        project = crash_project(tmp_path / "project", counted.url, temporal_server.target)
        async with project.app() as app:
            with worker(project, "first"):
                first = await app.load(project.method(chain_of(length))).start({"text": "sea"})
                await asyncio.wait_for(first.result(), 60)
            assert len(counted.prompts) == length
            edit = ReplayEdit(members={f"pipe.step_{edited}.prompt": "New words about $text"})
            replay = await prepare_replay(app, first.run_id, edit)
            with worker(project, "reuses") as killed:
                run = await replay.start()
                await until_completed(run, 3)
                kill(killed)  # while results are taken
            with worker(project, "pays") as killed:
                await counted.until_asked(length + 1)
                kill(killed)  # while the edited pipe waits for its answer, which is lost
            with worker(project, "goes on") as killed:
                await counted.until_asked(length + 3)
                kill(killed)  # after the edit was paid for, while the rest is taken
            with worker(project, "last"):
                result = await asyncio.wait_for(run.result(), 60)
        assert result.text == f"answer {length}"
        paid = Counter(counted.prompts[length:])
        # Of what was answered, nothing is asked again; what was under way when its worker died has no answer to take.
        call, following = f"New words about answer {edited - 1}", f"Do number {edited + 1} with other words"
        assert paid.keys() == {call, following}
        assert paid[call] == 2
        assert paid[following] <= 2
        (usage,) = result.usage
        assert usage.calls == 2
        kept = [effect.kept_from for pipe in pipes_of(await run.trace()) for effect in pipe.effects]
        assert kept.count(first.run_id) == length - 2


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
