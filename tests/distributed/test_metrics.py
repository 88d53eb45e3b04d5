"""What a worker tells in numbers: to whoever scrapes it, and to a collector."""

import asyncio
import json
import re
import socket
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from subprocess import Popen
from typing import Any, NamedTuple

import pytest
import yaml
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipelex.errors import PipelexError
from tests.distributed.cluster import DEPLOY, eventually
from tests.support.methods import DESCRIBE_ALL, GREET
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.otlp_collector import Collector
from tests.support.processes import process, wait_for_file
from tests.support.project import Project

pytestmark = pytest.mark.slow

FILES = DEPLOY / "observability"
_SAMPLE = re.compile(r"^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Sample(NamedTuple):
    name: str
    labels: Mapping[str, str]
    value: float


def free_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def scraped(address: str) -> list[Sample]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return [
        Sample(found["name"], dict(_LABEL.findall(found["labels"] or "")), float(found["value"]))
        for found in _SAMPLE.finditer(text)
    ]


def total(samples: list[Sample], name: str, **labels: str) -> float:
    wanted = [each.value for each in samples if each.name == name and labels.items() <= each.labels.items()]
    return sum(wanted)


@contextmanager
def worker(project: Project, *options: str, environ: Mapping[str, str] = {}) -> Generator[Popen[bytes]]:
    ready, log = project.root / "ready", project.root / "worker.log"
    arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready), *options]
    with process(arguments, cwd=project.root, environ={**project.environ, **environ}, log=log) as child:
        wait_for_file(ready, child, log)
        yield child
        child.terminate()
        child.wait(30)


async def run_some(project: Project, stub: OpenAIStub) -> None:
    """Four calls that succeed, one of them at the second try, and one that fails for good."""
    stub.on("Describe b", Reply(status=500), Reply(text="fine")).on("Describe", text="fine", input_tokens=11)
    stub.on("Hello", Reply(status=401))
    async with project.app() as app:
        await app.load(project.method(DESCRIBE_ALL)).run({"words": ["a", "b", "c", "d"]})
        with pytest.raises(PipelexError):
            await app.load(project.method(GREET)).run({"name": "Ada"})


async def test_prometheus(project: Project, stub: OpenAIStub) -> None:
    address = free_address()
    with worker(project, "--metrics-address", address):
        await run_some(project, stub)
        found = await asyncio.to_thread(scraped, address)
    of = {"provider": "openai", "model": "stub", "activity_type": "act_llm_gen_text"}
    assert total(found, "pipelex_calls_total", outcome="completed", **of) == 4
    assert total(found, "pipelex_calls_total", outcome="failed", **of) == 2
    assert total(found, "pipelex_call_failures_total", error_code="provider.failed", **of) == 1
    assert total(found, "pipelex_call_failures_total", error_code="provider.credential_refused", **of) == 1
    assert total(found, "pipelex_paid_requests_total", **of) == 4
    assert total(found, "pipelex_tokens_total", kind="input", **of) == 4 * 11
    assert total(found, "pipelex_tokens_total", kind="output", **of) == 4 * 7
    assert total(found, "pipelex_call_cost_usd_sum", **of) > 0
    assert total(found, "pipelex_call_duration_seconds_count", **of) == 6
    assert total(found, "pipelex_call_wait_seconds_count", **of) == 6
    assert total(found, "pipelex_runs_total", pipe="harbour.describe_all", outcome="completed") == 1
    assert total(found, "pipelex_runs_total", outcome="failed") == 1
    assert {each.labels["task_queue"] for each in found if each.name == "pipelex_calls_total"} == {project.queue}
    assert {each.labels["service_name"] for each in found} == {"pipelex"}
    assert total(found, "temporal_worker_task_slots_available", worker_type="ActivityWorker") > 0

    known = {re.sub(r"_(bucket|sum|count)$", "", each.name) for each in found} | NEEDS_MORE
    for name, metrics in named_in_files().items():
        assert metrics <= known, (name, metrics - known)


