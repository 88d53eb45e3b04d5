"""Each key that says where and how activities go: changed, and seen on the server."""

import asyncio
import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.worker import Replayer

from pipelex.durable.tries import MOST_INTERRUPTIONS
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex
from pipelex.temporal import MethodJob
from pipelex.temporal.dev_server import DevServer
from pipelex.temporal.plugin import PipelexPlugin
from tests.distributed.cluster import scheduled
from tests.distributed.inprocess import all_polling, first_scheduled, polling, until
from tests.support.methods import TWO_STEPS
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project
from tests.support.temporal import client_of, config_of, workflow_of

INPUT = {"name": "Ada"}
W = "temporal.worker_config"
ROUTES = "temporal.activity_queues"
TEXT = f"{ROUTES}.act_llm_gen_text"


def options(queue: str, **keys: Any) -> dict[str, Any]:
    """A queue's table, empty if there are no keys."""
    named = {key.replace("__", "."): value for key, value in keys.items()} or {"retry_policy_config": {}}
    return {f"temporal.queue_options.{queue}.{key}": value for key, value in named.items()}


async def scheduling(project: Project, overrides: dict[str, Any]) -> ActivityTaskScheduledEventAttributes:
    """How a router with these settings schedules the call of a model."""
    async with project.app(overrides=overrides) as app, polling(app, scope="router"):
        run = await app.load(project.root / "greet.mthds").start(INPUT)
        found = await first_scheduled(app, run.workflow_id)
        await workflow_of(run).terminate()
        return found


async def test_the_baseline(project: Project) -> None:
    found = await scheduling(
        project,
        {
            f"{W}.default_activity_start_to_close_timeout": "7m",
            f"{W}.default_activity_heartbeat_timeout": "17s",
            f"{W}.retry_policy_config.initial_interval": "4s",
            f"{W}.retry_policy_config.backoff_coefficient": 1.5,
            f"{W}.retry_policy_config.maximum_interval": "40s",
            f"{W}.retry_policy_config.maximum_attempts": 6,
            f"{W}.retry_policy_config.non_retryable_error_types": ["Hopeless"],
        },
    )

    retry = found.retry_policy
    assert (found.start_to_close_timeout.seconds, found.heartbeat_timeout.seconds) == (420, 17)
    assert (retry.initial_interval.seconds, retry.backoff_coefficient) == (4, 1.5)
    assert (retry.maximum_interval.seconds, retry.maximum_attempts) == (40, 6 + MOST_INTERRUPTIONS)
    assert list(retry.non_retryable_error_types) == ["Hopeless"]
    assert found.task_queue.name == project.queue


LAYER = {
    "start_to_close_timeout": "6m",
    "schedule_to_close_timeout": "50m",
    "schedule_to_start_timeout": "5m",
    "heartbeat_timeout": "16s",
    "retry_policy_config.initial_interval": "5s",
    "retry_policy_config.backoff_coefficient": 1.25,
    "retry_policy_config.maximum_interval": "1m",
    "retry_policy_config.maximum_attempts": 7,
    "retry_policy_config.non_retryable_error_types_extra": ["OfLayer"],
}


@pytest.mark.parametrize("layer", ["temporal.queue_options.pool_q", f"{TEXT}.handle_options.stub"])
async def test_the_overlays(project: Project, layer: str) -> None:
    below = options(
        "pool_q", start_to_close_timeout="1m", retry_policy_config__non_retryable_error_types_extra=["Below"]
    )
    baseline = {f"{W}.retry_policy_config.non_retryable_error_types": ["OfBaseline"]}
    overlay = {f"{layer}.{key}": value for key, value in LAYER.items()}

    found = await scheduling(project, {**baseline, f"{TEXT}.default": "pool_q", **below, **overlay})

    retry = found.retry_policy
    assert found.task_queue.name == "pool_q"
    assert (found.start_to_close_timeout.seconds, found.heartbeat_timeout.seconds) == (360, 16)
    assert (found.schedule_to_close_timeout.seconds, found.schedule_to_start_timeout.seconds) == (3000, 300)
    assert (retry.initial_interval.seconds, retry.backoff_coefficient) == (5, 1.25)
    assert (retry.maximum_interval.seconds, retry.maximum_attempts) == (60, 7 + MOST_INTERRUPTIONS)
    added = ["OfLayer"] if layer.endswith("pool_q") else ["Below", "OfLayer"]
    assert list(retry.non_retryable_error_types) == ["OfBaseline", *added]


