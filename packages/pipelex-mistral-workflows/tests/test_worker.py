"""`pipelex worker` and `pipelex run` as processes: a killed worker loses nothing, and the client may be any release."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import ConfigurationError
from pipelex.orchestration.ending import GAVE_UP
from pipelex.orchestration.workers import WorkerOptions
from pipelex_mistral_workflows.worker import WORKER

from mistral_project import MistralProject, write_mistral_project
from mistral_stand_in.api import StandIn
from mistral_stand_in.server import TemporalServer, free_port
from tests.support.methods import DESCRIBE_ALL
from tests.support.processes import kill, process, wait_for_file
from tests.temporal.test_crash import models

WORDS = [f"word{number:02}" for number in range(12)]
IN_FLIGHT = 4
HEARTBEAT_SECONDS = 2
LATE = 60
"""Seconds that a busy machine may be late: the start of the second worker is in the time, too."""
IMPATIENT = f"""
[interpreter.pipeline_execution]
max_concurrency = {IN_FLIGHT}
"""
_COMMAND = ["-m", "pipelex.cli", "worker", "--orchestrator", "mistral-workflows", "--ready-file"]


@contextmanager
def worker(project: MistralProject, name: str) -> Generator[subprocess.Popen[bytes]]:
    ready, log = project.root / f"{name}.ready", project.root / f"{name}.log"
    # What the SDK of this process was told is not for another one.
    environ = {**project.environ, "HEALTH_SERVER_PORT": str(free_port())}
    with process([*_COMMAND, str(ready)], cwd=project.root, environ=environ, log=log) as child:
        wait_for_file(ready, child, log)
        yield child


async def test_a_killed_worker_loses_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    with models(tmp_path / "models", delay=1.0) as slow:
        project = write_mistral_project(
            tmp_path / "project", stub=slow.url, api=stand_in.url, deployment="killed", more=IMPATIENT
        )
        settings = project.root / ".pipelex" / "pipelex.toml"
        text = settings.read_text(encoding="utf-8").replace(
            'heartbeat_timeout = "10s"', f'heartbeat_timeout = "{HEARTBEAT_SECONDS}s"'
        )
        settings.write_text(text, encoding="utf-8")
        async with project.app() as app:
            method = app.load(project.method(DESCRIBE_ALL))
            with await asyncio.to_thread(entered, worker(project, "first")) as first:
                run = await method.start({"words": WORDS})
                await slow.until_asked(IN_FLIGHT + 2)
                kill(first)
            before = slow.asked().total()
            with await asyncio.to_thread(entered, worker(project, "second")):
                result = await asyncio.wait_for(run.result(), 120)
    assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
    asked = slow.asked()
    assert asked.keys() == set(WORDS)
    assert before < len(WORDS) <= asked.total() <= len(WORDS) + IN_FLIGHT
    waits = await waits_of_lost_calls(stand_in, run.workflow_id)
    print(f"lost calls went on after {[round(wait, 1) for wait in waits]} s; the heartbeat time-out is 2 s")
    assert 1 <= len(waits) <= IN_FLIGHT
    assert max(waits) < HEARTBEAT_SECONDS + 10 + LATE


async def waits_of_lost_calls(stand_in: StandIn, root: str) -> list[float]:
    """For each call that the worker was lost with: the seconds from its last sign of life to its next attempt, by the
    server's clock. The first attempt began when its activity was scheduled, or soon after."""
    found: list[float] = []
    for id_ in [each.id for each in stand_in.executions.values() if each.root == root]:
        scheduled: dict[int, float] = {}
        for event in (await stand_in.client.get_workflow_handle(id_).fetch_history()).events:
            if event.HasField("activity_task_scheduled_event_attributes"):
                scheduled[event.event_id] = event.event_time.ToDatetime().timestamp()
            if event.HasField("activity_task_started_event_attributes"):
                started = event.activity_task_started_event_attributes
                if started.attempt > 1:
                    since = scheduled[started.scheduled_event_id]
                    found.append(event.event_time.ToDatetime().timestamp() - since)
    return found


