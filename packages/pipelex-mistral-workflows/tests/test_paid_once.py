"""A call that goes well is paid for once, however slow what is around it may be: its worker, and Mistral's own API."""

import asyncio
import time
from pathlib import Path

import pytest

from test_runs import until

from mistral_project import MistralProject, serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub

pytestmark = pytest.mark.usefixtures("polling")

WORDS = ["one", "two", "three"]
IMPATIENT = {"mistral_workflows.worker_config.default_activity_heartbeat_timeout": "2s"}


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, stand_in: StandIn) -> MistralProject:
    stub.on(None, matches=r"Describe (\w+)\.", text="about \\1", expand=True, delay=0.5)
    return write_mistral_project(tmp_path, stub=stub.url, api=stand_in.url)


async def attempts_of(stand_in: StandIn, root: str) -> list[int]:
    """Which attempt each activity of a run ended with."""
    found: list[int] = []
    for execution in [each.id for each in stand_in.executions.values() if each.root == root]:
        history = await stand_in.client.get_workflow_handle(execution).fetch_history()
        found += [
            event.activity_task_started_event_attributes.attempt
            for event in history.events
            if event.HasField("activity_task_started_event_attributes")
        ]
    return found


@pytest.mark.parametrize("is_slow_from_the_start", [True, False])
async def test_events_that_are_sent_slowly(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn, is_slow_from_the_start: bool
) -> None:
    """The SDK sends events before and after an activity's body, inside of it: longer than the time-out, here."""
    async with project.app(overrides=IMPATIENT) as app:
        with serving(app):
            try:
                stand_in.slow_events = 3.0 if is_slow_from_the_start else 0.0
                handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": WORDS})
                await until(lambda: len(stub.completions) == len(WORDS))
                stand_in.slow_events = 3.0
                result = await handle.result()
            finally:
                stand_in.slow_events = 0.0
    assert result.content == {"items": [{"text": f"about {word}"} for word in WORDS]}
    assert len(stub.completions) == len(WORDS)
    attempts = await attempts_of(stand_in, handle.workflow_id)
    assert is_slow_from_the_start or attempts == [1] * len(WORDS)


async def test_an_attempt_that_was_given_up_before_it_began_asks_no_model(
    project: MistralProject, stub: OpenAIStub, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelex_mistral_workflows import activities

    made, held = activities.CurrentAttempt, 0

    def late(*arguments: object, **named: object) -> object:
        """The event loop is held up once, as a busy worker's is, after the server gave the attempt out."""
        nonlocal held
        held += 1
        if held == 1:
            time.sleep(3.0)
        return made(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(activities, "CurrentAttempt", late)
    async with project.app(overrides=IMPATIENT) as app:
        with serving(app):
            handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["one"]})
            result = await asyncio.wait_for(handle.result(), 120)
    assert result.content == {"items": [{"text": "about one"}]}
    assert await attempts_of(stand_in, handle.workflow_id) == [2]
    assert len(stub.completions) == 1


async def test_executions_share_their_connections(project: MistralProject, stand_in: StandIn) -> None:
    """The SDK's client of each execution would read all certificates on the event loop, and hold the heartbeats up."""
    words = [f"w{number}" for number in range(24)]
    before = stand_in.connections
    async with project.app(overrides={"interpreter.pipeline_execution.max_concurrency": 2}) as app:
        with serving(app):
            await app.load(project.method(DESCRIBE_ALL)).run({"words": words})
    assert stand_in.connections - before < len(words)
