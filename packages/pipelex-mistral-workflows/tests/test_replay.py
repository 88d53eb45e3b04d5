"""Recorded histories replay with the SDK's own interceptors: running methods survive an upgrade of a worker.

`make mistral-histories` records them anew. They are of a batch in slices that go on in new runs, of a sequence with
values in the storage, of a failure, a retry, a cancellation, and of an exposed pipe.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from mistral_project import EXPOSED, serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.openai_server import OpenAIStub

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))

pytestmark = pytest.mark.usefixtures("polling")


def history_of(file: Path, text: str | None = None) -> WorkflowHistory:
    wire: dict[str, Any] = json.loads(text or file.read_text(encoding="utf-8"))
    id_ = wire["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"]
    return WorkflowHistory.from_json(id_, wire)


def replayer() -> Any:
    from mistralai.workflows.core._events.event_interceptor import EventInterceptor
    from mistralai.workflows.core._registration.execution_registration_interceptor import (
        ExecutionRegistrationInterceptor,
    )
    from mistralai.workflows.core.temporal.context_handler_interceptor import ContextHandlerInterceptor
    from mistralai.workflows.core.temporal.payload_codec import MistralWorkflowsPayloadCodec
    from mistralai.workflows.core.temporal.payload_converter import MistralWorkflowsPayloadConverter
    from temporalio.converter import DataConverter
    from temporalio.worker import Replayer

    from pipelex_mistral_workflows.workflows import workflow_classes

    return Replayer(
        workflows=workflow_classes(EXPOSED.values(), timedelta(days=1)),
        data_converter=DataConverter(
            payload_converter_class=MistralWorkflowsPayloadConverter,
            payload_codec=MistralWorkflowsPayloadCodec(None, None),
        ),
        interceptors=[ContextHandlerInterceptor(), ExecutionRegistrationInterceptor(), EventInterceptor()],
    )


def keep_values(storage: Path) -> None:
    """Put the stored values of the recorded histories where the project keeps its own."""
    storage.mkdir(parents=True, exist_ok=True)
    for file in (Path(__file__).parent / "histories" / "values").glob("*"):
        (storage / file.name).write_bytes(file.read_bytes())


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path, tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    async with project.app() as app:
        keep_values(project.root / app.settings.runtime.storage.local.path)
        with serving(app):
            await replayer().replay_workflow(history_of(file))


async def test_a_changed_order_of_commands_is_noticed(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> None:
    file = next(file for file in HISTORIES if "act_llm_gen_text" in file.read_text(encoding="utf-8"))
    changed = file.read_text(encoding="utf-8").replace('"act_llm_gen_text"', '"act_llm_gen_object"')
    project = write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)
    async with project.app() as app:
        with serving(app), pytest.raises(NondeterminismError):
            await replayer().replay_workflow(history_of(file, changed))


def test_every_kind_of_workflow_has_a_history() -> None:
    types = {
        json.loads(file.read_text())["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]
        for file in HISTORIES
    }
    assert {"pipelex-run-pipe", "pipelex-run-slice", "pipe-quay--moor"} <= types
