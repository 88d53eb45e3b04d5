"""What in-process runs leave: a record that any later process lists, shows, retries; and that the user alone may read."""

import gzip
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelex.direct.records import RecordedFacts, RecordFolder
from pipelex.errors import PipelexError
from pipelex.orchestration import RunFilter, RunState
from pipelex.runner import Pipelex
from tests.support.methods import DESCRIBE_ALL, GREET, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, write_project

REFUSED = Reply(status=400, text="refused")


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path, stub=stub.url)


def records(project: Project) -> Path:
    return project.root / "home" / ".pipelex" / "runs"


async def listed(app: Pipelex, **wanted: object) -> list[str]:
    return [run.run_id for run in await app.orchestrator.list(RunFilter(**wanted))]  # type: ignore[arg-type]


async def test_another_process_finds_runs(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    stub.on(matches="Describe", text="sea")
    async with project.app("direct") as app:
        greeted = await app.load(project.method(GREET)).run({"name": "Ada"}, attributes={"Tags": ["nightly", "eu"]})
        described = await app.load(project.method(DESCRIBE_ALL, "all.mthds")).run({"words": ["a", "b"]}, run_id="b:1")
    async with project.app("direct") as app:
        assert await listed(app) == [described.run_id, greeted.run_id]
        assert await listed(app, pipe="greet") == await listed(app, pipe="harbour.greet") == [greeted.run_id]
        assert await listed(app, attributes={"Tags": ["eu", "nightly"]}) == [greeted.run_id]
        assert await listed(app, attributes={"Tags": "other"}) == []
        assert await listed(app, domain="harbour", limit=1) == [described.run_id]
        assert await listed(app, state=RunState.FAILED) == []
        assert await listed(app, since=datetime.now(UTC) + timedelta(hours=1)) == []
        assert await listed(app, cost_above=0.0) == [described.run_id, greeted.run_id]
        assert await listed(app, cost_above=1000.0) == []
        run = await app.attach(described.run_id)
        assert (await run.result()).content == described.content
        assert (await run.result()).working_memory.root["words"].count == 2
        root = await run.trace()
        assert [child.id for child in root.children] == [f"b:1/describe[{number}]" for number in range(2)]
        assert [child.effects[0].usage[0].calls for child in root.children] == [1, 1]
        assert root.children[1].inputs["word"].content == {"text": "b"}
        source = await run.run.source()
        assert source.call.inputs["words"].count == 2
    assert len(stub.completions) == 3


async def test_the_user_alone_may_read_them(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    async with project.app("direct") as app:
        await app.load(project.method(GREET)).run({"name": "Ada"})
    for path in [records(project), *records(project).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_prefixes_of_ids_are_enough(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    async with project.app("direct") as app:
        method = app.load(project.method(GREET))
        for run_id in ("monday-1", "monday-2", "tuesday"):
            await method.run({"name": "Ada"}, run_id=run_id)
    async with project.app("direct") as app:
        assert (await app.attach("tue")).run_id == "tuesday"
        with pytest.raises(PipelexError, match=r"monday-2 \(greet, completed\), monday-1") as failed:
            await app.attach("mon")
        assert failed.value.report.params["candidates"] == ["monday-2", "monday-1"]
        for given in ("sunday", ""):
            with pytest.raises(PipelexError) as failed:
                await app.attach(given)
            assert failed.value.code == "run.not_found"


async def test_a_retry_pays_only_for_what_failed(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe c", REFUSED, REFUSED, Reply(text="mended"))
    stub.on(matches="Describe", text="sea")
    # One by one, the others have ended when the last one fails.
    async with project.app("direct", overrides={"interpreter.pipeline_execution.max_concurrency": 1}) as app:
        with pytest.raises(PipelexError):
            await app.load(project.method(DESCRIBE_ALL)).run({"words": ["a", "b", "c"]}, run_id="first")
    paid = len(stub.completions)
    for attempt in range(2):  # the first one fails again
        async with project.app("direct") as app:
            run = await app.attach("first")
            assert await run.status() is RunState.FAILED
            with pytest.raises(PipelexError) as failed:
                await run.result()
            assert failed.value.report.location.pipe == "harbour.describe"
            run = await run.retry()
            if attempt == 0:
                with pytest.raises(PipelexError):
                    await run.result()
            else:
                result = await run.result()
                assert [item["text"] for item in result.content["items"]] == ["sea", "sea", "mended"]  # type: ignore[index]
                assert sum(usage.calls for usage in result.usage) == 1
                effects = [child.effects[0] for child in (await run.trace()).children]
                assert [effect.kept_from for effect in effects] == ["first", "first", None]
    assert len(stub.completions) == paid + 2


async def test_a_retry_of_left_out_items_and_from_a_pipe(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe c", REFUSED, Reply(text="mended"))
    stub.on(matches="Describe", text="sea")
    stub.on(matches="Do number", text="word")
    async with project.app("direct") as app:
        run = await app.load(project.method(DESCRIBE_ALL)).start({"words": ["a", "c"]}, on_item_failure="collect")
        assert (await run.result()).failures is not None
        await run.retry()
        again = await run.result()
        assert again.failures is None
        assert len(stub.completions) == 3
        with pytest.raises(PipelexError) as failed:
            await run.retry()
        assert failed.value.code == "run.already_ended"
        method = app.load(project.method(chain_of(6), "chain.mthds"))
        steps = await method.start({"text": "sea"})
        await steps.result()
        await steps.retry(start_over="step_4")
        await steps.result()
        kept = [child.effects[0].kept_from for child in (await steps.trace()).children]
        assert kept == [steps.run_id] * 3 + [None] * 3
    assert len(stub.completions) == 3 + 6 + 3


async def test_a_run_whose_process_is_gone_was_cancelled(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    folder = RecordFolder(tmp_path, 10)
    facts = RecordedFacts("one", "a.b", "PipeLLM", RunState.RUNNING, datetime.now(UTC))
    host = os.uname().nodename
    for process, state in (
        (f"{host} {gone.stdout.decode().strip()} 1", RunState.CANCELLED),
        (f"{host} {os.getpid()}", RunState.RUNNING),
        ("elsewhere 1 1", RunState.RUNNING),
        ("", RunState.CANCELLED),
    ):
        told = RecordedFacts.from_json({**facts.to_json(), "process": process})
        assert told.description.state is state
    assert list(folder.newest()) == []


WRONG_FACTS = {
    "no JSON": "{",
    "a list": "[]",
    "a number": "4",
    "endless nesting": "[" * 200_000,
    "a number of many digits": f'{{"run_id": {"9" * 100_000}}}',
    "no facts": "{}",
    **{
        f"{key} that is no text": json.dumps({key: value})
        for key in ("run_id", "pipe", "pipe_type", "state", "started", "ended", "user", "fingerprint", "process")
        for value in (7, ["a"])
    },
    "a cost that is no number": '{"cost_usd": [1]}',
    "an error that is no object": '{"error": 7}',
    "attributes that are a list": '{"attributes": ["a"]}',
    "an attribute that is a number": '{"attributes": {"a": 4}}',
    "a time before all times": '{"started": "0001-01-01T00:00:00+14:00"}',
    "a time after all times": '{"started": "9999-12-31T23:59:59-14:00"}',
}
"""What may stand in a record: whole texts, or members that replace those of the facts."""


@pytest.mark.parametrize("wrong", WRONG_FACTS)
async def test_a_damaged_record_hides_no_other(tmp_path: Path, wrong: str) -> None:
    folder = RecordFolder(tmp_path, 10)
    facts = RecordedFacts("one", "a.b", "PipeLLM", RunState.COMPLETED, datetime.now(UTC))
    for name, members in (("one", {}), ("two", {"run_id": "two"})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({**facts.to_json(), **members}), encoding="utf-8")
    text = WRONG_FACTS[wrong]
    if text.startswith('{"') and not text.endswith("9}"):
        text = json.dumps({**facts.to_json(), **json.loads(text)})
    (tmp_path / "two" / "run.json").write_text(text, encoding="utf-8")
    assert [found.run_id for found in folder.newest()] == ["one"]
    assert folder.facts("two") is None


@pytest.mark.parametrize("name", ["run.json", "trace.json.gz", "source.json.gz", "journal.jsonl", "waits.json"])
@pytest.mark.parametrize("damage", ["a pipe", "a device", "a folder", "bytes"])
async def test_a_record_of_what_is_no_file_is_not_waited_for(tmp_path: Path, name: str, damage: str) -> None:
    folder = RecordFolder(tmp_path, 10)
    facts = RecordedFacts("one", "a.b", "PipeLLM", RunState.COMPLETED, datetime.now(UTC))
    (tmp_path / "one").mkdir()
    place = tmp_path / "one" / name
    (tmp_path / "one" / "run.json").write_text(json.dumps(facts.to_json()), encoding="utf-8")
    place.unlink(missing_ok=True)
    match damage:
        case "a pipe":
            os.mkfifo(place)
        case "a device":
            place.symlink_to("/dev/zero")
        case "a folder":
            place.mkdir()
        case _:
            place.write_bytes(gzip.compress(b"{}")[:12] + b"\xff" * 20)
    assert [found.run_id for found in folder.newest()] == ([] if name == "run.json" else ["one"])
    assert (folder.trace("one"), folder.source("one"), folder.execution("one")) == (None, None, None)
    assert (folder.traces("one"), folder.waits("one")) == ([], [])


async def test_records_are_a_setting(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    async with project.app("direct", overrides={"runtime.run_records.is_enabled": False}) as app:
        await app.load(project.method(GREET)).run({"name": "Ada"})
        assert not records(project).exists()
    async with project.app("direct", overrides={"runtime.run_records.max_runs": 3}) as app:
        method = app.load(project.method(GREET))
        await method.run({"name": "Ada"}, dry_run=True)
        ids = [(await method.run({"name": "Ada"})).run_id for _ in range(6)]
        assert await listed(app) == list(reversed(ids))[: len(await listed(app))]
        assert 3 <= len(await listed(app)) <= 4


@pytest.mark.slow
async def test_a_home_that_cannot_be_written_fails_no_run(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Good day")
    home = project.root / "home"
    home.mkdir()
    (home / ".pipelex").mkdir()
    (home / ".pipelex" / "runs").write_text("a file is in the way", encoding="utf-8")
    async with project.app("direct") as app:
        assert (await app.load(project.method(GREET)).run({"name": "Ada"})).text == "Good day"
        assert await listed(app) == []
