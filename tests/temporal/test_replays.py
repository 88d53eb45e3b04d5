"""A run is run again with an edit, and only what the edit touches is paid for: in-process as on Temporal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.errors import MethodInvalidError, PipelexError
from pipelex.errors.json import as_object
from pipelex.orchestration import RunFilter, RunState
from pipelex.pipes.trace import pipes_of
from pipelex.runner import Pipelex, RunHandle
from pipelex.runner.replays import Replay, ReplayEdit, prepare_replay, replays_of
from tests.support.methods import DESCRIBE_ALL, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, worker_of

LENGTH, EDITED = 50, 20
"""The steps of a long method, and the number of the one that is edited."""
REFUSED = Reply(status=400, text="refused")


@pytest_asyncio.fixture(params=["direct", "temporal", "temporal-controllers"])
async def either(project: Project, request: pytest.FixtureRequest) -> AsyncIterator[Pipelex]:
    """The project's runtime on each orchestrator."""
    name, _, policy = str(request.param).partition("-")
    overrides = {"temporal.worker_config.child_workflow_policy": policy} if policy else {}
    async with project.app(name, overrides=overrides) as app:
        if name == "direct":
            yield app
        else:
            async with worker_of(app):
                yield app


def answering(stub: OpenAIStub, length: int) -> None:
    """Each step answers by its number, whatever it is given."""
    for number in range(1, length + 1):
        stub.on(f"number {number} with", text=f"answer {number}")


async def replayed(replay: Replay) -> RunHandle:
    handle = await replay.start()
    await handle.result()
    return handle