async def test_a_worker_whose_server_is_gone_ends_in_time(tmp_path: Path) -> None:
    """The SDK would try for ever to tell the server of the call that it ended."""
    server = TemporalServer()
    with models(tmp_path / "models", delay=60.0) as slow:
        api = await StandIn(await server.start(), server.target).start()
        try:
            project = write_mistral_project(tmp_path / "project", stub=slow.url, api=api.url, deployment="gone")
            settings = project.root / ".pipelex" / "pipelex.toml"
            table = "[mistral_workflows.worker_config]\n"
            text = settings.read_text(encoding="utf-8").replace(table, f'{table}stop_timeout = "3s"\n')
            settings.write_text(text, encoding="utf-8")
            async with project.app() as app:
                method = app.load(project.method(DESCRIBE_ALL))
                with await asyncio.to_thread(entered, worker(project, "only")) as only:
                    await method.start({"words": ["one"]})
                    await slow.until_asked(1)
                    server.stop()
                    only.terminate()
                    status = await asyncio.to_thread(only.wait, 60)
        finally:
            await api.stop()
            server.stop()
    said = (project.root / "only.log").read_text(encoding="utf-8")
    assert status == GAVE_UP
    assert "Ended before the clean-up was complete" in said


async def test_a_worker_ends_with_status_0(tmp_path: Path, stand_in: StandIn) -> None:
    project = write_mistral_project(tmp_path, stub="http://127.0.0.1:1/v1", api=stand_in.url, deployment="idle")
    with await asyncio.to_thread(entered, worker(project, "idle")) as idle:
        idle.terminate()
        assert await asyncio.to_thread(idle.wait, 60) == 0
    assert "Stopped." in (project.root / "idle.log").read_text(encoding="utf-8")


@contextmanager
def _held(child: subprocess.Popen[bytes], opened: contextmanager) -> Generator[subprocess.Popen[bytes]]:  # type: ignore[valid-type]
    try:
        yield child
    finally:
        opened.__exit__(None, None, None)


def entered(opened):  # type: ignore[no-untyped-def]
    """A context that is entered in a thread, since it waits; it ends where it is used."""
    return _held(opened.__enter__(), opened)


def clients() -> list[str]:
    """Interpreters with another release of the client, and Pipelex's core: of any Python that Pipelex runs on."""
    return [found for found in os.environ.get("PIPELEX_CLIENT_PYTHONS", sys.executable).split(os.pathsep) if found]


@pytest.mark.parametrize("python", clients())
async def test_the_command_line_starts_and_follows_runs(tmp_path: Path, stand_in: StandIn, python: str) -> None:
    with models(tmp_path / "models", delay=0.5) as fast:
        project = write_mistral_project(
            tmp_path / "project", stub=fast.url, api=stand_in.url, deployment=f"line-{os.urandom(3).hex()}"
        )
        project.method(DESCRIBE_ALL)
        id_ = f"line-{os.urandom(3).hex()}"
        (project.root / "inputs.json").write_text(json.dumps({"words": ["one", "two"]}), encoding="utf-8")
        with await asyncio.to_thread(entered, worker(project, "worker")):
            run = ["run", "method.mthds", "--inputs", "inputs.json", "--run-id", id_, "--json"]
            told = json.loads(await called(project, python, *run, "--orchestrator", "mistral-workflows"))
            listed = json.loads(
                await called(project, python, "runs", "--orchestrator", "mistral-workflows", "list", "--json")
            )
            async with project.app() as app:
                going = await app.load(project.root / "method.mthds").start({"words": ["three"]})
            watched = await called(
                project, python, "runs", "--orchestrator", "mistral-workflows", "watch", going.run_id, "--json"
            )
            shown = await called(project, python, "runs", "--orchestrator", "mistral-workflows", "show", id_)
            result = await called(
                project, python, "runs", "--orchestrator", "mistral-workflows", "result", id_, "--json"
            )
    assert "about one" in json.dumps(told)
    assert [each["pipeline_run_id"] for each in listed["runs"]] == [id_]
    assert "describe_all" in shown
    assert "about two" in result
    assert "about three" in watched


async def called(project: MistralProject, python: str, *arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        python,
        "-m",
        "pipelex.cli",
        *arguments,
        cwd=project.root,
        env={**os.environ, **project.environ, "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode == 0, (out.decode(), err.decode())
    return out.decode()


@pytest.mark.parametrize(
    "options", [{"task_queue": "q"}, {"scope": "router"}, {"metrics_address": "127.0.0.1:1"}, {"is_sandboxed": False}]
)
def test_options_of_other_engines_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    project = write_mistral_project(tmp_path, stub="http://127.0.0.1:1/v1", api="http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="a worker of Mistral Workflows does not take --"):
        WORKER.check(project.settings(), WorkerOptions(**options))
