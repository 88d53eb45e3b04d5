"""Scopes, profiles, versioning, search attributes, log lines and time limits of runs: changed, and seen in force."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import EventType, TaskQueueKind
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentVersionRequest,
    DescribeWorkerRequest,
    ListWorkersRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributePair
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal.client import namespace
from pipelex.temporal.client.cluster import is_polled
from pipelex.temporal.config import parse_temporal_config
from pipelex.temporal.dev_server import DevServer
from pipelex.temporal.worker.build import build_worker, plan_worker
from pipelex.temporal.workflow.payloads import CompactPayloadConverter
from tests.distributed.inprocess import first_scheduled, polling, until
from tests.support.methods import sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project
from tests.support.temporal import client_of, config_of, workflow_of

INPUT = {"name": "Ada"}
W = "temporal.worker_config"
P = "temporal.worker_runtime_profiles.profiles.default"
S = "temporal.worker_scopes"
LOG = "temporal.temporal_config.temporal_log_config"
AS_THE_MACHINE_BEARS = {
    f"{P}.tuning_mode": "resource_based",
    f"{P}.maximum_slots": 6,
    f"{P}.target_memory_usage": 1.0,
    f"{P}.target_cpu_usage": 1.0,
}


# --- runs -------------------------------------------------------------------------------------------------------------


async def test_time_limits_and_queue_of_a_run(project: Project) -> None:
    overrides = {
        f"{W}.default_task_queue": f"{project.queue}_other",
        f"{W}.workflow_execution_timeout": "5h",
        f"{W}.run_timeout": "4h",
        f"{W}.task_timeout": "11s",
        f"{W}.start_delay": "1h",
    }
    async with project.app(overrides=overrides) as app:
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        (first, *others) = (await workflow_of(run).fetch_history()).events
        await workflow_of(run).terminate()

    started = first.workflow_execution_started_event_attributes
    assert started.task_queue.name == f"{project.queue}_other"
    assert started.workflow_execution_timeout.seconds == 5 * 3600
    assert started.workflow_run_timeout.seconds == 4 * 3600
    assert started.workflow_task_timeout.seconds == 11
    assert started.first_workflow_task_backoff.seconds == 3600
    assert others == []  # no task yet


async def test_the_time_limit_of_tasks_holds_for_children(project: Project, stub: OpenAIStub) -> None:
    stub.on("Say", text="ok")
    async with project.app(overrides={f"{W}.task_timeout": "11s"}) as app, polling(app):
        result = await app.load(project.method(sequence_of(1))).run({"text": "a"})
        child = (await client_of(app)).get_workflow_handle(f"{result.run_id}/1-say")
        (first, *_) = (await child.fetch_history()).events

    assert first.workflow_execution_started_event_attributes.workflow_task_timeout.seconds == 11


@pytest.mark.parametrize("key", ["workflow_execution_timeout", "run_timeout"])
async def test_a_run_that_takes_too_long_ends(project: Project, key: str) -> None:
    async with project.app(overrides={f"{W}.{key}": "1s"}) as app:
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        with pytest.raises(PipelexError) as late:
            await asyncio.wait_for(run.result(), 20)
        assert await run.status() == "TIMED_OUT"
    assert late.value.code == "run.timed_out"
    assert "workflow_execution_timeout" in late.value.report.what_to_do
    assert "pipelex runs retry" in late.value.report.what_to_do


# --- scopes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "workflows", "activities"),
    [("full", True, True), ("router", True, False), ("runner", False, True), ("runner-llm", False, True)],
)
async def test_what_a_scope_polls_for(project: Project, scope: str, *, workflows: bool, activities: bool) -> None:
    async with project.app() as app, polling(app, scope=scope):
        client = await client_of(app)
        await until(lambda: is_polled(client, project.queue, "workflow" if workflows else "activity"))
        await asyncio.sleep(0.3)
        assert await is_polled(client, project.queue, "workflow") is workflows
        assert await is_polled(client, project.queue, "activity") is activities


@pytest.mark.parametrize(
    ("keys", "fails"),
    [
        ({"required_tasks_packs": ["pipe"]}, None),
        ({"required_tasks_packs": ["pipe"], "excluded_workflows": ["PipeLLM"]}, "PipeLLM"),
        ({"required_tasks_packs": ["pipe"], "excluded_activities": ["act_llm_gen_text"]}, "act_llm_gen_text"),
        ({"required_workflows": ["PipeLLM"], "required_activities": ["act_llm_gen_text"]}, None),
        ({"required_workflows": ["PipeCompose"], "required_activities": ["act_llm_gen_text"]}, "PipeLLM"),
        ({"required_workflows": ["PipeLLM"], "required_activities": ["act_func_call"]}, "act_llm_gen_text"),
        ({"required_tasks_packs": ["pipe"], "disable_all_workflows": True}, "unpolled"),
    ],
)
async def test_what_a_scope_registers(
    project: Project, stub: OpenAIStub, keys: dict[str, Any], fails: str | None
) -> None:
    stub.on("Hello", text="Hi")
    scope = {f"{S}.scopes.mine.{key}": value for key, value in keys.items()}
    overrides = {**scope, f"{S}.default_scope": "mine", f"{W}.retry_policy_config.maximum_attempts": 0}
    async with project.app(overrides=overrides) as app, polling(app):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        if fails is None:
            assert (await asyncio.wait_for(run.result(), 20)).text == "Hi"
            return
        if fails == "unpolled":
            assert not await is_polled(await client_of(app), project.queue)
            await workflow_of(run).terminate()
            return

        async def failure() -> str:
            description = (await workflow_of(run).describe()).raw_description
            pending = [activity.last_failure.message for activity in description.pending_activities]
            events = (await workflow_of(run).fetch_history()).events
            failed = [event.workflow_task_failed_event_attributes.failure.message for event in events]
            return " ".join([*pending, *failed]).strip()

        assert fails in await until(failure)
        assert not stub.requests
        await workflow_of(run).terminate()


async def test_all_activities_disabled(project: Project) -> None:
    overrides = {f"{S}.scopes.mine.disable_all_activities": True, f"{S}.default_scope": "mine"}
    async with project.app(overrides=overrides) as app, polling(app):
        client = await client_of(app)
        await until(lambda: is_polled(client, project.queue))
        assert not await is_polled(client, project.queue, "activity")


# --- profiles ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def reporting_client(server: DevServer) -> AsyncGenerator[Client]:
    """A client whose workers tell the server every second what they are like."""
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    converter = DataConverter(payload_converter_class=CompactPayloadConverter)
    yield await Client.connect(server.target, namespace=server.namespace, data_converter=converter, runtime=runtime)


async def heartbeat_of(client: Client, queue: str) -> WorkerHeartbeat:
    async def look() -> WorkerHeartbeat | None:
        listed = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue = '{queue}'")
        )
        for info in listed.workers_info:
            key = info.worker_heartbeat.worker_instance_key
            described = await client.workflow_service.describe_worker(
                DescribeWorkerRequest(namespace=client.namespace, worker_instance_key=key)
            )
            found = described.worker_info.worker_heartbeat
            if found.workflow_poller_info.current_pollers and found.activity_poller_info.current_pollers:
                return found
        return None

    found = await until(look)
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["explicit", "resource_based"])
async def test_slots_and_pollers_as_the_server_knows_them(
    project: Project, temporal_server: DevServer, mode: str
) -> None:
    explicit = {
        f"{P}.max_concurrent_workflow_tasks": 7,
        f"{P}.max_concurrent_activities": 8,
        f"{P}.max_concurrent_local_activities": 9,
        f"{P}.max_concurrent_workflow_task_polls": 3,
        f"{P}.max_concurrent_activity_task_polls": 4,
    }
    resource = {
        f"{P}.tuning_mode": "resource_based",
        f"{P}.minimum_slots": 2,
        f"{P}.maximum_slots": 11,
        f"{P}.target_memory_usage": 0.9,
        f"{P}.target_cpu_usage": 0.95,
    }
    overrides = explicit if mode == "explicit" else resource
    async with (
        project.app(overrides=overrides) as app,
        reporting_client(temporal_server) as client,
        polling(app, client=client),
    ):
        found = await heartbeat_of(client, project.queue)

    slots = [found.workflow_task_slots_info, found.activity_task_slots_info, found.local_activity_slots_info]
    kinds = {info.slot_supplier_kind for info in slots}
    pollers = [found.workflow_poller_info, found.activity_poller_info]
    if mode == "explicit":
        # A slot may be with a poll that is under way.
        totals = [info.current_available_slots + info.current_used_slots for info in slots]
        assert (totals, kinds) == ([7, 8, 9], {"Fixed"})
        assert pollers[1].current_pollers == 4
        assert not any(info.is_autoscaling for info in pollers)
    else:
        assert kinds == {"ResourceBased"}
        assert all(info.is_autoscaling for info in pollers)


@pytest.mark.parametrize(
    ("overrides", "most"),
    [
        ({f"{P}.max_concurrent_activities": 1}, 1),
        ({f"{P}.tuning_mode": "resource_based", f"{P}.minimum_slots": 1, f"{P}.maximum_slots": 1}, 1),
        # Above a target, a worker keeps to its minimum; any machine uses more than a hundredth of what it has.
        ({**AS_THE_MACHINE_BEARS, f"{P}.target_memory_usage": 0.01, f"{P}.minimum_slots": 1}, 1),
        ({**AS_THE_MACHINE_BEARS, f"{P}.target_memory_usage": 0.01, f"{P}.minimum_slots": 3}, 3),
        ({**AS_THE_MACHINE_BEARS, f"{P}.target_cpu_usage": 0.001, f"{P}.minimum_slots": 1}, 1),
        ({f"{P}.max_concurrent_activities": 4}, 4),
    ],
)
async def test_how_many_calls_are_in_flight(
    project: Project, stub: OpenAIStub, overrides: dict[str, Any], most: int
) -> None:
    stub.on("Describe", text="Fine", delay=0.2, gathered=most)
    async with project.app(overrides=overrides) as app, polling(app, scope="router"), polling(app, scope="runner"):
        await asyncio.wait_for(app.load(project.root / "all.mthds").run({"words": list("abcdef")}), 60)

    assert stub.most_in_flight == most


async def test_the_default_profile(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="Fine", delay=0.2, gathered=2)
    profiles = "temporal.worker_runtime_profiles"
    overrides = {f"{profiles}.default_profile": "two", f"{profiles}.profiles.two.max_concurrent_activities": 2}
    async with project.app(overrides=overrides) as app, polling(app, scope="router"), polling(app, scope="runner"):
        await asyncio.wait_for(app.load(project.root / "all.mthds").run({"words": list("abcdef")}), 60)

    assert stub.most_in_flight == 2


async def test_a_worker_s_own_rate(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="Fine")
    async with project.app(overrides={f"{P}.max_activities_per_second": 2}) as app, polling(app):
        await app.load(project.root / "all.mthds").run({"words": [f"w{number}" for number in range(12)]})

    arrivals = [request.at for request in stub.completions]
    assert max(arrivals) - min(arrivals) >= (12 - 8) / 2


@pytest.mark.parametrize("cached", [10, 0])
async def test_the_workflow_cache(project: Project, stub: OpenAIStub, cached: int) -> None:
    stub.on("Hello", text="Hi")
    async with project.app(overrides={f"{P}.max_cached_workflows": cached}) as app, polling(app):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        await run.result()
        events = (await workflow_of(run).fetch_history()).events

    wanted = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
    tasks = [event.workflow_task_scheduled_event_attributes for event in events if event.event_type == wanted]
    is_sticky = tasks[-1].task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
    assert is_sticky is bool(cached)


@pytest.mark.parametrize(("throttle", "most"), [("0:00:00.1", 1.9), ("1m", None)])
async def test_the_heartbeat_throttle(project: Project, stub: OpenAIStub, throttle: str, most: float | None) -> None:
    """A heartbeat time-out of 3 s makes a beat every second, which the SDK holds back for up to 2.4 s."""
    stub.on("Hello", text="Hi", delay=2.2)
    overrides = {f"{W}.default_activity_heartbeat_timeout": "3s", f"{P}.max_heartbeat_throttle_interval": throttle}
    beats: set[float] = set()
    async with project.app(overrides=overrides) as app, polling(app):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        await first_scheduled(app, run.workflow_id)
        ending = asyncio.ensure_future(run.result())
        while not ending.done():
            description = (await workflow_of(run).describe()).raw_description
            beats |= {each.last_heartbeat_time.ToMilliseconds() for each in description.pending_activities}
            await asyncio.sleep(0.1)
        await ending

    assert (len(beats - {0}) >= 2) is (most is not None)


@pytest.mark.parametrize(("grace", "requests"), [("20s", 1), ("0:00:00", 2)])
async def test_the_grace_of_a_worker_that_is_stopped(
    project: Project, stub: OpenAIStub, grace: str, requests: int
) -> None:
    stub.on("Hello", text="Hi", delay=1.0)
    overrides = {f"{P}.graceful_shutdown_timeout": grace, f"{W}.retry_policy_config.maximum_attempts": 3}
    async with project.app(overrides=overrides) as app, polling(app, scope="router"):
        async with polling(app, scope="runner"):
            run = await app.load(project.root / "greet.mthds").start(INPUT)
            async with asyncio.timeout(20):
                while not stub.requests:
                    await asyncio.sleep(0.05)
        async with polling(app, scope="runner"):
            await asyncio.wait_for(run.result(), 30)

    assert len(stub.requests) == requests


async def test_a_router_that_was_killed_is_waited_for_as_long_as_its_sticky_queue_lasts(
    project: Project, stub: OpenAIStub
) -> None:
    stub.on("Hello", text="Hi", delay=3.0)
    settings = project.root / ".pipelex" / "pipelex.toml"
    lasting = '[temporal.worker_runtime_profiles.profiles.sticky]\nsticky_queue_schedule_to_start_timeout = "2s"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + lasting, encoding="utf-8")
    ready, log = project.root / "ready", project.root / "router.log"
    router = ["-m", "pipelex.cli", "worker", "--scope", "router", "--profile", "sticky", "--ready-file", str(ready)]
    async with project.app() as app, polling(app, scope="runner"):
        with process(router, cwd=project.root, environ=project.environ, log=log) as child:
            await asyncio.to_thread(wait_for_file, ready, child, log)
            run = await app.load(project.root / "greet.mthds").start(INPUT)
            await first_scheduled(app, run.workflow_id)
        async with polling(app, scope="router"):
            await asyncio.wait_for(run.result(), 60)
        events = (await workflow_of(run).fetch_history()).events

    (late,) = [event for event in events if event.HasField("workflow_task_timed_out_event_attributes")]
    scheduled_id = late.workflow_task_timed_out_event_attributes.scheduled_event_id
    waited = late.event_time.ToDatetime() - events[scheduled_id - 1].event_time.ToDatetime()
    assert timedelta(seconds=1.5) < waited < timedelta(seconds=6)


async def test_the_other_heartbeat_throttle_reaches_the_worker(project: Project) -> None:
    """It is for activities without a heartbeat time-out, of which we have none that beats."""
    async with project.app(overrides={f"{P}.default_heartbeat_throttle_interval": "21s"}) as app:
        from pipelex.temporal.plugin import PipelexPlugin

        plugin = PipelexPlugin(config_of(app), app.inference)
        worker = build_worker(await client_of(app), plan_worker(config_of(app)), plugin)
    config = cast("dict[str, Any]", worker.config(active_config=True))

    assert config["default_heartbeat_throttle_interval"] == timedelta(seconds=21)


@pytest.mark.parametrize(("behavior", "ended_on"), [("pinned", "one"), ("auto_upgrade", "two")])
async def test_worker_versioning(project: Project, stub: OpenAIStub, behavior: str, ended_on: str) -> None:
    stub.on("Hello", text="Hi")
    deployment = f"pipelex-{behavior}-{project.root.name}"

    def app_of(build: str) -> Pipelex:
        versioning = {"deployment_name": deployment, "build_id": build, "versioning_behavior": behavior}
        routed = {
            "temporal.activity_queues.act_llm_gen_text.default": f"{project.queue}_pool",
            f"temporal.queue_options.{project.queue}_pool.start_to_close_timeout": "1m",
        }
        return project.app(overrides={**routed, **{f"{P}.{key}": value for key, value in versioning.items()}})

    async with app_of("one") as one, app_of("two") as two, project.app(overrides={
        f"temporal.queue_options.{project.queue}_pool.start_to_close_timeout": "1m"
    }) as plain:  # fmt: skip
        client = await client_of(one)
        async with polling(one, scope="router"), polling(two, scope="router"):
            await _make_current(client, deployment, "one")
            run = await one.load(project.root / "greet.mthds").start(INPUT)
            await first_scheduled(one, run.workflow_id)
            await _make_current(client, deployment, "two")
            await asyncio.sleep(1.0)
            async with polling(plain, scope="runner", queue=f"{project.queue}_pool"):
                await asyncio.wait_for(run.result(), 30)
        events = (await workflow_of(run).fetch_history()).events

    completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    builds = [
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in events
        if event.event_type == completed
    ]
    assert (builds[0], builds[-1]) == ("one", ended_on)


async def _make_current(client: Client, deployment: str, build: str) -> None:
    async def known() -> bool:
        try:
            await client.workflow_service.describe_worker_deployment_version(
                DescribeWorkerDeploymentVersionRequest(
                    namespace=client.namespace,
                    deployment_version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
                )
            )
        except RPCError:
            return False
        return True

    await until(known)
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace, deployment_name=deployment, build_id=build, allow_no_pollers=True
        )
    )


# --- search attributes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({}, {"PipeCode", "DomainCode", "PipelineRunId", "SessionId", "UserId"}),
        ({"temporal.search_attributes.attributes": ["PipeCode", "PipelineRunId"]}, {"PipeCode", "PipelineRunId"}),
        ({"temporal.search_attributes.enabled": False}, set[str]()),
    ],
)
async def test_search_attributes_of_a_run(project: Project, overrides: dict[str, Any], names: set[str]) -> None:
    async with project.app(overrides=overrides) as app:
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        description = await workflow_of(run).describe()
        await workflow_of(run).terminate()

    found = cast("Iterable[SearchAttributePair[Any]]", description.typed_search_attributes)
    assert {pair.key.name for pair in found} == names


async def test_a_namespace_gets_the_configured_attributes_only(project: Project) -> None:
    async with DevServer() as server:
        client = await Client.connect(server.target)
        config = parse_temporal_config(project.settings({"temporal.search_attributes.attributes": ["PipeCode"]}))
        before = await namespace.inspect(client, config)
        await namespace.register(client, before)
        after = await namespace.inspect(client, config)
        everything = await namespace.inspect(client, parse_temporal_config(project.settings()))

    assert (before.missing, after.missing) == (("PipeCode",), ())
    assert everything.missing == ("DomainCode", "PipelineRunId", "SessionId", "UserId")


# --- log lines --------------------------------------------------------------------------------------------------------


async def _dispatch_record(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture, **keys: Any
) -> logging.LogRecord | None:
    stub.on("Hello", text="Hi")
    caplog.set_level(logging.INFO, "temporalio.workflow")
    overrides = {f"{LOG}.is_dispatch_resolution_traced": True, **{f"{LOG}.{key}": value for key, value in keys.items()}}
    async with project.app(overrides=overrides) as app, polling(app):
        await app.load(project.root / "greet.mthds").run(INPUT)
    return next((record for record in caplog.records if "dispatch act_llm" in record.getMessage()), None)


SHOWS: dict[str, Callable[[logging.LogRecord], bool]] = {
    "is_workflow_info_on_message": lambda record: "'workflow_type': 'PipeLLM'" in record.getMessage(),
    "is_workflow_info_on_extra": lambda record: hasattr(record, "temporal_workflow"),
    "is_full_workflow_info_on_extra": lambda record: hasattr(record, "workflow_info"),
    "is_prefix_enabled": lambda record: record.getMessage().startswith("[PipeLLM "),
}


@pytest.mark.parametrize("key", SHOWS)
@pytest.mark.parametrize("is_on", [True, False])
async def test_log_lines_of_workflows(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture, key: str, *, is_on: bool
) -> None:
    record = await _dispatch_record(project, stub, caplog, **{key: is_on})

    assert record is not None
    assert SHOWS[key](record) is is_on


async def test_the_bare_format(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert (
            await _dispatch_record(project, stub, caplog, is_formatter_enabled=False, is_prefix_enabled=False) is None
        )
        lines = [line for line in capsys.readouterr().err.splitlines() if "dispatch act_llm" in line]
        assert len(lines) == 1
        assert lines[0].startswith("dispatch act_llm_gen_text key=stub")
    finally:
        plan_logs(project)


async def test_loggers_that_are_not_managed_are_left_alone(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture
) -> None:
    plan_logs(project, managed_loggers=[])
    logging.getLogger("temporalio.workflow").filters.clear()
    record = await _dispatch_record(project, stub, caplog, managed_loggers=["temporalio.activity"])

    assert record is not None
    assert record.getMessage().startswith("dispatch")


@pytest.mark.parametrize("is_on", [True, False])
async def test_log_lines_of_activities(project: Project, caplog: pytest.LogCaptureFixture, *, is_on: bool) -> None:
    from temporalio import activity
    from temporalio.testing import ActivityEnvironment

    caplog.set_level(logging.INFO, "temporalio.activity")
    keys = (
        "is_activity_info_on_message",
        "is_activity_info_on_extra",
        "is_full_activity_info_on_extra",
        "is_prefix_enabled",
    )
    try:
        plan_logs(project, **dict.fromkeys(keys, is_on))
        ActivityEnvironment().run(lambda: activity.logger.info("100%% of %s", "it"))
    finally:
        plan_logs(project)

    (record,) = caplog.records
    assert ("'activity_type': 'unknown'" in record.getMessage()) is is_on
    assert hasattr(record, "temporal_activity") is is_on
    assert hasattr(record, "activity_info") is is_on
    assert record.getMessage().startswith("[unknown ") is is_on


def plan_logs(project: Project, **keys: Any) -> None:
    from pipelex.temporal.worker.logs import apply_log_settings

    apply_log_settings(
        parse_temporal_config(project.settings({f"{LOG}.{key}": value for key, value in keys.items()})).log
    )
