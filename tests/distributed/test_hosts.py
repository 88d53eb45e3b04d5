"""Server, router, pools, object store and client on hosts of their own: nothing but the network is shared."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelex.temporal.dev_server import TUNED, find_binary
from tests.distributed.cluster import eventually
from tests.support.documents import PdfPage, encoded, pdf, plain
from tests.support.hosts import Host, Network, network, why_there_are_none
from tests.support.inference_files import STUB_BACKENDS, STUB_DECK, STUB_MODELS, write
from tests.support.processes import REPOSITORY

_REASON = why_there_are_none()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("deployments"),
    pytest.mark.skipif(_REASON is not None, reason=_REASON or ""),
]

TOUR = """
domain = "tour"
main_pipe = "tour"

[pipe.tour]
type = "PipeSequence"
description = "Files that go from host to host"
inputs = { document = "Document" }
output = "Text"
steps = [
  { pipe = "read", result = "pages" },
  { pipe = "draw", result = "picture" },
  { pipe = "compare", result = "verdict" },
]

[pipe.read]
type = "PipeExtract"
description = "Read a document"
inputs = { document = "Document" }
output = "Page[]"
model = "pypdfium2-extract-pdf"

[pipe.draw]
type = "PipeImgGen"
description = "Draw it"
inputs = { pages = "Page[]" }
output = "Image"
model = "painter-test"
prompt = "Draw $pages"

[pipe.compare]
type = "PipeLLM"
description = "Look at both"
inputs = { pages = "Page[]", picture = "Image" }
output = "Text"
prompt = "Compare $picture with $pages"

[pipe.describe_all]
type = "PipeBatch"
description = "Describe every word"
inputs = { words = "Text[]" }
output = "Text[]"
branch_pipe_code = "describe"
input_list_name = "words"
input_item_name = "word"