async def test_an_edited_prompt_of_a_long_method(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answering(stub, LENGTH)
    stub.on("New words", text="other words")
    first = await either.load(project.method(chain_of(LENGTH))).start({"text": "sea"})
    await first.result()
    assert len(stub.completions) == LENGTH
    edit = ReplayEdit(members={f"pipe.step_{EDITED}.prompt": "New words about $text"})
    replay = await prepare_replay(either, first.run_id[:-2], edit)
    assert len(stub.completions) == LENGTH, "telling asks nobody"
    told = replay.forecast
    assert sum(told.reused.values()) == EDITED - 1
    assert told.paid == {f"harbour.step_{number}": 1 for number in range(EDITED, LENGTH + 1)}
    handle = await replayed(replay)
    # What the next step is asked has changed with the answer; the one after it is asked what it was asked before.
    assert len(stub.completions) == LENGTH + 2
    result = await handle.result()
    assert result.text == f"answer {LENGTH}"
    assert sum(usage.calls for usage in result.usage) == 2
    root = await handle.trace()
    effects = [effect for pipe in pipes_of(root) for effect in pipe.effects]
    assert [effect.kept_from for effect in effects].count(first.run_id) == LENGTH - 2
    assert sum(usage.calls for usage in root.usage) == 2
    # Both know of each other, and the first one is what it was.
    assert (await handle.describe()).replay_of == first.run_id
    assert [run.run_id for run in await replays_of(either, first.run_id)] == [handle.run_id]
    assert (await first.result()).text == f"answer {LENGTH}"
    assert all(effect.kept_from is None for pipe in pipes_of(await first.trace()) for effect in pipe.effects)
    # A replay can be replayed, and has everything that its own run has.
    again = await prepare_replay(either, handle.run_id)
    assert not again.forecast.paid
    assert sum(again.forecast.reused.values()) == LENGTH
    third = await replayed(again)
    assert len(stub.completions) == LENGTH + 2
    assert (await third.result()).usage == ()
    assert (await third.describe()).replay_of == handle.run_id


async def test_from_a_pipe_and_with_another_model(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answering(stub, 6)
    first = await either.load(project.method(chain_of(6))).start({"text": "sea"})
    await first.result()
    replay = await prepare_replay(either, first.run_id, ReplayEdit(start_over="step_3"))
    assert sum(replay.forecast.reused.values()) == 2
    await replayed(replay)
    assert len(stub.completions) == 6 + 4
    await replayed(await prepare_replay(either, first.run_id, ReplayEdit(model="stub-native")))
    assert len(stub.completions) == 6 + 4 + 6
    assert {str(as_object(request.body)["model"]) for request in stub.completions[-6:]} == {"stub-native"}


async def test_other_inputs_of_a_batch(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on(matches="Describe", text="sea")
    first = await either.load(project.method(DESCRIBE_ALL)).start({"words": ["a", "b", "c"]})
    await first.result()
    # An item that has moved is the item that it was.
    replay = await prepare_replay(either, first.run_id, ReplayEdit(inputs={"words": ["new", "c", "a", "a"]}))
    assert (replay.forecast.reused, replay.forecast.paid) == ({"harbour.describe": 3}, {"harbour.describe": 1})
    handle = await replayed(replay)
    assert len(stub.completions) == 4
    assert (await handle.result()).main_stuff.count == 4


async def test_an_edited_bundle_goes_on_from_a_failed_run(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answering(stub, 5)
    stub.on("Do number 6", REFUSED)
    stub.on("Try number 6", text="mended")
    first = await either.load(project.method(chain_of(8))).start({"text": "sea"})
    with pytest.raises(PipelexError):
        await first.result()
    asked = len(stub.completions)
    stub.on("number 7 with", text="answer 7")
    stub.on("number 8 with", text="answer 8")
    text = chain_of(8).replace("Do number 6", "Try number 6")
    bundle = project.method(text, "edited.mthds")
    replay = await prepare_replay(either, first.run_id, ReplayEdit(bundle=bundle))
    assert sum(replay.forecast.reused.values()) == 5
    handle = await replayed(replay)
    assert len(stub.completions) == asked + 3
    assert (await handle.result()).text == "answer 8"
    assert (await first.status()) is RunState.FAILED


async def test_the_failed_items_alone_are_retried(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe c", REFUSED, REFUSED, Reply(text="mended"))
    stub.on(matches="Describe", text="sea")
    method = either.load(project.method(DESCRIBE_ALL))
    failing = await method.start({"words": ["a", "b", "c", "d"]}, on_item_failure="collect")
    left_out = (await failing.result()).failures
    assert left_out is not None
    assert left_out.count == 1
    await failing.retry()  # it fails once more
    assert (await failing.result()).failures is not None
    assert len(stub.completions) == 5
    await failing.retry()
    result = await failing.result()
    assert len(stub.completions) == 6
    assert result.failures is None
    assert [item["text"] for item in result.content["items"]] == ["sea", "sea", "mended", "sea"]  # type: ignore[index, call-overload]
    with pytest.raises(PipelexError) as refused:
        await failing.retry()
    assert refused.value.code == "run.already_ended"
    assert [run.run_id for run in await either.orchestrator.list(RunFilter(prefix=failing.run_id))] == [failing.run_id]


async def test_a_retry_from_a_pipe_keeps_the_id(either: Pipelex, project: Project, stub: OpenAIStub) -> None:
    answering(stub, 5)
    run = await either.load(project.method(chain_of(5))).start({"text": "sea"})
    await run.result()
    again = await run.retry(start_over="step_4")
    assert again.run_id == run.run_id
    await again.result()
    assert len(stub.completions) == 5 + 2


@pytest.mark.parametrize(
    ("edit", "code", "words"),
    [
        (ReplayEdit(members={"pipe.stp_1.prompt": "x"}), "request.invalid", "did you mean step_1"),
        (ReplayEdit(members={"concept.X.description": "x"}), "request.invalid", "names no member of a pipe"),
        (ReplayEdit(members={"pipe.step_1.promt": "x"}), "request.invalid", "promt"),
        (ReplayEdit(members={"pipe.step_1.prompt": "About $nothing"}), "method.invalid", "nothing"),
        (ReplayEdit(start_over="nobody"), "request.pipe_not_found", "nobody"),
        (ReplayEdit(inputs={"txt": "x"}), "input.unexpected", "txt"),
    ],
)
async def test_edits_that_do_not_fit(
    project: Project, stub: OpenAIStub, edit: ReplayEdit, code: str, words: str
) -> None:
    answering(stub, 2)
    async with project.app("direct") as app:
        run = await app.load(project.method(chain_of(2))).start({"text": "sea"}, run_id="first")
        await run.result()
        with pytest.raises(PipelexError, match=words) as refused:
            await prepare_replay(app, "first", edit)
        assert refused.value.code == code
        assert isinstance(refused.value, MethodInvalidError) is (code == "method.invalid")
    assert len(stub.completions) == 2


async def test_functions_are_taken_too(project: Project, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    (project.root / "work.py").write_text(
        "from pathlib import Path\n\n\ndef shout(text):\n"
        f"    with Path({str(calls)!r}).open('a') as log:\n        log.write('x')\n"
        "    return {'text': text['text'].upper()}\n",
        encoding="utf-8",
    )
    text = """
domain = "harbour"

[pipe.shout]
type = "PipeFunc"
description = "Shout"
inputs = { text = "Text" }
output = "Text"
function_name = "work.shout"
"""
    async with project.app("direct") as app:
        await app.load(project.method(text)).run({"text": "sea"}, run_id="first")
    async with project.app("direct") as app:
        replay = await prepare_replay(app, "first")
        assert (replay.forecast.reused, replay.forecast.performed) == ({"harbour.shout": 1}, {})
        assert (await (await replay.start()).result()).text == "SEA"
        other = await prepare_replay(app, "first", ReplayEdit(inputs={"text": "land"}))
        assert other.forecast.performed == {"harbour.shout": 1}
        assert (await (await other.start()).result()).text == "LAND"
    assert calls.read_text(encoding="utf-8") == "xx"
