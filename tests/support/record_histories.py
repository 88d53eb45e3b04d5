"""Record the histories that `tests/temporal/test_replay.py` replays: `python -m tests.support.record_histories`.

Each scenario is run once against scripted models, on a development server or on one of the shipped deployments with its
real processes; every workflow of it gives one file, `tests/histories/<release>/<scenario>.<n>-<workflow type>.json`; the payloads that histories only name are in `payloads/`.
Only the folder of the present release is written. Those of the releases before stay as they are, since what matters is
that *old* histories replay. Give the names of scenarios to record those alone.
"""

import argparse
import asyncio
import base64
import importlib.metadata
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from temporalio.client import Client

from pipelex.durable.options import EngineOptions
from pipelex.errors import PipelexError
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex, options_of
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.dev_server import DevServer
from tests.distributed.cluster import deployed
from tests.support.documents import PdfPage, encoded, pdf, plain
from tests.support.methods import PARALLEL_OF_3, POOLS_TOUR, SURVEY
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import REPOSITORY
from tests.support.project import Project, worker_of, write_project
from tests.support.temporal import client_of, start_call

RELEASE = importlib.metadata.version("pipelex")
HISTORIES = REPOSITORY / "tests" / "histories" / RELEASE
PAYLOADS = "payloads"
"""Folder beside a release's histories with the payloads that they only name."""
STORE = "temporal.payload_codec_config.storage_provider_config.local.path"

RETRIED = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeLLM"
description = "By way of a text, with a failure in between"
inputs = { name = "Text" }
output = "Number"
structuring_method = "preliminary_text"
prompt = "Think of $name"
"""

BATCH = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeBatch"
description = "Every word"
inputs = { words = "Text[]" }
output = "Text[]"
branch_pipe_code = "one"
input_list_name = "words"
input_item_name = "word"

[pipe.one]
type = "PipeCompose"
description = "One word"
inputs = { word = "Text" }
output = "Text"
template = "{{ word.text|upper }}"
"""

MEDIA = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "Every other operator, dry"
inputs = { file = "Document", query = "Text" }
output = "Image[2]"
steps = [
  { pipe = "read", result = "pages" },
  { pipe = "find", result = "found" },
  { pipe = "judge", result = "verdict" },
  { pipe = "later", result = "note" },
  { pipe = "draw", result = "pictures" },
]

[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { file = "Document" }
output = "Page[]"

[pipe.find]
type = "PipeSearch"
description = "Find"
inputs = { query = "Text" }
output = "SearchResult"
prompt = "$query"

[pipe.judge]
type = "PipeJudge"
description = "Judge"
inputs = { query = "Text" }
output = "YesNo"
model = "stub-judge"
prompt = "$query"
question = "Is it good?"

[pipe.later]
description = "To be written"
inputs = { query = "Text" }
output = "Text"

[pipe.draw]
type = "PipeImgGen"
description = "Draw"
inputs = { query = "Text" }
output = "Image[2]"
prompt = "A picture of $query"
"""

BUSY = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeCompose"
description = "A template that does too much for the pipe's own code"
inputs = { word = "Text" }
output = "Text"
template = "{% for i in range(200) %}{% for j in range(200) %}{% endfor %}{% endfor %}$word"
"""

PRINTED = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeDocGen"
description = "Print a remark"
inputs = { remark = "Text" }
output = "Document"
format = "docx"
"""

WITH_FUNCTION = REPOSITORY / "tests" / "corpus" / "methods" / "with_function"

DEPLOYMENTS = {"single-worker": "temporal_task_queue", "router-and-runners": "router_q", "per-provider": "router_q"}
"""Name → the queue that clients start runs on."""

MOST_OF_ONE_PIPE = 2
"""Histories kept of the same pipe in one run."""


@dataclass(frozen=True)
class Scenario:
    """One run to record."""

    name: str
    method: str | Path
    """A bundle's text, or a method's folder."""
    inputs: dict[str, Any]
    is_dry: bool = False
    slice_size: int | None = None
    has_store: bool = True
    """Whether long lists are held by reference."""


SCENARIOS = (
    Scenario("survey", SURVEY, {"harbour": "Varna"}),
    Scenario("retried", RETRIED, {"name": "Ada"}),
    Scenario("batch", BATCH, {"words": [f"w{number}" for number in range(20)]}),
    Scenario("sliced", BATCH, {"words": ["a", "b", "c", "d", "e"]}, slice_size=2, has_store=False),
    Scenario("referenced", BATCH, {"words": ["a", "b", "c", "d", "e"]}, slice_size=2),
    Scenario("media", MEDIA, {"file": "https://example.org/a.pdf", "query": "tides"}, is_dry=True),
    Scenario("parallel", PARALLEL_OF_3, {"text": "tides"}),
    Scenario("failing", PARALLEL_OF_3, {"text": "refused"}),
    Scenario("busy", BUSY, {"word": "tides"}),
    Scenario("printed", PRINTED, {"remark": "paid"}),
    Scenario("function", WITH_FUNCTION, {"note": "Rope for 12"}),
)


def answer(stub: OpenAIStub) -> None:
    """What the models say in every scenario."""
    stub.on("Berths of", object={"items": [{"code": "B1", "depth": 3}, {"code": "B2"}, {"code": "B3", "depth": 9}]})
    stub.on(matches=r"Describe berth (\w+)", text="\\1 is fine", expand=True)
    stub.on("History of", text="long").on("Varna", object={"date": "1972-05-01"})
    stub.on("Think of", Reply(status=500, body={"error": {"message": "trouble"}}), Reply(text="seven"))
    stub.on("seven", object={"number": 7})
    stub.on("Say tides", text="low", delay=0.1)
    stub.on("Rope for 12", object={"items": [{"label": "Rope", "amount": 12}]}).on("The total is", text="12 for rope")
    stub.on(matches=r"Describe (\S+) to (\S+)", text=r"\2 knows \1", expand=True)
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    usage_of_images = {**usage, "input_tokens_details": {"text_tokens": 1, "image_tokens": 0}}
    picture = base64.b64encode(encoded(plain(60, 40))).decode()
    stub.on("Draw", body={"created": 1, "data": [{"b64_json": picture}], "usage": usage_of_images})
    stub.on("Say refused", status=401, body={"error": {"message": "no", "code": "invalid_api_key"}})


async def record(app: Pipelex, project: Project, scenario: Scenario) -> None:
    """Run a scenario and write the history of each of its workflows."""
    given = scenario.method
    if isinstance(given, Path):
        app.inference.trees.add_folder(given)  # as `pipelex worker --library` does
    method = app.load(given if isinstance(given, Path) else project.method(given, f"{scenario.name}.mthds"))
    call = PipeCall(pipe=method.pipe().ref, inputs=method.read_inputs(scenario.inputs))
    options = options_of(app.settings, is_dry=scenario.is_dry)
    if scenario.slice_size is not None:
        options = EngineOptions(slice_size=scenario.slice_size)
    identity = RunIdentity(run_id=f"recorded-{scenario.name}", session_id="recorded", user_id="somebody")
    run = await start_call(app, method.library, call, options, identity)
    try:
        await run.result()
    except PipelexError:
        if scenario.name != "failing":
            raise
    await keep(await client_of(app), run.workflow_id, scenario.name)


async def record_deployment(name: str, stub: OpenAIStub) -> None:
    """Run a method on a shipped deployment and write the history of each of its workflows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        deployed(name, Path(folder), url=stub.url, pictures=stub.root, queue=DEPLOYMENTS[name]) as cluster,
    ):
        document = Path(folder) / "page.pdf"
        document.write_bytes(pdf(PdfPage(["A lighthouse."])))
        file = Path(folder) / "tour.mthds"
        file.write_text(POOLS_TOUR, encoding="utf-8")
        inputs = {"document": {"concept": "Document", "content": {"url": str(document)}}, "word": "sea"}
        async with cluster.client() as app:
            result = await app.load(file).run(inputs, run_id=f"recorded-{name}")
            await keep(await client_of(app), result.run_id, name)


