"""Many templates in one pipe, or in one workflow: they leave the workflow's thread in time, and every replay agrees."""

import json
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from pipelex.errors import PipelexError
from pipelex.errors.json import Json
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.codec import data_converter
from pipelex.temporal.config import connection
from pipelex.temporal.plugin import PipelexPlugin
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of, config_of
from tests.support.untyped import untyped

LIGHT = "$topic {number}: {{{{ topic|upper }}}}"
HEAVY = "{number} $topic{{% for i in range(15000) %}}{{% endfor %}}"


def construct(template: str, fields: int) -> str:
    names = [f"field_{number}" for number in range(fields)]
    structure = "\n".join(f'{name} = {{ type = "text", description = "A field" }}' for name in names)
    entries = "\n".join(
        f"{name} = {{ template = '{template.format(number=number)}' }}" for number, name in enumerate(names)
    )
    return f"""
domain = "harbour"
main_pipe = "fill"

[concept.Form]
description = "A form"
[concept.Form.structure]
{structure}

[pipe.fill]
type = "PipeCompose"
description = "Fill"
inputs = {{ topic = "Text" }}
output = "Form"
[pipe.fill.construct]
{entries}
"""


BATCH = """
domain = "harbour"
main_pipe = "all"

[pipe.all]
type = "PipeBatch"
description = "All"
inputs = { words = "Text[]" }
output = "Text[]"
branch_pipe_code = "one"
input_list_name = "words"
input_item_name = "word"

[pipe.one]
type = "PipeCompose"
description = "One"
inputs = { word = "Text" }
output = "Text"
template = "{% for i in range(3000) %}{% endfor %}about $word"
"""


async def history_of(client: Client, trace: PipeTrace) -> WorkflowHistory:
    return await client.get_workflow_handle(trace.id).fetch_history()


async def replays(app: Pipelex, history: WorkflowHistory) -> bool:
    config = config_of(app)
    converter = data_converter(config, app.settings, connection(config, app.settings))
    await Replayer(workflows=[], plugins=[PipelexPlugin(config, app.inference, converter)]).replay_workflow(history)
    return True


def counted(history: WorkflowHistory, kind: "EventType.ValueType") -> int:
    return sum(event.event_type == kind for event in history.events)


async def test_many_templates_of_a_pipe_take_turns_with_others(app: Pipelex, project: Project) -> None:
    method = app.load(project.method(construct(LIGHT, 200)))
    result = await method.run({"topic": "tides"})
    assert untyped(result.main_stuff.content)["field_199"] == "tides 199: TIDES"
    client = await client_of(app)
    history = await history_of(client, await read_trace(client, result.run_id))
    assert 2 <= counted(history, EventType.EVENT_TYPE_TIMER_STARTED) <= 20
    assert counted(history, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 0
    assert await replays(app, history)


async def test_templates_of_a_pipe_have_one_budget(app: Pipelex, project: Project, tmp_path: Path) -> None:
    text = construct(HEAVY, 60)
    reports: list[dict[str, Json]] = []
    async with project.app("direct") as local:
        for runtime in (app, local):
            with pytest.raises(PipelexError) as failed:
                await runtime.load(project.method(text)).run({"topic": "tides"})
            reports.append(failed.value.report.to_json())
    assert reports[0]["code"] == "pipe.template_budget_exceeded"
    assert "the templates of the pipe do too much together" in str(reports[0]["detail"])
    assert json.dumps(reports[0], sort_keys=True) == json.dumps(reports[1], sort_keys=True)


async def test_templates_of_pipes_in_one_workflow_take_turns_with_others(project: Project) -> None:
    policy = {"temporal.worker_config.child_workflow_policy": "controllers"}
    words = [f"word{number}" for number in range(40)]
    async with project.app(overrides=policy) as app, worker_of(app):
        result = await app.load(project.method(BATCH)).run({"words": words})
        client = await client_of(app)
        history = await history_of(client, await read_trace(client, result.run_id))
        assert await replays(app, history)
    assert untyped(result.main_stuff.content)["items"][-1] == {"text": "about word39"}
    assert counted(history, EventType.EVENT_TYPE_TIMER_STARTED) >= 3
    assert counted(history, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED) == 0
