"""What each key of `[mistral_workflows]` does, seen from outside: in histories, at the API, at the model."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes, HistoryEvent

from pipelex.errors import PipelexError
from pipelex.orchestration import RunFilter
from pipelex.runner import RunHandle
from test_runs import ECHO, orchestrator_of
from test_worker import entered, worker

from mistral_project import MistralProject, serving, write_mistral_project
from mistral_stand_in.api import KEY, StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

pytestmark = pytest.mark.usefixtures("polling")

BASE = "mistral_workflows"
WORKER = f"{BASE}.worker_config"
TEXT = f"{BASE}.activities.act_llm_gen_text"
WORDS = ["one", "two", "three"]


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


async def ran(project: MistralProject, method: str, inputs: dict[str, Any], settings: dict[str, Any]) -> RunHandle:
    async with project.app(overrides=settings) as app:
        with serving(app):
            handle = await app.load(project.method(method)).start(inputs)
            await handle.result()
    return handle


async def events_of(stand_in: StandIn, root: str) -> list[HistoryEvent]:
    """The events of all executions of a run."""
    ids = [each.id for each in stand_in.executions.values() if each.root == root]
    found = [await stand_in.client.get_workflow_handle(id_).fetch_history() for id_ in ids]
    return [event for history in found for event in history.events]


async def scheduled(
    project: MistralProject, stand_in: StandIn, settings: dict[str, Any]
) -> ActivityTaskScheduledEventAttributes:
    handle = await ran(project, DESCRIBE_ALL, {"words": ["one"]}, settings)
    (call,) = [
        event.activity_task_scheduled_event_attributes
        for event in await events_of(stand_in, handle.workflow_id)
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return call


def limits(call: ActivityTaskScheduledEventAttributes) -> dict[str, timedelta]:
    names = ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat")
    return {name: getattr(call, f"{name}_timeout").ToTimedelta() for name in names}


def retries(table: str, extra: str = "") -> dict[str, Any]:
    policy = f"{table}.retry_policy_config"
    return {
        f"{policy}.initial_interval": "3s",
        f"{policy}.backoff_coefficient": 1.5,
        f"{policy}.maximum_interval": "7s",
        f"{policy}.maximum_attempts": 4,
        f"{policy}.non_retryable_error_types{extra}": ["Ours"],
    }


def check_retries(call: ActivityTaskScheduledEventAttributes, attempts: int) -> None:
    policy = call.retry_policy
    assert policy.initial_interval.ToTimedelta() == timedelta(seconds=3)
    assert policy.maximum_interval.ToTimedelta() == timedelta(seconds=7)
    assert policy.backoff_coefficient == 1.5
    assert policy.maximum_attempts > attempts  # room for interruptions is added
    assert "Ours" in policy.non_retryable_error_types


# --- how activities go out --------------------------------------------------------------------------------------------


async def test_the_baseline(project: MistralProject, stand_in: StandIn) -> None:
    settings = {
        f"{WORKER}.default_activity_start_to_close_timeout": "4m",
        f"{WORKER}.default_activity_heartbeat_timeout": "50s",
        **retries(WORKER),
    }
    call = await scheduled(project, stand_in, settings)
    assert limits(call)["start_to_close"] == timedelta(minutes=4)
    assert limits(call)["heartbeat"] == timedelta(seconds=50)
    check_retries(call, 4)
    fewer = await scheduled(project, stand_in, {f"{WORKER}.retry_policy_config.maximum_attempts": 3})
    assert call.retry_policy.maximum_attempts == fewer.retry_policy.maximum_attempts + 1


@pytest.mark.parametrize(
    "table", [TEXT, f"{BASE}.activities.llm", f"{TEXT}.handle_options.stub"], ids=["activity", "group", "handle"]
)
async def test_the_overlays(project: MistralProject, stand_in: StandIn, table: str) -> None:
    settings = {
        f"{table}.start_to_close_timeout": "5m",
        f"{table}.schedule_to_close_timeout": "20m",
        f"{table}.schedule_to_start_timeout": "9m",
        f"{table}.heartbeat_timeout": "40s",
        **retries(table, "_extra"),
    }
    call = await scheduled(project, stand_in, settings)
    assert limits(call) == {
        "start_to_close": timedelta(minutes=5),
        "schedule_to_close": timedelta(minutes=20),
        "schedule_to_start": timedelta(minutes=9),
        "heartbeat": timedelta(seconds=40),
    }
    check_retries(call, 4)


# --- where runs go, and who may ---------------------------------------------------------------------------------------


async def test_the_deployment_of_a_run(project: MistralProject, stand_in: StandIn) -> None:
    async with project.app(overrides={f"{BASE}.deployment_name": "elsewhere"}) as app:
        handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
        found = await stand_in.client.get_workflow_handle(handle.workflow_id).describe()
        await handle.terminate("nobody serves it")
    assert found.task_queue == "elsewhere"


async def test_the_key_of_the_api(project: MistralProject) -> None:
    secret = {f"{BASE}.api_key_method": "secret_provider", f"{BASE}.api_key_id": "of-mistral"}
    for settings, environ in (
        ({f"{BASE}.api_key_id": "OTHER_KEY"}, "OTHER_KEY"),
        (secret, "OF_MISTRAL"),
    ):
        for key, is_right in ((KEY, True), ("wrong", False)):
            held = Held(project.root, environ, key)
            async with held.app(overrides=settings) as app:
                listing = orchestrator_of(app).list(RunFilter(limit=1))
                if is_right:
                    await listing
                else:
                    with pytest.raises(PipelexError, match="refuses the key"):
                        await listing


class Held(MistralProject):
    """A project whose key is in another variable."""

    def __init__(self, root: Path, name: str, key: str) -> None:
        super().__init__(root)
        object.__setattr__(self, "held", {name: key, "MISTRAL_API_KEY": "of nobody"})

    @property
    def environ(self) -> dict[str, str]:
        held: dict[str, str] = self.__dict__["held"]
        return {**super().environ, **held}


async def test_how_often_whoever_waits_asks(project: MistralProject, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on("Write", text="slowly", delay=2.0)
    asked: list[int] = []
    for interval in ("0:00:00.1", "4s"):
        settings = {f"{BASE}.poll_interval": interval}
        handle = await ran(project, ECHO, {"text": "tides"}, settings)
        asked.append(stand_in.calls[f"GET v1/workflows/executions/{handle.workflow_id}"])
    assert asked[0] > asked[1]


# --- what an execution is ---------------------------------------------------------------------------------------------


async def test_the_longest_time_of_an_execution(project: MistralProject, stand_in: StandIn) -> None:
    settings = {f"{BASE}.execution_timeout": "2h"}
    handle = await ran(project, DESCRIBE_ALL, {"words": WORDS}, settings)
    started = [
        event.workflow_execution_started_event_attributes
        for event in await events_of(stand_in, handle.workflow_id)
        if event.HasField("workflow_execution_started_event_attributes")
    ]
    children = [each for each in started if each.parent_workflow_execution.workflow_id]
    assert len(children) == len(WORDS)
    assert {each.workflow_execution_timeout.ToTimedelta() for each in children} == {timedelta(hours=2)}


@pytest.mark.parametrize(("policy", "executions"), [("every_pipe", 1 + len(WORDS)), ("controllers", 1)])
async def test_pipes_that_run_no_other(
    project: MistralProject, stand_in: StandIn, policy: str, executions: int
) -> None:
    handle = await ran(project, DESCRIBE_ALL, {"words": WORDS}, {f"{BASE}.child_workflow_policy": policy})
    assert sum(each.root == handle.workflow_id for each in stand_in.executions.values()) == executions


@pytest.mark.parametrize(
    ("threshold", "most", "travels"), [(100_000, 1_500_000, True), (1_000, 1_500_000, False), (100_000, 9_000, False)]
)
async def test_values_that_travel_whole(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn, threshold: int, most: int, travels: bool
) -> None:
    stub.on("Write", text="short")
    settings = {f"{BASE}.size_threshold": threshold, f"{BASE}.max_payload_bytes": most}
    handle = await ran(project, ECHO, {"text": "g" * 5_000}, settings)
    events = await events_of(stand_in, handle.workflow_id)
    assert any(b"g" * 5_000 in event.SerializeToString() for event in events) is travels


# --- a worker ---------------------------------------------------------------------------------------------------------


def set_in(project: MistralProject, table: str, line: str) -> None:
    """Write a line into a table of the project's settings, for a process of its own."""
    file = project.root / ".pipelex" / "pipelex.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(f"[{table}]", f"[{table}]\n{line}", 1), encoding="utf-8")


