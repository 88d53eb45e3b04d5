"""A search for secrets in everything the program writes, while providers fail in every way and say the key themselves."""

import asyncio
import base64
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from pipelex.temporal.dev_server import DevServer
from tests.cli.conftest import Cli
from tests.cli.test_durable import worker
from tests.support.http_stub import Answer, HttpStub, Received, http_stub
from tests.support.otlp_collector import Collector

KEYS = {
    "OPENAI_TEST_KEY": "Harbourmaster0fOpenai",
    "LINKUP_TEST_KEY": "Harbourmaster0fLinkup",
    "MISTRAL_TEST_KEY": "Harbourmaster0fMistral",
    "FAL_TEST_KEY": "Harbourmaster0fFal",
    "TEAM_TEST_TOKEN": "Harbourmaster0fHeaders",
    "URL_TEST_PASSWORD": "Harbourmaster0fUrls",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Harbourmaster0fSpans",
}
"""None looks like a key to anybody who does not know it."""
COMMON = b"Harbourmaster0f"
COMMON_BASIC = base64.b64encode(b"team:Harbourmaster0fUrls").decode()
SENT = {KEYS[f"{name}_TEST_KEY"] for name in ("OPENAI", "LINKUP", "FAL")} | {KEYS["TEAM_TEST_TOKEN"], COMMON_BASIC}
"""What the providers are told; a password in an address takes the place of the key."""

BACKENDS = """
[openai]
endpoint = "http://127.0.0.1:{port}/v1"
api_key  = "${{OPENAI_TEST_KEY}}"
[linkup]
endpoint = "http://127.0.0.1:{port}/linkup"
api_key  = "${{LINKUP_TEST_KEY}}"
[fal]
endpoint = "http://127.0.0.1:{port}/fal"
api_key  = "${{FAL_TEST_KEY}}"
"""
OF_THE_USER = """
[mistral]
endpoint = "http://team:${{URL_TEST_PASSWORD}}@127.0.0.1:{port}/mistral"
api_key  = "${{MISTRAL_TEST_KEY}}"
"""
"""What a project's file may not say, whoever trusts it: a secret inside an address."""
MODELS = {
    "openai": '[stub]\nsdk = "openai"\nx-team-token = "${TEAM_TEST_TOKEN}"\noutputs = ["text", "structured"]\n',
    "linkup": '[find]\nmodel_type = "search"\nsdk = "linkup"\nx-team-token = "${TEAM_TEST_TOKEN}"\n',
    "mistral": '[read]\nmodel_type = "text_extractor"\nsdk = "mistral"\ninputs = ["pdf", "image"]\n',
    "fal": '[draw]\nmodel_type = "img_gen"\nsdk = "fal"\noutputs = ["image"]\n',
}
LOGGERS = (
    "asyncio",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "openai",
    "opentelemetry",
    "pydantic_ai",
    "temporalio",
    "urllib3",
)
SETTINGS = """
[runtime.log]
level = "DEBUG"
[runtime.log.package_levels]
{levels}
[runtime.telemetry]
endpoint = "{collector}"
capture_content = true
[inference]
transport_max_retries = 0
[temporal.temporal_config]
selected_server = "tests"
temporal_server_configs.tests.target_host = "{target}"
[temporal.worker_config]
default_task_queue = "{queue}"
default_activity_start_to_close_timeout = "3s"
retry_policy_config.maximum_attempts = 1
[temporal.worker_runtime_profiles.profiles.default]
graceful_shutdown_timeout = "0:00:00"
"""