async def keep(client: Client, workflow_id: str, name: str) -> None:
    """Write the histories of a run, in place of those of that name."""
    for old in HISTORIES.glob(f"{name}.*"):
        old.unlink()
    kept: Counter[str] = Counter()
    for number, pipe in enumerate(_flat(await read_trace(client, workflow_id))):
        kept[pipe.pipe] += 1
        if kept[pipe.pipe] > MOST_OF_ONE_PIPE:
            continue
        history = await client.get_workflow_handle(pipe.id).fetch_history()
        file = HISTORIES / f"{name}.{number:02}-{pipe.type}.json"
        wire = _without_traces_of_this_machine(json.loads(history.to_json()))
        file.write_text(json.dumps(wire, indent=1) + "\n", encoding="utf-8")


def _without_traces_of_this_machine(value: Any) -> Any:
    """The history without stack traces and the names of processes and hosts; replay does not look at them."""
    if isinstance(value, list):
        return [_without_traces_of_this_machine(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        gone = {"stackTrace": "", "identity": "recorder"}
        return {key: gone.get(key, _without_traces_of_this_machine(item)) for key, item in members.items()}
    return value


def _flat(trace: PipeTrace) -> list[PipeTrace]:
    return [trace, *(below for child in trace.children for below in _flat(child))]


async def main(names: Sequence[str]) -> None:
    if not names:
        shutil.rmtree(HISTORIES, ignore_errors=True)
    HISTORIES.mkdir(parents=True, exist_ok=True)
    every = [*(each.name for each in SCENARIOS), *DEPLOYMENTS]
    wanted = names or every
    with tempfile.TemporaryDirectory() as folder, OpenAIStub() as stub:
        answer(stub)
        async with DevServer() as server:
            project = write_project(Path(folder), stub=stub.url, target=server.target, queue="recorded")
            for scenario in SCENARIOS:
                if scenario.name not in wanted:
                    continue
                overrides = {
                    "temporal.search_attributes.enabled": False,
                    "temporal.payload_codec_config.is_enabled": scenario.has_store,
                    STORE: str(HISTORIES / PAYLOADS),
                }
                async with project.app(overrides=overrides) as app, worker_of(app):
                    await record(app, project, scenario)
                print(f"recorded {scenario.name}", flush=True)
        for name in DEPLOYMENTS:
            if name in wanted:
                await record_deployment(name, stub)
                print(f"recorded {name}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.support.record_histories")
    parser.add_argument("names", nargs="*", help="scenarios or deployments to record alone")
    asyncio.run(main(parser.parse_args().names))
    time.sleep(0.5)  # the SDK may abort an interpreter that ends while its threads still do
