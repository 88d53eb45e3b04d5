"""Recorded histories of every pipe type replay with today's code, sandbox on: running methods survive an upgrade."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError
from tests.support.project import write_project
from tests.support.record_histories import PAYLOADS

from pipelex.runner import Pipelex
from pipelex.temporal._catalog import WORKFLOWS
from pipelex.temporal.codec import data_converter
from pipelex.temporal.config import connection
from pipelex.temporal.plugin import PipelexPlugin

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


@pytest.fixture
def replayer(tmp_path: Path) -> Replayer:
    app: Pipelex = write_project(tmp_path, stub="http://127.0.0.1:1/v1").app(overrides=PAYLOADS)
    target = connection(app.temporal_config, app.settings)
    converter = data_converter(app.temporal_config, app.settings, target)
    return Replayer(workflows=[], plugins=[PipelexPlugin(app.temporal_config, app.inference, converter)])


def history_of(file: Path, text: str | None = None) -> WorkflowHistory:
    wire: dict[str, Any] = json.loads(text or file.read_text(encoding="utf-8"))
    # Ids of children start with the root's, so the history must be replayed under the id it was made with.
    id_ = wire["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    return WorkflowHistory.from_json(id_, wire)


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path, replayer: Replayer) -> None:
    await replayer.replay_workflow(history_of(file))


def test_every_pipe_type_has_a_history() -> None:
    recorded = {file.stem.rpartition("-")[2] for file in HISTORIES}
    # Files of the method tree and printed documents come with their own releases of the runtime.
    assert set(WORKFLOWS) - {"PipeFunc", "PipeDocGen"} <= recorded
    assert "PipeBatchSlice" in recorded


async def test_a_changed_order_of_commands_is_noticed(replayer: Replayer) -> None:
    file = next(file for file in HISTORIES if file.stem == "retried.00-PipeLLM")
    changed = file.read_text(encoding="utf-8").replace('"act_llm_gen_text"', '"act_llm_gen_object"')
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history_of(file, changed))