METHOD = """
domain = "harbour"

[pipe.say]
type = "PipeLLM"
description = "Say"
inputs = { mode = "Text" }
output = "Text"
model = "stub"
prompt = "MODE $mode"

[pipe.note]
type = "PipeLLM"
description = "Note"
inputs = { mode = "Text" }
output = "Number"
model = "stub"
prompt = "MODE $mode"

[pipe.find]
type = "PipeSearch"
description = "Find"
inputs = { mode = "Text" }
output = "SearchResult"
model = "find"
prompt = "MODE $mode"

[pipe.draw]
type = "PipeImgGen"
description = "Draw"
inputs = { mode = "Text" }
output = "Image"
model = "draw"
prompt = "MODE $mode"

[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { mode = "Image" }
output = "Page[]"
model = "read"
"""

MODES = ("refused", "broken", "garbled", "limited", "moved", "cut", "odd", "slow")
PIPES = ("say", "note", "find", "draw")

PROGRAM = """
import asyncio, json, sys, traceback
from pipelex.cli._shared.session import set_up_logging
from pipelex.config import load_settings
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex

orchestrator, modes, pipes = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
settings = load_settings()
set_up_logging(settings)


async def main():
    async with Pipelex(settings, orchestrator=orchestrator) as app:
        method = app.load("method.mthds")

        async def one(pipe, mode, inputs):
            try:
                result = await method.run(inputs, pipe=pipe, run_id=f"{pipe}-{mode}")
                print("SUCCEEDED", pipe, mode, result)
            except PipelexError as failed:
                print("FAILED", pipe, mode, failed.code, repr(failed), json.dumps(failed.report.to_problem(None)))
                traceback.print_exception(failed)

        for mode in modes:
            await asyncio.gather(*(one(pipe, mode, {"mode": f"{mode} {orchestrator}"}) for pipe in pipes))
        await one("read", "refused", {"mode": {"url": sys.argv[4]}})
        print(app, app.inference, app.deck, settings)


asyncio.run(main())
"""

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def answer(request: Received) -> Answer:
    """Fail as the prompt asks, with everything the request said about itself."""
    said = json.dumps(request.headers)
    text = request.body.decode(errors="replace")
    mode = next((mode for mode in MODES if f"MODE {mode}" in text), "refused")
    headers = {"x-request-id": said, "www-authenticate": said, "retry-after": "0.1", "server": said}
    body = {"error": {"message": f"no: {said} {request.target}", "code": said, "type": said}}
    match mode:
        case "broken":
            return Answer.of_json(body, 500, **headers)
        case "limited":
            return Answer.of_json(body, 429, **headers)
        case "garbled":
            return Answer(f"<html>{said}</html>".encode(), 200, {"content-type": "text/html", **headers})
        case "odd":
            return Answer.of_json({"choices": said, "data": said, "answer": [said], "images": said}, 200, **headers)
        case "moved":
            return Answer(b"", 307, {"location": f"http://127.0.0.1:9/?{said}".replace(" ", "+"), **headers})
        case "cut":
            return Answer(said.encode(), 200, {"content-type": "application/json", **headers}, length=99_999)
        case "slow":
            return (
                Answer.of_json(body, 500, **headers)
                if "slow temporal" not in text
                else Answer(b"late", 200, headers, delay=6.0)
            )
        case _:
            return Answer.of_json(body, 401, **headers)


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """Commands in this process leave the levels of loggers behind."""
    before = {name: logging.getLogger(name).level for name in (*LOGGERS, "pipelex")}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


@pytest.fixture
async def provider() -> AsyncIterator[HttpStub]:
    async with http_stub(answer) as server:
        yield server


