"""Methods that run at times, on the schedules of a real server."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Schedule, ScheduleActionStartWorkflow
from temporalio.common import SearchAttributeKey

from pipelex.durable.jobs import PipeJob
from pipelex.errors import PipelexError
from pipelex.orchestration import RunState
from pipelex.runner import Pipelex
from pipelex.temporal.client.schedules import Schedules
from pipelex.temporal.client.timing.cron import fault_of
from pipelex.temporal.client.timing.times import Timing, calendar
from pipelex.temporal.dev_server import DevServer
from pipelex.temporal.workflow.observability import identity
from tests.distributed.inprocess import polling, until
from tests.support.methods import GREET, sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project
from tests.support.temporal import client_of, cluster_of

NEVER = Timing(crons=["0 0 1 1 * 2099"])


async def made(app: Pipelex, file: Path, id_: str, timing: Timing = NEVER, **inputs: Any) -> Schedules:
    schedules = Schedules(await cluster_of(app))
    await schedules.create(id_, await app.load(file).request(inputs or {"name": "Ada"}, run_id=id_), timing)
    return schedules


async def texts_of(app: Pipelex, schedules: Schedules, id_: str, count: int) -> list[str]:
    """What the runs of a schedule gave, as soon as there are so many."""

    async def ids() -> list[str]:
        found = [run_id for _, run_id in (await schedules.show(id_)).recent]
        return found if len(found) >= count else []

    runs = [await app.attach(each) for each in await until(ids, 60)]
    return [(await run.result()).text for run in runs]


async def test_the_life_of_a_schedule(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello Ada", text="Hi, Ada").on("Hello Bob", text="Hi, Bob").on("Good day Ada", text="Good day!")
    id_ = f"life-{project.root.name}"
    file = project.method(GREET, "greet.mthds")
    async with project.app() as app, polling(app):
        schedules = await made(app, file, id_)
        view = await schedules.show(id_)
        assert (view.pipe, view.pipe_type, view.is_paused) == ("harbour.greet", "PipeLLM", False)
        assert view.inputs == {"name": {"text": "Ada"}}
        assert id_ in {each.id for each in await schedules.list()}

        await schedules.trigger(id_)
        assert await texts_of(app, schedules, id_, 1) == ["Hi, Ada"]
        (run_id,) = [each for _, each in (await schedules.show(id_)).recent]
        run = await app.attach(run_id)
        assert run_id.startswith(f"{id_}-2")
        assert (await run.describe()).pipe == "harbour.greet"
        assert await run.status() is RunState.COMPLETED

        # The crate is fixed: what the file says now is not what runs.
        file.write_text(GREET.replace("Hello", "Good day"), encoding="utf-8")
        await asyncio.sleep(1.1)  # ids of runs have the second of their start
        await schedules.trigger(id_)
        assert await texts_of(app, schedules, id_, 2) == ["Hi, Ada"] * 2
        before = (await schedules.show(id_)).crate
        await schedules.update(id_, await app.load(file).request({"name": "Ada"}, run_id=id_), None)
        after = await schedules.show(id_)
        assert after.crate != before
        assert after.times == view.times
        await asyncio.sleep(1.1)
        await schedules.trigger(id_)
        assert await texts_of(app, schedules, id_, 3) == ["Hi, Ada", "Hi, Ada", "Good day!"]

        await schedules.pause(id_, "for a while")
        paused = await schedules.show(id_)
        assert (paused.is_paused, paused.note) == (True, "for a while")
        await schedules.resume(id_, "")
        assert not (await schedules.show(id_)).is_paused

        await schedules.update(id_, None, Timing(intervals=[timedelta(hours=2)], overlap="buffer_one"))
        changed = await schedules.show(id_)
        assert (changed.times, changed.overlap, changed.crate) == (["every 2:00:00"], "buffer_one", after.crate)
        await schedules.delete(id_)
        with pytest.raises(PipelexError, match="there is no schedule"):
            await schedules.show(id_)


async def test_every_run_of_a_schedule_is_its_owner_s(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever triggers a run, with the schedule's inputs or with others: the run has the schedule's user."""
    id_ = f"fair-{project.root.name}"
    file = project.method(GREET)
    monkeypatch.setenv("PIPELEX_USER_ID", "ada")
    async with project.app(overrides={"temporal.worker_config.fairness_by_user": True}) as app:
        schedules = await made(app, file, id_)
        monkeypatch.setenv("PIPELEX_USER_ID", "bob")
        client = await client_of(app)

        async def ids() -> list[str]:
            return [run_id for _, run_id in (await schedules.show(id_)).recent]

        async def owner_of(run_id: str) -> tuple[str, Any]:
            run = await app.attach(run_id)
            handle = client.get_workflow_handle(run.workflow_id)
            event = await anext(aiter(handle.fetch_history_events(page_size=1)))
            pairs = (await handle.describe()).typed_search_attributes
            await handle.terminate()
            user = pairs.get(SearchAttributeKey.for_keyword("UserId"))
            return event.workflow_execution_started_event_attributes.priority.fairness_key, user

        await schedules.trigger(id_)
        (of_its_own,) = await until(ids, 60)
        scheduled = await schedules.call(id_)
        with_others = (await schedules.start(id_, scheduled, {})).run.run_id
        assert [await owner_of(each) for each in (of_its_own, with_others)] == [("ada", "ada")] * 2

        await schedules.update(id_, scheduled.request({}, id_), None)
        changed = await schedules.call(id_)
        assert changed.owner == scheduled.owner
        assert (await owner_of((await schedules.start(id_, changed, {}, f"{id_}-named")).run.run_id)) == ("ada", "ada")
        await schedules.delete(id_)