NEEDS_MORE = {
    "temporal_sticky_cache_total_forced_eviction_total",  # a full cache
    "temporal_workflow_task_execution_failed_total",  # a worker that cannot go on with a run
    "temporal_request_failure_total",  # a server that refuses
}
"""Metrics that these runs make no sample of."""


def named_in_files() -> dict[str, set[str]]:
    """The metrics that alerts, dashboard and scalers ask for, without what a histogram's parts add."""
    found: dict[str, set[str]] = {}
    for file in sorted(FILES.iterdir()):
        names = re.findall(r"\b(?:pipelex|temporal)_[a-z_]+", file.read_text(encoding="utf-8"))
        asked = {re.sub(r"_(bucket|sum|count)$", "", each) for each in names}
        found[file.name] = {each for each in asked if not each.startswith(("temporal_task_queue", "temporal_io"))}
    return found


def test_the_files_are_what_their_readers_take() -> None:
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text(encoding="utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len(alerts) >= 8
    assert all({"alert", "expr", "for", "labels", "annotations"} <= set(rule) for rule in alerts)
    dashboard = json.loads((FILES / "grafana-dashboard.json").read_text(encoding="utf-8"))
    assert len(dashboard["panels"]) >= 8
    assert all(panel["targets"] for panel in dashboard["panels"])
    scaled = list(yaml.safe_load_all((FILES / "keda.yaml").read_text(encoding="utf-8")))
    assert [each["kind"] for each in scaled] == ["TriggerAuthentication", "ScaledObject"]
    (trigger,) = scaled[1]["spec"]["triggers"]
    assert trigger["type"] == "temporal"
    (hpa,) = yaml.safe_load_all((FILES / "hpa.yaml").read_text(encoding="utf-8"))
    assert hpa["kind"] == "HorizontalPodAutoscaler"
    names = {item["metadata"]["name"] for item in deployments()}
    assert scaled[1]["spec"]["scaleTargetRef"]["name"] in names
    assert hpa["spec"]["scaleTargetRef"]["name"] in names


def deployments() -> list[Any]:
    text = (DEPLOY / "router-and-runners" / "kubernetes" / "workers.yaml").read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("told_by", ["settings", "variable"])
async def test_a_collector(project: Project, stub: OpenAIStub, told_by: str) -> None:
    with Collector() as collector:
        environ: dict[str, str] = {}
        if told_by == "settings":
            write_settings(project, f'[runtime.metrics]\notlp_endpoint = "{collector.url}"\n')
        else:
            environ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = f"{collector.url}/v1/metrics"
        with worker(project, environ=environ):
            await run_some(project, stub)
            await asyncio.to_thread(eventually, lambda: "pipelex_calls" in names_at(collector), 40)
    assert {path for path, _, _ in collector.requests} == {"/v1/metrics"}


def names_at(collector: Collector) -> set[str]:
    found: set[str] = set()
    for _, _, body in collector.requests:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            found |= {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
    return found


async def test_prometheus_as_the_settings_say(project: Project, stub: OpenAIStub) -> None:
    address = free_address()
    write_settings(project, f'[runtime.metrics]\nprometheus_address = "{address}"\n')
    with worker(project):
        assert await asyncio.to_thread(scraped, address)


@pytest.mark.parametrize(
    ("settings", "options", "said"),
    [
        ("", ("--metrics-address", "nonsense"), "metrics cannot be served at 'nonsense'"),
        (
            '[runtime.metrics]\nprometheus_address = "127.0.0.1:1"\notlp_endpoint = "http://127.0.0.1:1"\n',
            (),
            "a worker reports its metrics in only one way",
        ),
    ],
    ids=["address", "both"],
)
def test_what_cannot_be_told(project: Project, settings: str, options: tuple[str, ...], said: str) -> None:
    write_settings(project, settings)
    log = project.root / "log"
    with process(
        ["-m", "pipelex.cli", "worker", *options], cwd=project.root, environ=project.environ, log=log
    ) as child:
        assert child.wait(30) == 2
    assert said in " ".join(log.read_text(encoding="utf-8").split())
    assert "Traceback" not in log.read_text(encoding="utf-8")


def write_settings(project: Project, text: str) -> None:
    file = project.root / ".pipelex" / "pipelex.toml"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
