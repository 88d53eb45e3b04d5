"""Whoever looks learns what fails: in a worker's log, while a run is waited for, and in `runs show`."""

import asyncio
import json
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from pipelex.cli._shared.console import Paint
from pipelex.cli._shared.logs import JsonFormatter
from pipelex.cli.runs.attached import notice_of
from pipelex.cli.runs.tree import read_view, view_text
from pipelex.errors import NOT_CONNECTED, ErrorCategory, PipelexError
from pipelex.orchestration import Wait, WaitKind
from pipelex.runner import Pipelex, RunHandle
from pipelex.temporal.worker.build import identity
from pipelex.temporal.worker.logs import OfTheTask
from pipelex.temporal.workflow.subjects import HEADER, Subject
from tests.distributed.inprocess import polling, until
from tests.support.methods import DESCRIBE_ALL, sequence_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import process, wait_for_file
from tests.support.project import Project
from tests.support.temporal import client_of, config_of

INPUT = {"name": "Ada"}
W = "temporal.worker_config"
P = "temporal.worker_runtime_profiles.profiles.default"
LOG = "temporal.temporal_config.temporal_log_config"
SLOWLY = """
[runtime.log]
sinks = ["json"]
[temporal.worker_config]
retry_policy_config.initial_interval = "7s"
retry_policy_config.maximum_attempts = 2
"""


