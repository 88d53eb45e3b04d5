"""A run is run again with an edit, as on the other engines; and runs are found by what they were started with."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.errors import PipelexError
from pipelex.orchestration import RunFilter, RunState
from pipelex.runner import Pipelex
from pipelex.runner.replays import ReplayEdit, prepare_replay, replays_of
from test_runs import ECHO, orchestrator_of

from mistral_project import DEPLOYMENT, MistralProject, serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub
from tests.temporal.test_replays import (  # noqa: F401 they are run here with the fixtures below
    test_a_retry_from_a_pipe_keeps_the_id,
    test_an_edited_bundle_goes_on_from_a_failed_run,
    test_an_edited_prompt_of_a_long_method,
    test_from_a_pipe_and_with_another_model,
    test_other_inputs_of_a_batch,
    test_the_failed_items_alone_are_retried,
)

IS_PART = os.environ.get("PIPELEX_MISTRAL_TESTS") == "few"

pytestmark = pytest.mark.usefixtures("polling")


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


@pytest.fixture(autouse=True)
def _shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pipe is an execution with a dozen calls of the API here."""
    monkeypatch.setattr("tests.temporal.test_replays.LENGTH", 6)
    monkeypatch.setattr("tests.temporal.test_replays.EDITED", 3)


@pytest_asyncio.fixture(params=["every_pipe"] if IS_PART else ["every_pipe", "controllers"])
async def either(project: MistralProject, request: pytest.FixtureRequest) -> AsyncIterator[Pipelex]:
    async with project.app(overrides={"mistral_workflows.child_workflow_policy": request.param}) as app:
        with serving(app):
            yield app


async def test_large_values_and_values_from_the_console(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn
) -> None:
    """Inputs and results are read back from where they are: whole, in the storage, or prepared by a worker."""
    stub.on(None, text="a" * 300_000)
    async with project.app() as app:
        with serving(app):
            first = await app.load(project.method(ECHO)).start({"text": "g" * 400_000})
            await first.result()
            replay = await prepare_replay(app, first.run_id)
            assert (replay.forecast.reused, replay.forecast.paid) == ({"harbour.write": 1}, {})
            assert len((await (await replay.start()).result()).text) == 700_000
            assert len(stub.completions) == 1
            api, id_ = orchestrator_of(app).platform.api, f"console-{os.urandom(3).hex()}"
            assert await api.execute("greet-a-ship", id_, {"ship": {"name": "Ada"}, "words": ["hello"]}, DEPLOYMENT)
            await (await app.attach(id_)).result()
            again = await prepare_replay(app, id_, ReplayEdit(inputs={"words": ["bye"]}))
            assert again.forecast.paid == {"quay.greet": 1}
            await (await again.start()).result()
    assert "Ada" in stub.completions[-1].prompt
    assert "bye" in stub.completions[-1].prompt


async def test_runs_are_found_by_what_they_were_started_with(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on(None, text="foam")
    mark = os.urandom(4).hex()
    async with project.app() as app:
        with serving(app):
            monkeypatch.setenv("PIPELEX_USER_ID", f"ann-{mark}")
            method = app.load(project.method(ECHO))
            attributes = {"customer": f"acme:{mark}=", "tags": ["q1", f"x-{mark}"]}
            one = await method.start({"text": "waves"}, attributes=attributes)
            monkeypatch.setenv("PIPELEX_USER_ID", f"ann-{mark}b")
            two = await method.start({"text": "tides"}, attributes={"customer": f"acme:{mark}=b"})
            await one.result()
            await two.result()
            third = await (await prepare_replay(app, one.run_id)).start()
            await third.result()
        orchestrator = orchestrator_of(app)

        async def found(**wanted: object) -> set[str]:
            runs = await orchestrator.list(RunFilter(**wanted))  # type: ignore[arg-type]
            return {run.run_id for run in runs}

        ours = {one.run_id, two.run_id, third.run_id}
        assert await found(user=f"ann-{mark}") == {one.run_id, third.run_id}
        assert await found(attributes={"customer": f"acme:{mark}="}) == {one.run_id, third.run_id}
        assert await found(attributes={"tags": f"x-{mark}"}) == {one.run_id, third.run_id}
        assert await found(attributes={"tags": ["q1", f"x-{mark}"]}, state=RunState.FAILED) == set()
        assert await found(replay_of=one.run_id) == {third.run_id}
        assert [run.run_id for run in await replays_of(app, one.run_id)] == [third.run_id]
        assert ours <= await found(pipe="harbour.both", domain="harbour", limit=100)
        assert not ours & await found(pipe="harbour.describe_all", limit=100)
        assert not ours & await found(cost_above=1_000_000.0, limit=100)
        assert await found(user=f"ann-{mark}", cost_above=0.0) == {one.run_id, third.run_id}
        listed = await orchestrator.list(RunFilter(prefix=one.run_id))
        assert (listed[0].user, listed[0].attributes, listed[0].pipe) == (f"ann-{mark}", attributes, "harbour.both")
        with pytest.raises(PipelexError, match="20 search keys"):
            await method.start({"text": "waves"}, attributes={f"a{number}": "v" for number in range(21)})


async def test_what_cannot_be_read_back_is_said(project: MistralProject, stub: OpenAIStub, stand_in: StandIn) -> None:
    stub.on(matches="Describe", text="sea")
    async with project.app() as app:
        with serving(app):
            first = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["a"]})
            await first.result()
        for event in stand_in.events:
            if event["workflow_exec_id"] == first.workflow_id and "input" in event["attributes"]:
                event["attributes"]["input"]["encoding_options"] = ["encrypted"]
        with pytest.raises(PipelexError) as refused:
            await prepare_replay(app, first.run_id)
    assert refused.value.code == "runtime.unsupported"
    assert "encrypted" in refused.value.report.detail