@pytest.mark.parametrize(
    "attached", [["PipelineRunId", "UserId"], ["PipelineRunId"], []], ids=lambda each: "+".join(each)
)
async def test_runs_of_a_schedule_have_ids_of_their_own(
    project: Project, stub: OpenAIStub, attached: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls of all pipes belong to their own run and to the schedule's user, whatever attributes workflows carry."""
    stub.on("Say", text="ok", cycle=True)
    id_ = f"own-{project.root.name}"
    monkeypatch.setenv("PIPELEX_USER_ID", "ada")
    overrides: dict[str, Any] = {"temporal.search_attributes.attributes": attached}
    async with project.app(overrides=overrides) as app, polling(app):
        schedules = await made(app, project.method(sequence_of(1)), id_, text="a")
        client = await client_of(app)

        async def owner_of_child(run_id: str) -> Any:
            (child,) = [each async for each in client.list_workflows(f"WorkflowId = '{run_id}/1-say'")]
            handle = client.get_workflow_handle(child.id)
            event = await anext(aiter(handle.fetch_history_events(page_size=1)))
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            job, *_ = await client.data_converter.decode(payloads[:1], [PipeJob])
            described: Any = await handle.describe()
            return job.run or identity(described.typed_search_attributes.search_attributes)

        for count in (1, 2):
            await schedules.trigger(id_)
            assert await texts_of(app, schedules, id_, count) == ["ok"] * count
            await asyncio.sleep(1.1)  # ids of runs have the second of their start
        runs = [run_id for _, run_id in (await schedules.show(id_)).recent]
        assert len(set(runs)) == 2
        for run_id in runs:
            owner = await owner_of_child(run_id)
            assert (owner.run_id, owner.user_id) == (run_id, "ada")
            assert (await app.attach(run_id)).run.run_id == run_id
        await schedules.delete(id_)


async def test_times_start_runs_by_themselves(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    id_ = f"often-{project.root.name}"
    async with project.app() as app, polling(app):
        schedules = await made(app, project.method(GREET), id_, Timing(intervals=[timedelta(seconds=1)]))
        assert (await texts_of(app, schedules, id_, 2))[:2] == ["Hi", "Hi"]
        await schedules.delete(id_)


async def test_a_backfill_starts_what_would_have_been(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    id_ = f"back-{project.root.name}"
    async with project.app() as app, polling(app):
        timing = Timing(calendars=["hour=9 day_of_week=MON-SUN"], time_zone="Europe/Paris")
        schedules = await made(app, project.method(GREET), id_, timing)
        assert (await schedules.show(id_)).time_zone == "Europe/Paris"
        start = datetime(2026, 3, 2, tzinfo=UTC)
        await schedules.backfill(id_, start, start + timedelta(days=3), "buffer_all")
        assert await texts_of(app, schedules, id_, 3) == ["Hi"] * 3
        await schedules.delete(id_)


async def test_encrypted_arguments_are_read_by_every_run(
    project: Project, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.on("Hello", text="Hi")
    id_ = f"secret-{project.root.name}"
    codec = "temporal.payload_codec_config.encryption"
    environ = {**project.environ, "PAYLOAD_KEY": "a" * 64}
    from pipelex.config import load_settings

    overrides = {f"{codec}.key_id": "k1", f"{codec}.key_env": "PAYLOAD_KEY"}
    settings = load_settings(cwd=project.root, environ=environ, overrides=overrides)
    async with Pipelex(settings, orchestrator="temporal") as app:
        client = await client_of(app)
        async with polling(app, client=client):
            schedules = await made(app, project.method(GREET), id_)
            await schedules.trigger(id_)
            assert await texts_of(app, schedules, id_, 1) == ["Hi"]
            await schedules.delete(id_)


_UNREADABLE: dict[str, list[Any]] = {
    "none": [],
    "text": ["no job"],
    "object": [{"call": 3}, "no crate"],
    "three": ["a job", "a crate", "and more"],
    "lists": [[[[]]], []],
}


@pytest.mark.parametrize("what", _UNREADABLE)
async def test_a_schedule_that_something_else_made_hides_no_other(project: Project, what: str) -> None:
    ours, theirs = (f"{name}-{project.root.name}" for name in ("ours", "theirs"))
    async with project.app() as app:
        schedules = await made(app, project.method(GREET), ours)
        client = await client_of(app)
        action = ScheduleActionStartWorkflow("PipeLLM", args=_UNREADABLE[what], id=theirs, task_queue="none")
        await client.create_schedule(theirs, Schedule(action=action, spec=NEVER.spec()))
        try:

            async def pipes() -> list[str]:
                shown = {view.id: view.pipe for view in await schedules.list()}
                return [shown[id_] for id_ in (ours, theirs)] if {ours, theirs} <= shown.keys() else []

            assert await until(pipes, 30) == ["harbour.greet", ""]
            assert (await schedules.show(theirs)).pipe_type == "PipeLLM"
            with pytest.raises(
                PipelexError, match=f"the arguments of the schedule '{theirs}' cannot be read"
            ) as caught:
                await schedules.call(theirs)
            assert caught.value.code == "request.malformed"
        finally:
            for id_ in (ours, theirs):
                await schedules.delete(id_)


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (Timing(), "needs a time"),
        (Timing(calendars=["hours=9"]), "'hours=9' is not a calendar field"),
        (Timing(calendars=["hour=nine"]), "'nine' is not a calendar value"),
        (Timing(crons=["every day"]), "'every day' is not a cron expression: it has 2 fields"),
        (Timing(crons=["0 9 * * *"], time_zone="Mars/North"), "'Mars/North' is not a time zone"),
        (Timing(crons=["TZ=Mars/North 0 9 * * *"]), "refuses the schedule"),
    ],
)
async def test_times_that_are_none(project: Project, timing: Timing, said: str) -> None:
    async with project.app() as app:
        with pytest.raises(PipelexError, match=said) as refused:
            await made(app, project.method(GREET), "none", timing)
    assert refused.value.code == "request.invalid"


def test_a_calendar() -> None:
    found = calendar("hour=8-18/2 minute=0,30 day_of_week=MON-FRI month=jan")
    assert [(each.start, each.end, each.step) for each in found.hour] == [(8, 18, 2)]
    assert [each.start for each in found.minute] == [0, 30]
    assert [(each.start, each.end) for each in found.day_of_week] == [(1, 5)]
    assert [each.start for each in found.month] == [1]
    assert [(each.start, each.end) for each in calendar("day_of_week=SAT-SUN").day_of_week] == [(6, 6), (0, 0)]


@pytest.mark.parametrize(
    "cron",
    [
        "0 9 * * *", "*/5 9-17 1,15 JAN-MAR MON-FRI", "0 0 * * 7", "0 9 * * sunday", "0 9 1 1 * 2030", "30 0 9 * * 1-5 *",
        "@daily", "@hourly", "@every 30m", "@every 1h30m/5m", "CRON_TZ=Europe/Paris 0 9 * * *", "0 9 * * * # at nine",
    ],
)  # fmt: skip
async def test_a_cron_that_is_taken(project: Project, cron: str) -> None:
    """The server takes each, as the check does."""
    assert fault_of(cron) is None
    async with project.app() as app:
        schedules = await made(
            app, project.method(GREET), f"cron-{project.root.name}", Timing(crons=[cron]), name="Ada"
        )
        await schedules.delete(f"cron-{project.root.name}")


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "it has 0 fields"),
        ("9", "it has 1 field instead"),
        ("60 9 * * *", "the minute '60' is not in the range 0 to 59"),
        ("0 24 * * *", "the hour '24' is not in the range 0 to 23"),
        ("0 9 0 * *", "the day of month '0'"),
        ("0 9 * MAI *", "the month 'MAI' is not in the range 1 to 12 or JAN to DEC"),
        ("0 9 * * FRY", "the day of week 'FRY'"),
        ("0 17-9 * * *", "'17-9' ends before it begins"),
        ("*/0 9 * * *", "the step of '*/0' is 0"),
        ("0 9:30 * * *", "'9:30' is not a valid hour"),
        ("@dayly", "the short forms are @yearly"),
        ("@every hour", "the short forms are"),
    ],
)
def test_a_cron_that_is_none(cron: str, said: str) -> None:
    assert said in (fault_of(cron) or "")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_on_the_command_line(project: Project, stub: OpenAIStub, temporal_server: DevServer) -> None:
    stub.on("Hello Ada", text="Hi, Ada").on("Hello Bob", text="Hi, Bob")
    project.method(GREET, "greet.mthds")
    id_ = f"cli-{project.root.name}"

    async def pipelex(*words: str) -> tuple[int | None, str]:
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pipelex.cli", *words),
            cwd=project.root,
            env={**os.environ, **project.environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(done.communicate(), 60)
        return done.returncode, said.decode()

    create = ["schedule", "create", id_, "greet.mthds", "-i", "name=Ada", "--cron", "0 2 * * *"]
    status, said = await pipelex(*create, "--time-zone", "Europe/Paris")
    assert status == 0, said
    status, said = await pipelex(*create)
    assert (status, "already" in said) == (2, True), said
    async with project.app() as app, polling(app):
        status, said = await pipelex("schedule", "trigger", id_, "-i", "name=Bob", "--json")
        assert status == 0, said
        run = await app.attach(json.loads(said)["pipeline_run_id"])
        assert (await run.result()).text == "Hi, Bob"
        description = await (await client_of(app)).get_workflow_handle(run.workflow_id).describe()
        assert await description.memo_value("pipelex_schedule") == id_
    newer = project.method(GREET.replace("Hello $name", "Good day $name"), "newer.mthds")
    steps = [
        ([newer.name], "Ada"),  # the inputs stay
        (["-i", "name=Bob"], "Bob"),  # the method stays
        ([newer.name, "-i", "name=Eve"], "Eve"),
    ]
    for given, name in steps:
        status, said = await pipelex("schedule", "update", id_, *given, "--json")
        assert status == 0, said
        assert json.loads(said)["inputs"] == {"name": {"text": name}}
        assert json.loads(said)["times"] == ["hour=2"]  # the server makes calendars of crons
    for words in (["trigger", id_], ["update", id_], ["update", id_, newer.name]):
        status, said = await pipelex("schedule", *words, "-i", "nmae=Bob")
        typed = f"Type: pipelex schedule {' '.join(words)} -i name=Bob"
        assert (status, typed in " ".join(said.split())) == (1, True), said
    status, said = await pipelex("schedule", "update", id_, "--tag", "nightly")
    assert (status, "come with a method" in said) == (2, True), said
    for words in (["pause", id_], ["resume", id_], ["list"], ["show", id_, "--json"], ["update", id_, "--every", "2h"]):
        status, said = await pipelex("schedule", *words)
        assert status == 0, said
        assert id_ in said
    long = ["-i", "name=" + "Ada " * 20_000, "--cron", "0 2 * * *", "--time-zone", "Europe/Paris"]
    status, said = await pipelex("schedule", "update", id_, *long)
    assert status == 0, said
    status, said = await pipelex("schedule", "show", id_)
    assert status == 0, said
    assert "Inputs     name=Ada Ada" in said
    assert max(map(len, said.splitlines())) < 250
    assert " 02:00:00 CE" in said, said  # in the schedule's own zone, CET or CEST
    status, said = await pipelex("schedule", "delete", id_)
    assert status == 0, said
    status, said = await pipelex("schedule", "show", id_)
    assert (status, "there is no schedule" in said) == (2, True), said
