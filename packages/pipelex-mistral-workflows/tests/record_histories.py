"""Record the histories that `test_replay.py` replays: `PIPELEX_RECORD=1 pytest tests/record_histories.py`."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mistralai.client import Mistral

from pipelex.content.stuff import Stuff
from pipelex.durable.options import EngineOptions
from pipelex.errors import PipelexError
from pipelex.orchestration import RunRequest
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.runner import Method, Pipelex
from test_runs import ECHO, until

from mistral_project import DEPLOYMENT, serving, write_mistral_project
from mistral_stand_in.api import KEY, StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply

FOLDER = Path(__file__).parent / "histories"

pytestmark = [
    pytest.mark.usefixtures("polling"),
    pytest.mark.skipif("PIPELEX_RECORD" not in os.environ, reason="records anew, on demand"),
]


async def test_record(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "values").mkdir(parents=True)
    stub.on("Describe twice.", Reply(status=500), Reply(text="about twice"))
    stub.on("Describe refused.", status=401)
    stub.on("Describe slow.", text="slow", delay=30)
    stub.on("Write about long", text="a" * 5_000)
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True)
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    # Replays have another threshold: what a run began with holds for all of it.
    async with project.app(overrides={"mistral_workflows.size_threshold": 3_000}) as app:
        describe, echo = app.load(project.method(DESCRIBE_ALL)), app.load(project.method(ECHO, "echo.mthds"))
        with serving(app):
            await ended(describe, "record-batch", {"words": ["one", "twice", "three"]})
            await ended(describe, "record-refused", {"words": ["one", "refused"]})
            await ended(echo, "record-stored", {"text": "long" * 1_000})
            slow = await describe.start({"words": ["slow"]}, run_id="record-cancelled")
            await until(lambda: any("slow" in request.prompt for request in stub.completions))
            await slow.cancel(within=timedelta(seconds=60))
            async with Mistral(api_key=KEY, server_url=stand_in.url) as client:
                await client.workflows.execute_workflow_and_wait_async(
                    workflow_identifier="pipe-quay--moor",
                    execution_id="record-exposed",
                    input={"ship": {"name": "Ada"}},
                    deployment_name=DEPLOYMENT,
                    polling_interval=1,
                )
            await sliced(app, describe, "record-slices", [f"word{n}" for n in range(5)])
        storage = project.root / app.settings.runtime.storage.local.path
    for execution in stand_in.executions.values():
        if execution.id.startswith("record-"):
            await write(stand_in, execution.id)
    for file in storage.glob("*.*"):
        shutil.copy(file, FOLDER / "values" / file.name)


async def ended(method: Any, id_: str, inputs: dict[str, Any]) -> None:
    run = await method.start(inputs, run_id=id_)
    try:
        await run.result()
    except PipelexError as failed:
        print(id_, failed)


async def sliced(app: Pipelex, method: Method, id_: str, words: list[str]) -> None:
    """Run a batch in slices of two items."""
    values = {"words": Stuff.of_list("native.Text", [{"text": word} for word in words])}
    call = PipeCall(pipe="harbour.describe_all", inputs=values)
    request = RunRequest(method.library, call, RunIdentity(run_id=id_), EngineOptions(slice_size=2))
    await (await app.orchestrator.start(request)).run.result()


async def write(stand_in: StandIn, id_: str) -> None:
    history = await stand_in.client.get_workflow_handle(id_).fetch_history()
    (FOLDER / f"{id_}.json").write_text(json.dumps(history.to_json_dict()), encoding="utf-8")
