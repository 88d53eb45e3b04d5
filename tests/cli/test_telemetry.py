"""Spans of real commands and a real worker process, as a collector receives them."""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_durable import worker
from tests.support.methods import SURVEY
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.otlp_collector import Collected, Collector, trees

pytestmark = pytest.mark.slow

KEY = "test-key-0123456789"

HARBOUR = "Varna-on-the-secret-shore"
INPUTS = ("-i", json.dumps({"harbour": HARBOUR}))

REPLAYING = """
[temporal.worker_runtime_profiles.profiles.replaying]
max_cached_workflows = 0
graceful_shutdown_timeout = "0:00:05"
"""
"""No workflow is kept between two of its tasks."""

CHAT = ("chat stub", ())
SURVEY_TREE = (
    "invoke_workflow survey",
    (
        (
            "PipeSequence survey",
            (
                ("PipeCompose report", ()),
                ("PipeCondition judge_size", (("PipeCompose praise", ()),)),
                ("PipeLLM describe", (CHAT,)),
                ("PipeLLM describe", (CHAT,)),
                ("PipeLLM describe", (CHAT,)),
                ("PipeLLM list_berths", (CHAT,)),
                ("PipeParallel facts", (("PipeLLM history", (CHAT,)), ("PipeStructure founded", (CHAT,)))),
            ),
        ),
    ),
)


def watched(cli: Cli, collector: Collector, more: str = "", telemetry: str = "") -> None:
    """Have the project's processes export their spans."""
    with (cli.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'\n[runtime.telemetry]\nendpoint = "{collector.url}"\n{telemetry}\n{more}\n')


def answer_survey(stub: OpenAIStub) -> None:
    stub.on("Berths of", object={"items": [{"code": "B1", "depth": 3}, {"code": "B2"}, {"code": "B3", "depth": 9}]})
    stub.on(matches=r"Describe berth (\w+)", text="\\1 is fine and confidential", expand=True)
    stub.on("History of", text="long and confidential").on(HARBOUR, object={"date": "1972-05-01"})


def written(collector: Collector) -> bytes:
    return b"".join(body for _, _, body in collector.requests)


def named(spans: list[Collected], name: str) -> Collected:
    return next(span for span in spans if span.name == name)


def check_survey(spans: list[Collected], parent: Collected | None = None) -> None:
    """The same is told of the same run, whoever ran it."""
    assert trees(spans) == [SURVEY_TREE]
    assert len({span.trace for span in spans}) == 1
    assert len({span.id for span in spans}) == len(spans), "a span was exported twice"
    assert not any(span.is_error for span in spans)
    assert {span.resource["service.name"] for span in spans} == {"pipelex"}
    for span in spans:
        above = next((each for each in spans if each.id == span.parent), None)
        assert above is None or above.nanoseconds[0] <= span.nanoseconds[0] <= span.nanoseconds[1]

    calls = [span for span in spans if span.name == "chat stub"]
    told = named(calls, "chat stub").attributes
    expected: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "stub",
        "gen_ai.response.model": "stub",
        "gen_ai.response.id": "chatcmpl-stub",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "server.address": "127.0.0.1",
    }
    assert expected.items() <= told.items()
    assert {span.kind for span in calls} == {"client"}
    assert {span.kind for span in spans if span not in calls} == {"internal"}

    run = named(spans, "invoke_workflow survey")
    assert (run.trace, run.parent) == ((parent.trace, parent.id) if parent is not None else (run.trace, ""))
    assert run.attributes["gen_ai.workflow.name"] == "harbour.survey"
    usage = [run.attributes[f"pipelex.usage.{name}"] for name in ("calls", "input_tokens", "output_tokens")]
    assert usage == [6, 66, 42]
    assert named(spans, "PipeParallel facts").attributes["pipelex.usage.calls"] == 2
    assert named(spans, "PipeStructure founded").attributes["pipelex.pipe.path"] == "5-facts/2-founded"