def json_lines(log: Path) -> list[dict[str, Any]]:
    """All lines; each must be JSON."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_a_provider_that_fails_for_a_while(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", Reply(status=503), Reply(text="Hi"), Reply(status=503))
    settings = project.root / ".pipelex" / "pipelex.toml"
    given = settings.read_text(encoding="utf-8")
    for line in SLOWLY.splitlines()[-2:]:
        key = re.escape(line.partition(" = ")[0])
        given = re.sub(rf"(?m)^{key} = .*$", line, given)
    settings.write_text(given + SLOWLY.partition("[temporal")[0], encoding="utf-8")
    log, said = project.root / "worker.log", project.root / "run.log"
    ready = project.root / "ready"
    worker = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
    run = ["-m", "pipelex.cli", "run", "greet.mthds", "-i", json.dumps(INPUT), "--durable", "--json", "--no-costs"]
    with process(worker, cwd=project.root, environ=project.environ, log=log) as child:
        wait_for_file(ready, child, log)
        ended: list[int] = []
        for id_ in ("first", "second"):
            id_ = f"{id_}-{project.root.name}"
            with process([*run, "--run-id", id_], cwd=project.root, environ=project.environ, log=said) as submitting:
                ended.append(submitting.wait(60))
        child.terminate()
        child.wait(30)

    assert ended == [0, 1]
    objects: list[dict[str, Any]] = [json.loads(line) for line in _objects(said)]
    notices: list[str] = [line["notice"] for line in objects if "notice" in line]
    assert len(notices) == 2
    assert re.search(r"failed and is tried again: .*503", notices[0])
    assert re.search(
        r"It is tried again at \d\d:\d\d:\d\d; it was failure 1 of at most 2; the run waits until ", notices[0]
    )

    lines = json_lines(log)
    told = [line for line in lines if line["level"] == "WARNING"]
    first, second = f"first-{project.root.name}", f"second-{project.root.name}"
    assert [(line["run_id"], line.get("attempt"), line["error_code"]) for line in told] == [
        (first, 1, "provider.unavailable"),
        (second, 1, "provider.unavailable"),
        (second, 2, "provider.unavailable"),
        (second, 1, "provider.unavailable"),
    ]
    assert {line["pipe"] for line in told} == {"greet"}
    assert {(line["model"], line["task_queue"]) for line in told} == {("stub", project.queue)}
    assert "next try in 7 s" in told[0]["message"]
    assert "failure 2 of 2, none is left" in told[2]["message"]
    assert f"run {second} failed in pipe harbour.greet: stub: provider.unavailable" in told[3]["message"]
    assert told[0]["workflow_id"] == first
    assert told[0]["activity_type"] == "act_llm_gen_text"
    assert told[3]["workflow_type"] == "PipeLLM"
    banner = next(line for line in lines if line["message"].startswith("Pipelex worker is polling"))
    assert (banner["task_queue"], banner["scope"], banner["profile"]) == (project.queue, "full", "default")
    for line in lines:
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert re.search(r"\.\d{3}[+-]", line["time"])
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "never retrieved" not in text


@pytest.mark.parametrize(
    ("params", "said"), [({}, "it was failure 1 of at most 2"), ({"reason": NOT_CONNECTED}, "nothing was sent")]
)
def test_a_notice_says_each_thing_once(params: dict[str, Any], said: str) -> None:
    failed = PipelexError("provider.unavailable", "it is away", category=ErrorCategory.TRANSIENT, params=params)
    until = datetime.now().astimezone()
    wait = Wait(
        *(WaitKind.CALL_FAILS, "monday", "act_llm_gen_text", "It is away.", "Look."),
        until=until,
        failures=1,
        most_failures=2,
        report=failed.report,
    )
    lines = notice_of(wait).splitlines()
    assert lines[:2] == ["It is away.", "Look."]
    assert re.fullmatch(rf"It is tried again at \d\d:\d\d:\d\d; {said}.*", lines[2])
    assert len(lines) == 3


def _objects(log: Path) -> list[str]:
    return [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


@contextmanager
def lines_of(app: Pipelex) -> Generator[list[dict[str, Any]]]:
    """The log lines of a worker in this process, as its programs get them."""
    found: list[dict[str, Any]] = []

    class _Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(self.format(record)))

    handler = _Keep(logging.WARNING)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(OfTheTask(config_of(app).log))
    logging.getLogger().addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("kind", ["workflow", "activity"])
@pytest.mark.parametrize("amount", ["none", "some", "full"])
async def test_how_much_a_line_tells(project: Project, stub: OpenAIStub, kind: str, amount: str) -> None:
    stub.on("Hello", Reply(status=401))
    overrides = {
        f"{LOG}.is_{kind}_info_on_extra": amount != "none",
        f"{LOG}.is_full_{kind}_info_on_extra": amount == "full",
    }
    async with project.app(overrides=overrides) as app, polling(app):
        with lines_of(app) as lines, pytest.raises(PipelexError):
            await app.load(project.root / "greet.mthds").run(INPUT, run_id=f"told-{kind}-{amount}")
    ours = {"activity" if "act_llm" in line["message"] else "workflow": line for line in lines}
    line = ours[kind]
    assert (line["run_id"], line["pipe"], line["error_code"]) == (
        f"told-{kind}-{amount}",
        "greet",
        "provider.credential_refused",
    )
    assert ("workflow_id" in line) is (amount != "none")
    assert ("task_queue" in line) is (amount != "none")
    full = line.get(f"{kind}_info")
    assert (full is not None) is (amount == "full")
    if full is not None:
        assert full["workflow_id"] == line["workflow_id"]


async def test_pipes_inside_their_parent_s_workflow_are_named(project: Project, stub: OpenAIStub) -> None:
    stub.on("Say", Reply(status=401))
    overrides = {f"{W}.child_workflow_policy": "controllers"}
    async with project.app(overrides=overrides) as app, polling(app):
        with lines_of(app) as lines, pytest.raises(PipelexError):
            await app.load(project.method(sequence_of(2))).run({"text": "a"}, run_id="inside")
    (line,) = [line for line in lines if "act_llm_gen_text" in line["message"]]
    assert (line["run_id"], line["pipe"], line["workflow_id"]) == ("inside", "say", "inside")


@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
async def test_an_item_is_named_with_its_rank(project: Project, stub: OpenAIStub, policy: str) -> None:
    stub.on("Describe b", Reply(status=401)).on("Describe", text="fine")
    async with project.app(overrides={f"{W}.child_workflow_policy": policy}) as app, polling(app):
        with lines_of(app) as lines, pytest.raises(PipelexError):
            await app.load(project.method(DESCRIBE_ALL)).run({"words": ["a", "b", "c"]}, run_id=f"items-{policy}")
    (line,) = [line for line in lines if "act_llm_gen_text failed" in line["message"]]
    assert (line["run_id"], line["pipe"], line["item"]) == (f"items-{policy}", "describe", "describe[1]")
    assert "pipe describe[1]: act_llm_gen_text failed" in line["message"]
    ended = next(line for line in lines if "failed in pipe" in line["message"])
    assert (ended["failed_pipe"].rpartition(".")[2], ended["failed_item"]) == ("describe", "describe[1]")


SUBJECTS = [
    (Subject("a"), "a", None),
    (Subject("a", "note", "note[3]"), "a/1-note[3]", None),
    (Subject("a", "note", "note[3]"), "a", b"note[3]"),
    (Subject("a", "say", "note[3]"), "a/1-note[3]/2-say", None),
    (Subject("a", "say", "note[3]"), "a/1-note[3]", b"say of note[3]"),
    (Subject("a", "say"), "other/1-x", b"say\na"),
    (Subject("a", "note", "note[3]"), "other/1-note[3]", b"\na"),
    (Subject("a", "say"), "a/1-all", b"say"),
]


@pytest.mark.parametrize(("subject", "workflow_id", "told"), SUBJECTS)
def test_a_header_says_what_an_id_does_not(subject: Subject, workflow_id: str, told: bytes | None) -> None:
    header = subject.beyond(workflow_id)
    assert (None if header is None else header.data) == told
    assert Subject.of_activity(workflow_id, {} if header is None else {HEADER: header}) == subject


async def test_many_failures_at_once_leave_no_other_line(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.on("word3", Reply(status=500)).on("word5", Reply(status=401, delay=0.3)).on("Describe", text="ok", delay=0.2)
    words = {"words": [f"word{number}" for number in range(30)]}
    async with project.app() as app, polling(app):
        method = app.load(project.method(DESCRIBE_ALL))
        with pytest.raises(PipelexError):
            await method.run(words)
        cancelled = await method.start({"words": [f"other{number}" for number in range(30)]})
        await asyncio.sleep(0.5)
        await cancelled.cancel()
        with pytest.raises(PipelexError):
            await cancelled.result()
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert {record.name for record in lines} == {"pipelex.worker"}
    assert not any(record.exc_info for record in lines)


# --- runs show --------------------------------------------------------------------------------------------------------


async def waiting(run: RunHandle, kind: WaitKind) -> str:
    """What `runs show` shows once a run waits for something."""

    async def look() -> bool:
        return any(wait.kind is kind for wait in await run.waits())

    await until(look, 40)
    return view_text(await read_view(run), Paint(False))


async def test_a_queue_without_a_worker_is_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    pool = f"{project.queue}_pool"
    overrides = {"temporal.activity_queues.llm.default": pool, f"temporal.queue_options.{pool}.priority_key": 1}
    async with project.app(overrides=overrides) as app:
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        text = await waiting(run, WaitKind.NO_WORKER)
        assert f"No worker polls the task queue '{project.queue}'" in text
        assert f"pipelex worker --task-queue {project.queue}" in text
        async with polling(app, scope="router"):

            async def look() -> bool:
                return pool in view_text(await read_view(run), Paint(False))

            await until(look, 40)
            text = await waiting(run, WaitKind.NO_WORKER)
            assert f"act_llm_gen_text waits in the task queue '{pool}', which no worker polls." in text
        await run.terminate("test")


async def test_a_versioned_worker_without_a_current_version_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    versioned = {f"{P}.deployment_name": f"routers_{project.root.name}", f"{P}.build_id": "build-7"}
    async with project.app(overrides=versioned) as app, polling(app):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        text = await waiting(run, WaitKind.NO_VERSION)
        await run.terminate("test")
    assert "build 'build-7', and none of its versions is current" in text
    assert f"set-current-version --deployment-name routers_{project.root.name} --build-id build-7 --yes" in text


async def test_a_worker_s_identity_names_its_pool(project: Project) -> None:
    assert re.fullmatch(r"\d+@\S+ openai_q runner-llm", identity("openai_q", "runner-llm"))
    async with project.app() as app, polling(app, scope="router"):
        client: Client = await client_of(app)
        run = await app.load(project.root / "greet.mthds").start(INPUT)

        async def tasks() -> set[str]:
            events = (await client.get_workflow_handle(run.workflow_id).fetch_history()).events
            done = [event.workflow_task_completed_event_attributes.identity for event in events]
            return {each for each in done if each}

        (found,) = await until(tasks)
        await run.terminate("test")
    assert found.endswith(f" {project.queue} router")


def test_objects_that_say_nothing_are_no_fields() -> None:
    record = logging.LogRecord("temporalio.core", logging.WARNING, __file__, 1, "retried", None, None)
    vars(record).update(temporal_log=object(), target="polls", waits=timedelta(seconds=2))
    told = json.loads(JsonFormatter().format(record))
    assert (told["target"], told["waits"]) == ("polls", "0:00:02")
    assert "temporal_log" not in told
