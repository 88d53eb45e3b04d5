"""Ids within what every server holds, however deep a method is and whatever it is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from temporalio.worker import Replayer

from pipelex.errors import PipelexError
from pipelex.orchestration.refusals import RUN_ID_BYTES
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Pipelex
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.workflow import ids
from pipelex.temporal.workflow.ids import WORKFLOW_ID_BYTES, shortened
from pipelex.testing import ScriptedModel
from tests.support.methods import written
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of, config_of

CODE = 70


def code(depth: int) -> str:
    return f"p{depth:02}_".ljust(CODE, "x")


def nested(depth: int, innermost: str) -> str:
    """Sequences in sequences, each of one step, around a step of a PipeLLM."""
    pipes = [
        f"""
[pipe.{code(level)}]
type = "PipeSequence"
description = "Level {level}"
inputs = {{ words = "Text[]" }}
output = "Text[]"
steps = [{{ pipe = "{code(level + 1) if level < depth else "say"}", {innermost if level == depth else ""} result = "said" }}]
"""
        for level in range(1, depth + 1)
    ]
    return f"""
domain = "harbour"
main_pipe = "{code(1)}"
{"".join(pipes)}
[pipe.say]
type = "PipeLLM"
description = "Say it"
inputs = {{ word = "Text" }}
output = "Text"
prompt = "Say $word"
"""


DEEP = nested(15, 'batch_over = "words", batch_as = "word",')
INPUT: Mapping[str, Any] = {"words": ["a", "b", "c"]}


def never_long(full: str) -> bool:
    return not full


def flat(trace: PipeTrace) -> list[PipeTrace]:
    return [trace, *(below for child in trace.children for below in flat(child))]


@pytest.mark.parametrize(
    "run_id", ["deep", "r" * RUN_ID_BYTES, "é" * (RUN_ID_BYTES // 2)], ids=["short", "long", "accented"]
)
async def test_a_deep_method(scripted_app: Pipelex, model: ScriptedModel, tmp_path: Path, run_id: str) -> None:
    model.pipes["say"] = "ok"
    method = scripted_app.load(written(tmp_path, DEEP))
    run_id = f"{tmp_path.name[-5:]}{run_id}"[: len(run_id)]
    handle = await method.start(INPUT, run_id=run_id)
    result = await handle.result()
    model.assert_asked(3, pipe="say")
    assert handle.run_id == run_id == result.run_id

    found = [each.id for each in flat(await handle.run.trace())]
    assert len(found) == 15 + 3 == len(set(found))
    assert all(len(id_.encode()) <= WORKFLOW_ID_BYTES for id_ in found)
    assert all(id_.startswith(f"{run_id}/") for id_ in found[1:])
    assert {id_[-3:] for id_ in found[-3:]} == {"[0]", "[1]", "[2]"}
    description = await (await client_of(scripted_app)).get_workflow_handle(found[-1]).describe()
    path = "/".join([run_id, *(f"1-{code(level)}" for level in range(2, 16)), "1-say[2]"])
    assert path in (await description.static_details() or "")
    assert await description.static_summary() == "say[2] — Say it"


def test_shortened_ids_differ_where_the_whole_ones_do() -> None:
    tail = "/".join(["step"] * 80)
    one, other = (shortened(f"run/{first}/{tail}[7]", "run") for first in ("1-a", "2-a"))
    assert one != other
    assert one.startswith("run/~")
    assert one.endswith("/step/step[7]")
    assert len(one.encode()) <= WORKFLOW_ID_BYTES
    assert one == shortened(f"run/1-a/{tail}[7]", "run")
    root = "w" * 1000
    assert len(shortened(f"{root}/1-a", root).encode()) <= WORKFLOW_ID_BYTES


async def test_histories_with_long_ids_replay(
    idle: Pipelex, project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("Say", text="ok")
    with monkeypatch.context() as before:
        before.setattr(ids, "is_long", never_long)
        async with worker_of(idle):
            handle = await idle.load(project.method(nested(5, 'batch_over = "words", batch_as = "word",'))).start(INPUT)
            await handle.result()
            found = [each.id for each in flat(await handle.run.trace())]
    assert max(map(len, found)) > WORKFLOW_ID_BYTES
    client = await client_of(idle)
    replayer = Replayer(
        workflows=[],
        plugins=[PipelexPlugin(config_of(idle), idle.inference, client.data_converter)],
    )
    for id_ in found:
        await replayer.replay_workflow(await client.get_workflow_handle(id_).fetch_history())


@pytest.mark.parametrize("orchestrator", ["temporal", "direct"])
@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        ("r" * 995, "995 bytes"),
        ("r" * (RUN_ID_BYTES + 1), f"may have {RUN_ID_BYTES}"),
        (" ", "empty"),
        ("a\nb", "control"),
        ("a/b", "stands between"),
    ],
)
async def test_a_run_id_has_bounds(project: Project, orchestrator: str, run_id: str, said: str) -> None:
    async with project.app(orchestrator) as app:
        method = app.load(project.method(DEEP))
        with pytest.raises(PipelexError) as refused:
            await method.start(INPUT, run_id=run_id)
    assert refused.value.code == "request.invalid"
    assert refused.value.report.params == {"field": "run_id"}
    assert said in refused.value.report.detail