def test_a_run_in_process(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    answer_survey(stub)
    watched(cli, collector)
    cli.project.method(SURVEY, "survey.mthds")

    ended = cli.command("run", "survey.mthds", *INPUTS)

    assert ended.code == 0, ended.err
    check_survey(collector.spans)
    assert not any(word in written(collector) for word in (HARBOUR.encode(), b"confidential", KEY.encode()))


CLIENT = """
import sys

from opentelemetry import trace
from pipelex.config import load_settings
from pipelex.runner import Pipelex, start_telemetry

settings = load_settings()
start_telemetry(settings)
with trace.get_tracer("client").start_as_current_span("request"):
    method = Pipelex(settings, orchestrator="temporal").load("survey.mthds")
    print(method.run_sync({"harbour": sys.argv[1]}, full_memory=True).text)
"""
"""A program that has a span of its own around a run, and asks the ended workflow for its memory: it is replayed whole."""


@pytest.mark.timeout(300)  # every task of every workflow is a replay, which a busy machine takes long for
def test_a_durable_run_whose_workflows_are_replayed_to_their_ends(
    durable_cli: Cli, stub: OpenAIStub, collector: Collector
) -> None:
    answer_survey(stub)
    watched(durable_cli, collector, REPLAYING)
    durable_cli.project.method(SURVEY, "survey.mthds")

    with worker(durable_cli, "--profile", "replaying") as process:
        client = [sys.executable, "-c", CLIENT, HARBOUR]
        subprocess.run(client, cwd=durable_cli.root, env=durable_cli.environ, check=True, timeout=200)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)

    (root,) = (span for span in collector.spans if span.name == "request")
    check_survey([span for span in collector.spans if span != root], parent=root)
    assert not any(word in written(collector) for word in (HARBOUR.encode(), b"confidential", KEY.encode()))


def test_a_failure_is_told_by_its_code(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    said = {"error": {"message": f"no, {KEY}, not for {HARBOUR}"}}
    stub.on("Hello", Reply(status=503, body=said), Reply(status=401, body=said))
    watched(cli, collector)

    ended = cli.command("run", "greet.mthds", "-i", json.dumps({"name": HARBOUR}))

    assert ended.code == 1
    tree = ("invoke_workflow greet", (("PipeLLM greet", (CHAT, CHAT)),))
    assert collector.trees == [tree]
    calls = [span.attributes for span in collector.spans if span.name == "chat stub"]
    told = [(call["error.type"], call["http.response.status_code"]) for call in calls]
    assert told == [("provider.unavailable", 503), ("provider.credential_refused", 401)]
    assert named(collector.spans, "PipeLLM greet").attributes["error.type"] == "provider.credential_refused"
    assert all(span.is_error for span in collector.spans)
    assert not any(word in written(collector) for word in (HARBOUR.encode(), KEY.encode()))


def test_content_is_captured_on_demand(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    stub.on("Hello", text="Good morning")
    watched(cli, collector, telemetry="capture_content = true")

    assert cli.command("run", "greet.mthds", "-i", '{"name": "Ana"}').code == 0

    told = named(collector.spans, "chat stub").attributes
    question = [{"role": "user", "parts": [{"type": "text", "content": "Hello Ana"}]}]
    assert json.loads(told["gen_ai.input.messages"]) == question
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "Good morning"}]}]
    assert json.loads(told["gen_ai.output.messages"]) == answer
    assert KEY.encode() not in written(collector)


def test_the_usual_variables(cli: Cli, stub: OpenAIStub, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.on("Hello", text="Good morning")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "harbour-office")
    assert cli.command("run", "greet.mthds", "-i", '{"name": "Ana"}').code == 0
    assert {span.resource["service.name"] for span in collector.spans} == {"harbour-office"}
    assert {headers["x-team"] for _, headers, _ in collector.requests} == {"blue"}

    collector.clear()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert cli.command("run", "greet.mthds", "-i", '{"name": "Ana"}').code == 0
    assert not collector.requests


UNWATCHED = """
import sys

from pipelex.cli.main import run

assert run(["run", "greet.mthds", "-i", '{"name": "Ana"}']) == 0
print(*sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
"""


def test_nothing_is_loaded_for_nobody(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good morning")
    command = [sys.executable, "-c", UNWATCHED]
    ended = subprocess.run(command, cwd=cli.root, env=cli.environ, check=True, capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == ""


def test_a_run_does_not_mind_a_collector_that_fails(cli: Cli, stub: OpenAIStub, collector: Collector) -> None:
    stub.on("Hello", text="Good morning")
    collector.status = 400
    watched(cli, collector)
    ended = cli.command("run", "greet.mthds", "-i", '{"name": "Ana"}')
    assert ended.code == 0
    assert "Good morning" in ended.out
    assert "400" in ended.err