@pytest.mark.parametrize(
    ("routes", "queue"),
    [
        ({"act_llm_gen_text.default": "a_q"}, "a_q"),
        ({"llm.default": "a_q"}, "a_q"),
        ({"act_llm_gen_text.default": "a_q", "act_llm_gen_text.by_backend.openai": "b_q"}, "b_q"),
        ({"act_llm_gen_text.by_backend.openai": "b_q", "act_llm_gen_text.by_handle.stub": "c_q"}, "c_q"),
        ({"llm.by_handle.stub": "a_q", "act_llm_gen_text.default": "b_q"}, "b_q"),
        ({"act_llm_gen_text.by_handle.another": "a_q", "act_llm_gen_text.by_backend.anthropic": "b_q"}, None),
        ({"act_img_gen_images.default": "a_q"}, None),
    ],
)
async def test_routes(project: Project, routes: dict[str, str], queue: str | None) -> None:
    tables: dict[str, Any] = {}
    for name in ("a_q", "b_q", "c_q"):
        tables |= options(name)

    found = await scheduling(project, {**tables, **{f"{ROUTES}.{key}": value for key, value in routes.items()}})

    assert found.task_queue.name == (queue or project.queue)


async def test_priority_and_fairness_travel(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELEX_USER_ID", "ada")
    overrides = {f"{TEXT}.default": "p_q", **options("p_q", priority_key=2), f"{W}.fairness_by_user": True}
    async with project.app(overrides=overrides) as app, polling(app, scope="router"):
        method = app.load(project.root / "greet.mthds")
        run = await method.start(INPUT)
        found = await first_scheduled(app, run.workflow_id)
        await workflow_of(run).terminate()

    assert (found.priority.priority_key, found.priority.fairness_key) == (2, "ada")


async def test_every_workflow_of_a_fair_run_has_its_user_s_share(project: Project, stub: OpenAIStub) -> None:
    """A backlog at the routers is shared out, too: whoever has many runs must not block others there."""
    stub.on("Describe", text="Fine")
    async with project.app(overrides={f"{W}.fairness_by_user": True}) as app, polling(app):
        method, inputs = app.load(project.root / "all.mthds"), {"words": ["quay"]}
        assert MethodJob.of(app.settings, await method.request(inputs, user="ada")).fairness_key == "ada"
        run = await method.start(inputs, user="ada")
        await run.result()
        client = await client_of(app)
        keys = [
            history.events[0].workflow_execution_started_event_attributes.priority.fairness_key
            async for history in client.list_workflows(f"PipelineRunId = '{run.run_id}'").map_histories()
        ]

    assert keys == ["ada", "ada"]
    assert (await run.describe()).user == "ada"


async def test_a_more_urgent_queue_table_goes_first(project: Project, stub: OpenAIStub) -> None:
    """Two routers' tables for one pool: what the second schedules overtakes what the first one did."""
    stub.on("Hello", text="Hi")
    pool = {f"{TEXT}.default": "pool_of_priorities"}
    late = {**pool, **options("pool_of_priorities", priority_key=5)}
    soon = {**pool, **options("pool_of_priorities", priority_key=1)}
    runs: list[Any] = []
    for overrides, names in ((late, ["late1", "late2", "late3", "late4"]), (soon, ["soon1", "soon2"])):
        async with project.app(overrides=overrides) as app, polling(app, scope="router"):
            for name in names:
                run = await app.load(project.root / "greet.mthds").start({"name": name})
                await first_scheduled(app, run.workflow_id)
                runs.append(run.run_id)
    order = await _one_at_a_time(project, soon, "pool_of_priorities", runs, stub)

    assert order[:2] == ["soon1", "soon2"]


async def _one_at_a_time(
    project: Project, overrides: dict[str, Any], queue: str, run_ids: list[str], stub: OpenAIStub
) -> list[str]:
    slot = "temporal.worker_runtime_profiles.profiles.one"
    one = {f"{slot}.max_concurrent_activities": 1, f"{slot}.max_concurrent_activity_task_polls": 1}
    app = project.app(overrides={**overrides, **one})
    async with app, polling(app, scope="router"), polling(app, scope="runner", queue=queue, profile="one"):
        for run_id in run_ids:
            await asyncio.wait_for((await app.attach(run_id)).result(), 30)
    return [request.prompt.removeprefix("Hello ") for request in stub.completions]


@pytest.mark.parametrize("is_fair", [False, True])
async def test_fairness_shares_a_backlog_out(
    project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch, *, is_fair: bool
) -> None:
    stub.on("Hello", text="Hi")
    async with DevServer(dynamic_config=("matching.enableFairness=true",)) as server:
        overrides = {
            "temporal.temporal_config.temporal_server_configs.tests.target_host": server.target,
            "temporal.search_attributes.enabled": False,
            f"{W}.fairness_by_user": is_fair,
            f"{TEXT}.default": "shared_q",
            **options("shared_q"),
        }
        names = [("many", f"many{number}") for number in range(10)] + [("few", "few1"), ("few", "few2")]
        runs: list[str] = []
        async with project.app(overrides=overrides) as app, polling(app, scope="router"):
            for user, name in names:
                monkeypatch.setenv("PIPELEX_USER_ID", user)
                run = await app.load(project.root / "greet.mthds").start({"name": name})
                await first_scheduled(app, run.workflow_id)
                runs.append(run.run_id)
        order = await _one_at_a_time(project, overrides, "shared_q", runs, stub)

    last_of_few = max(order.index("few1"), order.index("few2"))
    assert (last_of_few < 8) is is_fair, order


@pytest.mark.parametrize(
    ("attempts", "status", "extra", "requests"),
    [(3, 500, [], 3), (1, 500, [], 1), (3, 401, [], 1), (3, 500, ["ProviderFailed"], 1)],
)
async def test_how_often_a_failing_provider_is_asked(
    project: Project, stub: OpenAIStub, attempts: int, status: int, extra: list[str], requests: int
) -> None:
    stub.on("Hello", Reply(status=status))
    queue_options = options(
        "tries_q",
        retry_policy_config__maximum_attempts=attempts,
        retry_policy_config__non_retryable_error_types_extra=extra,
    )
    overrides = {f"{TEXT}.default": "tries_q", **queue_options}
    async with project.app(overrides=overrides) as app, all_polling(app, "tries_q"):
        with pytest.raises(PipelexError) as failed:
            await app.load(project.root / "greet.mthds").run(INPUT)

    assert len(stub.requests) == requests
    assert failed.value.report.attempts == requests


async def test_a_pool_that_is_not_there_ends_the_wait(project: Project) -> None:
    overrides = {f"{TEXT}.default": "gone_q", **options("gone_q", schedule_to_start_timeout="0:00:00.5")}
    async with project.app(overrides=overrides) as app, polling(app, scope="router"):
        began = time.monotonic()
        with pytest.raises(PipelexError) as failed:
            await app.load(project.root / "greet.mthds").run(INPUT)

    assert time.monotonic() - began < 10
    assert "act_llm_gen_text" in str(failed.value)


async def test_a_rate_cap(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="Fine")
    overrides = {f"{TEXT}.default": "slow_q", **options("slow_q", max_task_queue_activities_per_second=4)}
    async with project.app(overrides=overrides) as app, all_polling(app, "slow_q"):
        await app.load(project.root / "all.mthds").run({"words": [f"w{number}" for number in range(16)]})

    arrivals = [request.at for request in stub.completions]
    assert max(arrivals) - min(arrivals) >= (16 - 10) / 4


@pytest.mark.parametrize("is_traced", [True, False])
async def test_dispatch_tracing(
    project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture, *, is_traced: bool
) -> None:
    stub.on("Hello", text="Hi")
    log = "temporal.temporal_config.temporal_log_config.is_dispatch_resolution_traced"
    caplog.set_level(logging.INFO, "temporalio.workflow")
    overrides = {
        log: is_traced,
        f"{TEXT}.by_handle.stub": "traced_q",
        **options("traced_q", start_to_close_timeout="6m"),
    }
    async with project.app(overrides=overrides) as app, all_polling(app, "traced_q"):
        await app.load(project.root / "greet.mthds").run(INPUT)

    lines = [record.getMessage() for record in caplog.records if "dispatch act_llm_gen_text" in record.getMessage()]
    assert len(lines) == is_traced
    if is_traced:
        assert "key=stub: queue=traced_q [activity_queues.act_llm_gen_text.by_handle.stub]" in lines[0]
        assert "start_to_close=0:06:00 [queue_options.traced_q]" in lines[0]


async def test_a_new_route_reroutes_what_runs(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="there").on("Goodbye", text="bye")
    tables = {**options("old_q"), **options("new_q")}
    old, new = ({**tables, f"{TEXT}.default": queue} for queue in ("old_q", "new_q"))
    file = project.method(TWO_STEPS, "two.mthds")

    # The first router schedules the first step, and goes.
    async with project.app(overrides=old) as app, polling(app, scope="router"):
        run = await app.load(file).start(INPUT)
        greet, part = f"{run.workflow_id}/1-greet", f"{run.workflow_id}/2-part"
        assert (await first_scheduled_of(app, greet)).task_queue.name == "old_q"
    # Routers with the new route go on with the run; the first step's task is where it was.
    async with project.app(overrides=new) as app, all_polling(app, "old_q", "new_q"):
        handle = await app.attach(run.run_id)
        result = await asyncio.wait_for(handle.result(), 30)
        client = await client_of(app)
        queues = [(await scheduled(client, each))[0].task_queue.name for each in (greet, part)]
        histories = [await client.get_workflow_handle(each).fetch_history() for each in (run.workflow_id, greet, part)]

    assert (result.text, queues) == ("bye", ["old_q", "new_q"])
    # Replay minds neither route.
    for overrides in (old, new):
        app = project.app(overrides=overrides)
        replayer = Replayer(workflows=[], plugins=[PipelexPlugin(config_of(app), app.inference)])
        for history in histories:
            assert (await replayer.replay_workflow(history)).replay_failure is None


async def first_scheduled_of(app: Pipelex, workflow_id: str) -> ActivityTaskScheduledEventAttributes:
    client = await client_of(app)

    async def look() -> list[ActivityTaskScheduledEventAttributes]:
        try:
            return await scheduled(client, workflow_id)
        except Exception:  # the child is not there yet
            return []

    return (await until(look))[0]


async def test_a_file_of_an_earlier_release_runs_methods(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    folder = project.root / ".pipelex"
    existing = Path(__file__).parents[1] / "temporal" / "config" / "existing.toml"
    (folder / "pipelex.toml").rename(folder / "pipelex_override.toml")
    (folder / "pipelex.toml").write_text(existing.read_text(encoding="utf-8"), encoding="utf-8")
    override = (folder / "pipelex_override.toml").read_text(encoding="utf-8")
    (folder / "pipelex_override.toml").write_text(re.sub("default_task_queue.*", "", override), encoding="utf-8")

    async with project.app() as app, polling(app):
        result = await app.load(project.root / "greet.mthds").run(INPUT)
        client = await client_of(app)
        (found,) = await scheduled(client, result.run_id)

    assert (result.text, found.task_queue.name) == ("Hi", "temporal_task_queue")