[pipe.describe]
type = "PipeLLM"
description = "Describe a word"
inputs = { word = "Text" }
output = "Text"
prompt = "Describe $word."
"""

SETTINGS = """
[temporal]
is_enabled = true
[temporal.temporal_config.temporal_server_configs.local]
target_host = "{server}:7233"
[temporal.worker_config]
default_task_queue = "router_q"
default_activity_heartbeat_timeout = "3s"
retry_policy_config.initial_interval = "0:00:00.5"
retry_policy_config.maximum_attempts = 10
[temporal.activity_queues.llm]
default = "llm_q"
[temporal.activity_queues.act_img_gen_images]
default = "media_q"
[temporal.activity_queues.act_extract_gen_extract_pages]
default = "media_q"
[temporal.queue_options.llm_q]
[temporal.queue_options.media_q]
[temporal.worker_runtime_profiles.profiles.two]
max_concurrent_activities = 2
[runtime.storage]
method = "s3"
[runtime.storage.s3]
bucket   = "runs"
endpoint = "http://{store}:5000"
"""
WITHOUT_KEYS = """
[inference]
credentials_elsewhere = true
"""
PAINTER = """
[painter-test]
model_type = "img_gen"
sdk        = "openai_img_gen"
outputs    = ["image"]
"""
ROUTING = """
active = "by_name"
[profiles.by_name]
description    = "The test server, and what is done here"
default        = "openai"
fallback_order = ["internal"]
"""

IN_FLIGHT = 2
"""Calls that the pool of language models makes at a time."""


@dataclass
class Site:
    """A cluster spread over hosts."""

    network: Network
    models: Host
    media: Host
    reader: Host
    client: Host
    pids: dict[str, int]
    """Name of a worker's host → its process."""

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests that models got."""
        log = self.models.disk / "requests.jsonl"
        return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    @property
    def described(self) -> list[str]:
        """The words that models were asked about, in order."""
        found = (re.search(r"Describe (\w+)\.", json.dumps(request)) for request in self.asked)
        return [match.group(1) for match in found if match is not None]

    def started_by(self, workflow_id: str) -> set[int]:
        """The processes that took the activities of a workflow."""
        command = [find_binary(), "workflow", "show", "--workflow-id", workflow_id, "--output", "json"]
        events = json.loads(self.client.run(*command))["events"]
        key = "activityTaskStartedEventAttributes"
        return {int(event[key]["identity"].partition("@")[0]) for event in events if key in event}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with network(tmp_path_factory.mktemp("site")) as made:
        yield set_up(made)


def set_up(made: Network) -> Site:
    server, store, models = (made.add(name) for name in ("server", "store", "models"))
    tuned = [argument for setting in TUNED for argument in ("--dynamic-config-value", setting)]
    server.start(find_binary(), "server", "start-dev", "--headless", "--ip", "0.0.0.0", *tuned)
    store.python("-m", "moto.server", "--host", store.address, "--port", "5000")
    details = {"text_tokens": 1, "image_tokens": 0}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": details}
    drawn = {"created": 1, "data": [{"b64_json": _picture()}], "usage": usage}
    rules = [
        {"contains": "Draw", "replies": [{"body": drawn}]},
        {"contains": "Compare", "replies": [{"text": "Alike"}]},
        {"matches": r"Describe (\w+)\.", "replies": [{"text": "\\1 is fine", "expand": True, "delay": 1.0}]},
    ]
    (models.disk / "rules.json").write_text(json.dumps({"rules": rules}), encoding="utf-8")
    models.python(
        "-m", "tests.support.openai_server", "--rules", "rules.json", "--port-file", "port",
        "--log", "requests.jsonl", "--host", models.address, "--port", "8000",
    )  # fmt: skip

    client, router, media, reader = (made.add(name) for name in ("client", "router", "media", "reader"))
    settings = SETTINGS.format(server=server.address, store=store.address)
    for host in (client, router, media, reader):
        url = f"http://{models.address}:8000/v1"
        write(
            host.disk / ".pipelex" / "inference",
            backends=STUB_BACKENDS.format(url=url, api_key="${MODELS_KEY}") + "[internal]\n",
            backends__openai=STUB_MODELS + PAINTER,
            routing_profiles=ROUTING,
            deck__1_stub=STUB_DECK,
        )
        has_keys = host in (media, reader)
        text = settings + ("" if has_keys else WITHOUT_KEYS)
        (host.disk / ".pipelex" / "pipelex.toml").write_text(text, encoding="utf-8")
        host.environ |= {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-store"}
        host.environ |= {"MODELS_KEY": "key-of-the-models"} if has_keys else {}
    client.environ["TEMPORAL_ADDRESS"] = f"{server.address}:7233"
    (client.disk / "tour.mthds").write_text(TOUR, encoding="utf-8")
    eventually(lambda: server.listens(7233) and store.listens(5000) and models.listens(8000), 60)
    make_bucket = f"import httpx; httpx.put('http://{store.address}:5000/runs').raise_for_status()"
    client.run(sys.executable, "-c", make_bucket)
    client.run(sys.executable, "-m", "pipelex.cli", "setup-temporal-namespace")

    workers = {
        router: ("--scope", "router"),
        media: ("--task-queue", "media_q", "--scope", "runner"),
        reader: ("--task-queue", "llm_q", "--scope", "runner-llm", "--profile", "two"),
    }
    pids = {
        host.name: host.python("-m", "pipelex.cli", "worker", *options, "--ready-file", "ready").pid
        for host, options in workers.items()
    }
    for host in workers:
        eventually(lambda host=host: (host.disk / "ready").exists(), 60)
    return Site(made, models, media, reader, client, pids)


def _picture() -> str:
    return base64.b64encode(encoded(plain(60, 40))).decode()


def test_files_travel_without_a_shared_disk(site: Site) -> None:
    """The client has the document, one host reads it and draws, another one looks at both."""
    (site.client.disk / "page.pdf").write_bytes(pdf(PdfPage(["A lighthouse."], [plain(8, 8, "blue")])))
    inputs = {"document": {"concept": "Document", "content": {"url": "page.pdf"}}}
    (site.client.disk / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")

    result = site.client.pipelex("run", "tour.mthds", "-i", "inputs.json", "--run-id", "tour")

    assert result["text"] == "Alike"
    ran = {name: site.started_by(f"tour/{name}") for name in ("1-read", "2-draw", "3-compare")}
    media, reader = site.pids["media"], site.pids["reader"]
    assert ran == {"1-read": {media}, "2-draw": {media}, "3-compare": {reader}}
    (compared,) = [request for request in site.asked if "Compare" in json.dumps(request)]
    assert "A lighthouse." in json.dumps(compared)
    assert _picture() in json.dumps(compared)
    # Nobody kept a file of the run on a disk, but the client its document and the results.
    kept = [file for host in site.network.hosts for file in host.disk.rglob("*") if file.suffix in (".png", ".pdf")]
    results = [file for file in kept if site.client.disk / "results" in file.parents]
    assert {*kept} - {*results} == {site.client.disk / "page.pdf"}
    assert encoded(plain(60, 40)) in [file.read_bytes() for file in results]


def test_a_runner_that_was_cut_off_goes_on(site: Site) -> None:
    """As many calls are made again as were in flight; what was answered before is not, and nothing is lost."""
    words = list("abcdefgh")
    inputs = json.dumps({"words": words})
    site.client.pipelex("run", "tour.mthds", "--pipe", "describe_all", "-i", inputs, "--run-id", "cut", "--detach")
    eventually(lambda: len(site.described) > IN_FLIGHT)

    site.network.unplug(site.reader)
    before = list(site.described)
    eventually(lambda: "attempt 2" in site.client.run(sys.executable, "-m", "pipelex.cli", "runs", "show", "cut"))
    site.network.plug(site.reader)
    result = site.client.pipelex("runs", "result", "cut")

    assert [item["text"] for item in result["items"]] == [f"{word} is fine" for word in words]
    asked = site.described
    assert len(asked) <= len(words) + IN_FLIGHT
    assert set(asked[len(before) :]).isdisjoint(before[:-IN_FLIGHT])


def test_hosts_end_with_the_test(tmp_path: Path) -> None:
    """However it ends: killed in the middle, it leaves no process, and with the last process the hosts are gone."""
    script = """
        import os, signal, sys
        from pathlib import Path
        from tests.support.hosts import network
        with network(Path(sys.argv[1])) as made:
            host = made.add("one")
            host.run("ip", "address", "show", "eth0")
            child = host.start("sleep", "1000")
            print(made.switch.pid, host.holder.pid, child.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 3
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
