"""Search attributes of one's own: registered, set, found again; and what is refused."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.common import SearchAttributeKey

from pipelex.errors import PipelexError, TemporalConfigError
from pipelex.orchestration import RunFilter
from pipelex.runner import Pipelex
from pipelex.temporal.client import namespace
from pipelex.temporal.client.schedules import Schedules
from pipelex.temporal.client.timing.times import Timing
from pipelex.temporal.dev_server import DevServer
from tests.distributed.inprocess import polling, until
from tests.support.methods import sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project
from tests.support.temporal import client_of, cluster_of, config_of

C = "temporal.search_attributes.custom"
DECLARED: dict[str, Any] = {
    f"{C}.Customer.type": "Keyword",
    f"{C}.Stage.value": "prod",
    f"{C}.Text0.type": "Text",
    f"{C}.Text0.input": "text",
    f"{C}.Amount.type": "Int",
    f"{C}.Share.type": "Double",
    f"{C}.IsUrgent.type": "Bool",
    f"{C}.Due.type": "Datetime",
    f"{C}.Tags.type": "KeywordList",
}
GIVEN = {
    "Customer": "acme",
    "Amount": "12",
    "Share": "0.5",
    "IsUrgent": "true",
    "Due": "2026-12-01T10:00:00+00:00",
    "Tags": ["nightly", "eu"],
}


@pytest_asyncio.fixture
async def fresh(tmp_path: Path, stub: OpenAIStub) -> AsyncIterator[Project]:
    """A project on a server of its own, which knows no attribute."""
    async with DevServer() as server:
        yield write_project(tmp_path, stub=stub.url, target=server.target, queue="own")


async def ready(app: Pipelex) -> None:
    client = await client_of(app)
    await namespace.register(client, await namespace.inspect(client, config_of(app)))


@pytest.mark.slow
async def test_runs_are_found_by_what_they_were_given(fresh: Project, stub: OpenAIStub) -> None:
    stub.on("Say", text="ok")
    async with fresh.app(overrides=DECLARED) as app:
        await ready(app)
        assert (await namespace.inspect(await client_of(app), config_of(app))).missing == ()
        async with polling(app):
            method = app.load(fresh.method(sequence_of(2)))
            one = await method.start({"text": "hello"}, attributes=GIVEN)
            other = await method.start({"text": "other"}, attributes={"Customer": "globex"})
            await asyncio.gather(one.result(), other.result())
            client = await client_of(app)
            for id_ in (one.workflow_id, f"{one.workflow_id}/1-say", f"{one.workflow_id}/2-say"):
                found = (await client.get_workflow_handle(id_).describe()).typed_search_attributes
                assert found[SearchAttributeKey.for_keyword("Customer")] == "acme"
                assert found[SearchAttributeKey.for_keyword("Stage")] == "prod"
                assert found[SearchAttributeKey.for_text("Text0")] == "hello"
                assert found[SearchAttributeKey.for_int("Amount")] == 12
                assert found[SearchAttributeKey.for_keyword_list("Tags")] == ["nightly", "eu"]
                assert found[SearchAttributeKey.for_keyword("PipelineRunId")] == one.run_id

            for name, value in {**GIVEN, "PipeCode": "main"}.items():
                wanted = RunFilter(attributes={name: value})
                runs = await until(lambda wanted=wanted: app.orchestrator.list(wanted))
                assert one.run_id in {run.run_id for run in runs}, name
                if name != "PipeCode":
                    assert other.run_id not in {run.run_id for run in runs}, name
            schedules = Schedules(await cluster_of(app))
            request = await method.request({"text": "hello"}, run_id="nightly", attributes=GIVEN)
            await schedules.create("nightly", request, Timing(crons=["0 0 1 1 * 2099"]))
            # A run with other inputs has what was given, but not what follows from inputs or settings.
            assert (await schedules.call("nightly")).attributes == {**GIVEN, "IsUrgent": "True"}
            prod = await until(lambda: app.orchestrator.list(RunFilter(attributes={"Stage": "prod"})))
            assert {run.run_id for run in prod} == {one.run_id, other.run_id}


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"Custmer": "acme"}, "'Custmer' is not declared; did you mean 'Customer'?", "custom.Custmer]"),
        ({"PipeCode": "x"}, "'PipeCode' is set by Pipelex itself", "Use an attribute of your own"),
        ({"Amount": "many"}, "is of type Int, and 'many' is not", "Give a value of that type"),
        ({"Due": "soon"}, "is of type Datetime", ""),
        ({"IsUrgent": "perhaps"}, "is of type Bool", ""),
    ],
)
async def test_what_is_refused_before_anything_runs(
    project: Project, given: dict[str, str], said: str, hint: str
) -> None:
    async with project.app(overrides=DECLARED) as app:
        with pytest.raises(PipelexError) as refused:
            await app.load(project.method(sequence_of(1))).start({"text": "a"}, attributes=given)
        with pytest.raises(PipelexError):
            await app.orchestrator.list(RunFilter(attributes=given | {"Nothing": "x"}))
    assert refused.value.code == "request.invalid"
    assert said in refused.value.report.detail
    assert hint in refused.value.report.what_to_do


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"temporal.search_attributes.attributes": ["Customer"]}, "[temporal.search_attributes.custom.Customer]"),
        ({f"{C}.UserId.type": "Keyword"}, "itself sets"),
        ({f"{C}.StartTime.type": "Datetime"}, "itself sets"),
        ({f"{C}.Customer.type": "Word"}, "Customer.type"),
        ({f"{C}.Customer.value": "a", f"{C}.Customer.input": "b"}, "two sources"),
    ],
)
def test_settings_that_are_none(project: Project, overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(TemporalConfigError) as refused:
        config_of(project.app(overrides=overrides))
    assert said in str(refused.value) + str([each.to_item() for each in refused.value.faults])


@pytest.mark.slow
async def test_a_server_without_room_says_so(fresh: Project) -> None:
    many = {f"{C}.Number{rank}.type": "Int" for rank in range(8)}
    async with fresh.app(overrides=many) as app:
        with pytest.raises(PipelexError) as refused:
            await ready(app)
    assert "ten of type Keyword, three of each other type" in refused.value.report.what_to_do
    assert "--name Number7 --type Int" in refused.value.report.what_to_do


@pytest.mark.slow
async def test_another_type_in_the_namespace_is_told(fresh: Project) -> None:
    async with fresh.app(overrides={f"{C}.Amount.type": "Int"}) as app:
        await ready(app)
    async with fresh.app(overrides={f"{C}.Amount.type": "Keyword"}) as app:
        with pytest.raises(PipelexError, match="Amount is Int there, not Keyword"):
            await ready(app)


@pytest.mark.slow
async def test_on_the_command_line(fresh: Project, stub: OpenAIStub) -> None:
    stub.on("Say", text="ok")
    fresh.method(sequence_of(1), "say.mthds")
    settings = fresh.root / ".pipelex" / "pipelex.toml"
    tables = (
        '[temporal.search_attributes.custom.Customer]\n[temporal.search_attributes.custom.Tags]\ntype = "KeywordList"\n'
    )
    settings.write_text(f"{settings.read_text(encoding='utf-8')}\n{tables}", encoding="utf-8")

    async def pipelex(*words: str) -> tuple[int | None, str]:
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pipelex.cli", *words),
            cwd=fresh.root,
            env={**os.environ, **fresh.environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(done.communicate(), 60)
        return done.returncode, said.decode()

    status, said = await pipelex("setup-temporal-namespace")
    assert (status, "Customer, Tags" in said) == (0, True), said
    async with fresh.app() as app, polling(app):
        run = ["run", "say.mthds", "-i", '{"text": "a"}', "--durable", "--run-id", "told"]
        status, said = await pipelex(*run, "--attribute", "Customer=acme", "--tag", "nightly", "--tag", "eu")
        assert status == 0, said
        for words in (("--attribute", "Customer=acme"), ("--tag", "eu")):

            async def listed(words: tuple[str, ...] = words) -> bool:
                return "told" in (await pipelex("runs", "list", *words))[1]

            await until(listed, 40)
        assert "No runs" in (await pipelex("runs", "list", "--attribute", "Customer=globex"))[1]
    for words, said in (
        (("runs", "list", "--attribute", "Customer"), "write NAME=VALUE"),
        (("runs", "list", "--attribute", "Custommer=a"), "did you mean 'Customer'"),
    ):
        status, told = await pipelex(*words)
        assert (status, said in " ".join(told.split())) == (2, True), told