async def test_a_worker_of_one_call_at_a_time_and_of_a_build(
    tmp_path: Path, stub: OpenAIStub, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True, delay=0.3)
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url, deployment="built")
    monkeypatch.delenv("MAX_CONCURRENT_ACTIVITIES", raising=False)  # what this process's worker was told would win
    set_in(project, BASE, 'build_id = "b7"')
    set_in(project, WORKER, "max_concurrent_activities = 1")
    async with project.app() as app:
        with await asyncio.to_thread(entered, worker(project, "built")):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
            await asyncio.wait_for(handle.result(), 120)
    assert stub.most_in_flight == 1
    builds = {
        event.workflow_task_completed_event_attributes.worker_version.build_id
        or event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in await events_of(stand_in, handle.workflow_id)
        if event.HasField("workflow_task_completed_event_attributes")
    }
    assert builds == {"b7"}


async def test_a_backend_is_called_as_often_as_it_may_be(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url, deployment="rated")
    set_in(project, BASE, 'rate_limits.openai = { max_calls = 2, per = "4s" }')
    async with project.app() as app:
        with await asyncio.to_thread(entered, worker(project, "rated")):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": [*WORDS, "four"]})
            await asyncio.wait_for(handle.result(), 120)
    times = sorted(request.at for request in stub.completions)
    assert times[-1] - times[0] >= 2.0  # a call each two seconds, after one or two at once
    assert len(times) == 4