def prepare(cli: Cli, provider: HttpStub, collector: Collector, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    folder = cli.root / ".pipelex"
    (folder / "inference" / "backends.toml").write_text(BACKENDS.format(port=provider.port), encoding="utf-8")
    users = Path(cli.environ["HOME"]) / ".pipelex" / "inference" / "backends.toml"
    users.parent.mkdir(parents=True, exist_ok=True)
    users.write_text(OF_THE_USER.format(port=provider.port), encoding="utf-8")
    for name, text in MODELS.items():
        (folder / "inference" / "backends" / f"{name}.toml").write_text(text, encoding="utf-8")
    routing = 'active = "p"\n[profiles.p]\ndescription = "d"\nfallback_order = ["openai", "linkup", "mistral", "fal"]\n'
    (folder / "inference" / "routing_profiles.toml").write_text(routing, encoding="utf-8")
    levels = "\n".join(f'{name} = "DEBUG"' for name in LOGGERS)
    text = SETTINGS.format(levels=levels, collector=collector.url, target=target, queue=cli.project.queue)
    (folder / "pipelex.toml").write_text(text, encoding="utf-8")
    cli.project.method(METHOD)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


async def program(cli: Cli, orchestrator: str) -> str:
    command = [sys.executable, "-c", PROGRAM, orchestrator, ",".join(MODES), ",".join(PIPES), PIXEL]
    run = asyncio.create_subprocess_exec(
        *command, cwd=cli.root, env=cli.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await (await run).communicate()
    text = out.decode()
    # Every run failed by itself, and the logs were on.
    assert text.count("FAILED") == len(MODES) * len(PIPES) + 1, text
    assert "SUCCEEDED" not in text
    return text


def places(text: str) -> list[str]:
    """Where a text tells a secret."""
    found = re.finditer(rf"{COMMON.decode()}|{COMMON_BASIC}", text)
    return [text[max(match.start() - 200, 0) : match.end() + 100] for match in found]


def check_files(root: Path) -> None:
    for file in root.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert COMMON not in content, file
            assert COMMON_BASIC.encode() not in content, file


@pytest.mark.slow
async def test_nothing_of_a_run_in_process_tells_a_secret(
    cli: Cli, provider: HttpStub, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(cli, provider, collector, monkeypatch, "127.0.0.1:1")
    said = await program(cli, "direct")
    sent = str([request.headers for request in provider.requests])
    assert {key for key in (*KEYS.values(), COMMON_BASIC) if key in sent} == SENT
    assert not places(said)
    assert collector.spans
    assert not any(COMMON in body for _, _, body in collector.requests)
    check_files(cli.root)


@pytest.mark.timeout(300)  # every pipe in every mode, on a machine that may be busy
async def test_nothing_of_a_durable_run_tells_a_secret(
    durable_cli: Cli,
    provider: HttpStub,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    temporal_server: DevServer,
) -> None:
    prepare(durable_cli, provider, collector, monkeypatch, temporal_server.target)
    with worker(durable_cli) as process:
        said = await program(durable_cli, "temporal")
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 60)
    assert not places(said)
    assert "provider.credential_refused" in said
    assert "run.timed_out" in said

    client = await Client.connect(temporal_server.target, namespace=temporal_server.namespace)
    runs = [f"{pipe}-{mode}" for pipe in PIPES for mode in MODES] + ["read-refused"]
    for run in runs:
        history = await client.get_workflow_handle(run).fetch_history()
        assert len(history.events) > 5
        assert not any(COMMON in event.SerializeToString() for event in history.events), run
    assert not any(COMMON in body for _, _, body in collector.requests)
    check_files(durable_cli.root)  # the worker's log is among them


COMMANDS = (
    ("--debug", "run", "method.mthds", "--pipe", "say", "-i", '{"mode": "refused"}'),
    ("--debug", "run", "method.mthds", "--pipe", "draw", "-i", '{"mode": "moved"}', "--json"),
    ("config", "show", "--origin"),
    ("show", "backends"),
    ("models", "--json"),
    ("doctor",),
    ("--debug", "runs", "list"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
async def test_no_command_tells_a_secret(
    cli: Cli, provider: HttpStub, collector: Collector, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    prepare(cli, provider, collector, monkeypatch, "127.0.0.1:1")
    monkeypatch.setenv("TEMPORAL_API_KEY", "Harbourmaster0fTemporal")
    ended = await asyncio.to_thread(cli, *command)
    assert ended.out + ended.err
    assert not places(ended.out + ended.err)
