"""A store or a key that fails under a running worker: nothing is lost, and whoever waits is told what is wrong."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from pipelex.cli.runs.tree import read_view
from pipelex.errors import ConfigurationError, ErrorReport, PipelexError
from pipelex.orchestration import Wait, WaitKind
from pipelex.runner import Pipelex, RunHandle
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.worker.build import build_worker, plan_worker
from tests.distributed.cluster import eventually
from tests.support.bucket import KEYS, Bucket
from tests.support.http_stub import http_stub
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of, config_of
from tests.support.untyped import untyped
from tests.temporal.conftest import WITHOUT_STORE
from tests.temporal.test_codec_server import encrypted
from tests.temporal.test_payload_codec import TABLE
from tests.temporal.test_payload_sizes import LIMITS

LOCAL_STORE = f"{TABLE}.storage_provider_config.local.path"


async def failing_task_of(run: RunHandle) -> tuple[Wait, ErrorReport]:
    """The first failing task of a run, once there is one, and what it fails of."""
    for _ in range(240):
        for wait in await run.waits(timedelta(0)):
            if wait.kind is WaitKind.TASK_FAILS and wait.report is not None:
                return wait, wait.report
        await asyncio.sleep(0.25)
    raise AssertionError("no task of the run fails")


def another_store(project: Project) -> dict[str, Any]:
    return {LOCAL_STORE: str(project.root / "another")}


def no_store(project: Project) -> dict[str, Any]:
    return WITHOUT_STORE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "said", "advised"),
    [
        (another_store, "is not the store it was written to, or it was deleted since", "storage_provider_config"),
        (no_store, "is in the payload store of another worker or client", "is_enabled = true"),
    ],
)
async def test_a_worker_with_a_wrong_store_is_told_of_and_the_right_one_ends_the_run(
    idle: Pipelex,
    project: Project,
    stub: OpenAIStub,
    wrong: Callable[[Project], Mapping[str, Any]],
    said: str,
    advised: str,
) -> None:
    stub.on("Echo", text="an echo")
    started = await idle.load(project.method(LIMITS)).start({"text": "x" * 200_000}, pipe="deep")
    async with project.app(overrides=dict(wrong(project))) as other, worker_of(other):
        task, report = await failing_task_of(started)
        shown = untyped((await read_view(started)).to_json())
    assert (shown["trace"]["waits"][0]["name"], shown["status"]) == ("workflow task", "RUNNING")
    assert said in shown["trace"]["waits"][0]["last_failure"]
    assert said in report.detail
    assert advised in (report.advice or "")
    assert (task.workflow_id, report.code, stub.completions) == (started.run_id, "runtime.misconfigured", [])
    async with worker_of(idle):
        result = await asyncio.wait_for(started.result(), 60)
    assert (result.text, len(stub.completions)) == ("an echo!", 1)


@pytest.mark.slow
async def test_a_worker_without_the_key_is_told_of_and_the_right_one_ends_the_run(
    project: Project, stub: OpenAIStub
) -> None:
    stub.on("Echo", text="an echo")
    async with project.app(overrides=encrypted(project)) as app:
        started = await app.load(project.method(LIMITS)).start({"text": "x"}, pipe="deep")
        async with project.app() as keyless, worker_of(keyless):
            _, report = await failing_task_of(started)
        assert "key 'new'; none is known here" in report.detail
        async with worker_of(app):
            assert (await asyncio.wait_for(started.result(), 60)).text == "an echo!"
    assert len(stub.completions) == 1


@pytest.mark.slow
async def test_a_store_that_goes_away_under_a_worker_holds_runs_up_and_loses_nothing(
    project: Project, stub: OpenAIStub
) -> None:
    """The provider is asked, then the store is not there: the answer waits for it in the worker, and is paid once."""
    text = "y" * 200_000
    stub.on("Echo", text=text, delay=1.0)
    (project.root / ".env").write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    bucket = Bucket()
    async with http_stub(bucket) as s3:
        provider = f"{TABLE}.storage_provider_config"
        settings = {
            f"{provider}.method": "s3",
            f"{provider}.s3.bucket": "runs",
            f"{provider}.s3.endpoint": s3.url,
            "temporal.worker_config.retry_policy_config.maximum_attempts": 0,
        }
        async with project.app(overrides=settings) as app, worker_of(app):
            started = await app.load(project.method(LIMITS)).start({"text": "x"}, pipe="deep")
            await asyncio.to_thread(eventually, lambda: len(stub.completions) == 1, 60)
            bucket.is_down = True
            await asyncio.to_thread(eventually, lambda: bucket.refused >= 9, 60)  # three tries of the store a time
            bucket.is_down = False
            assert (await asyncio.wait_for(started.result(), 90)).text == text + "!"
    assert len(stub.completions) == 1
    assert any(len(body) > 200_000 for body, _ in bucket.objects.values())


async def test_an_activity_whose_input_is_in_another_store_fails_with_its_name(
    project: Project, stub: OpenAIStub
) -> None:
    """A pool of runners with a store of its own: nothing is asked of the provider, and the run says why."""
    routed: dict[str, Any] = {
        "temporal.activity_queues.act_llm_gen_text.default": "pool_q",
        "temporal.queue_options.pool_q.retry_policy_config": {},
    }
    there = {"temporal.worker_config.default_task_queue": "pool_q", **another_store(project)}
    async with (
        project.app(overrides=routed) as app,
        worker_of(app),
        project.app(overrides=there) as other,
        worker_of(other),
    ):
        run = app.load(project.method(LIMITS)).run({"text": "x" * 200_000}, pipe="echo")
        with pytest.raises(PipelexError, match="is not the store it was written to") as failed:
            await asyncio.wait_for(run, 60)
    report = failed.value.report
    assert (report.code, report.location.pipe, stub.completions) == ("runtime.misconfigured", "harbour.echo", [])


async def test_a_worker_of_a_client_that_does_not_encrypt_is_refused(project: Project) -> None:
    async with project.app(overrides=encrypted(project)) as app:
        client = await client_of(app)
        bare = Client(client.service_client, namespace=client.namespace)
        plugin = PipelexPlugin(config_of(app), app.inference)
        with pytest.raises(ConfigurationError, match="sets 'encryption'"):
            await build_worker(bare, plan_worker(config_of(app)), plugin).run()
