"""Recorded histories of every pipe type replay with today's code, sandbox on: running methods survive an upgrade."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from pipelex.config import load_settings
from pipelex.runner import Pipelex
from pipelex.temporal.codec import data_converter
from pipelex.temporal.config import connection
from pipelex.temporal.config.catalog import WORKFLOWS
from pipelex.temporal.plugin import PipelexPlugin
from tests.distributed.cluster import DEPLOY, KEYS, write_inference
from tests.support.project import write_project
from tests.support.record_histories import DEPLOYMENTS, PAYLOADS, STORE
from tests.support.temporal import config_of

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*/*.json"))
NOWHERE = "http://127.0.0.1:1/v1"


def replayer_for(file: Path, folder: Path) -> Replayer:
    """A replayer with the settings of the deployment that a history is of, or with those of the tests."""
    deployment = file.stem.partition(".")[0]
    if deployment in DEPLOYMENTS:
        shutil.copytree(DEPLOY / deployment / ".pipelex", folder / ".pipelex")
        write_inference(folder / ".pipelex" / "inference", NOWHERE, NOWHERE)
        app = Pipelex(load_settings(cwd=folder, environ={"HOME": str(folder), **KEYS}), orchestrator="temporal")
    else:
        app = write_project(folder, stub=NOWHERE).app(overrides={STORE: str(file.parent / PAYLOADS)})
    config = config_of(app)
    converter = data_converter(config, app.settings, connection(config, app.settings))
    return Replayer(workflows=[], plugins=[PipelexPlugin(config, app.inference, converter)])


def history_of(file: Path, text: str | None = None) -> WorkflowHistory:
    wire: dict[str, Any] = json.loads(text or file.read_text(encoding="utf-8"))
    # Ids of children start with the root's, so the history must be replayed under the id it was made with.
    id_ = wire["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    return WorkflowHistory.from_json(id_, wire)


@pytest.mark.matrix(fast=8)
@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: f"{file.parent.name}-{file.stem}")
async def test_a_recorded_history_replays(file: Path, tmp_path: Path) -> None:
    await replayer_for(file, tmp_path).replay_workflow(history_of(file))


def test_every_pipe_type_has_a_history() -> None:
    recorded = {file.stem.rpartition("-")[2] for file in HISTORIES}
    assert {*WORKFLOWS, "PipeBatchSlice"} <= recorded


def test_every_deployment_has_a_history_with_its_queues() -> None:
    queues: dict[str, set[str]] = {}
    for file in HISTORIES:
        name = file.stem.partition(".")[0]
        if name in DEPLOYMENTS:
            events = json.loads(file.read_text(encoding="utf-8"))["events"]
            scheduled = [event.get("activityTaskScheduledEventAttributes") for event in events]
            queues.setdefault(name, set()).update(each["taskQueue"]["name"] for each in scheduled if each)
    assert queues == {
        "single-worker": {"temporal_task_queue"},
        "router-and-runners": {"llm_q", "img_gen_q", "extract_q"},
        "per-provider": {"openai_q", "anthropic_q", "img_gen_q", "ocr_q"},
    }


@pytest.mark.slow
async def test_a_changed_order_of_commands_is_noticed(tmp_path: Path) -> None:
    file = next(file for file in HISTORIES if file.stem == "retried.00-PipeLLM")
    changed = file.read_text(encoding="utf-8").replace('"act_llm_gen_text"', '"act_llm_gen_object"')
    with pytest.raises(NondeterminismError):
        await replayer_for(file, tmp_path).replay_workflow(history_of(file, changed))
