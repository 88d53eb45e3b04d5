"""A provider that asks to come back later: every orchestrator waits for as long, and says until when."""

import asyncio
import json
import re
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import Wait
from pipelex.runner import Pipelex, RunHandle
from tests.distributed.inprocess import polling
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import process
from tests.support.project import Project

INPUT = {"name": "Ada"}
LIMITED = {"error": {"message": "Rate limit reached"}}
BOTH = pytest.mark.parametrize("orchestrator", ["direct", "temporal"])


def later(seconds: int) -> Reply:
    return Reply(status=429, headers={"retry-after": str(seconds)}, body=LIMITED)


def served(app: Pipelex) -> AbstractAsyncContextManager[None]:
    return polling(app) if app.orchestrator.is_durable else nullcontext()


async def started(app: Pipelex, project: Project) -> RunHandle:
    return await app.load(project.root / "greet.mthds").start(INPUT)


async def only_wait(run: RunHandle) -> Wait:
    async with asyncio.timeout(60):
        while not (found := await run.waits()):
            await asyncio.sleep(0.1)
    return found[0]


@BOTH
@pytest.mark.parametrize("seconds", [200, 400, 899])
async def test_a_long_wait_is_told(project: Project, stub: OpenAIStub, orchestrator: str, seconds: int) -> None:
    stub.on("Hello", later(seconds))
    before = datetime.now(UTC)
    async with project.app(orchestrator) as app, served(app):
        run = await started(app, project)
        wait = await only_wait(run)
        after = datetime.now(UTC)
        await run.cancel(within=timedelta(seconds=30))
    assert (wait.what, wait.attempt, wait.failures, wait.most_failures) == ("act_llm_gen_text", 2, 1, 2)
    assert wait.report is not None
    assert (wait.report.code, wait.report.retry_after) == ("provider.rate_limited", seconds)
    assert wait.until is not None
    slack = timedelta(seconds=2)
    assert before + timedelta(seconds=seconds) - slack <= wait.until <= after + timedelta(seconds=seconds) + slack
    assert wait.workflow_id == run.workflow_id
    assert len(stub.completions) == 1


@BOTH
@pytest.mark.parametrize(("longest", "is_waited_for"), [(1, False), (2, True)])
async def test_the_longest_wait_is_a_setting(
    project: Project, stub: OpenAIStub, orchestrator: str, longest: int, is_waited_for: bool
) -> None:
    stub.on("Hello", later(2), Reply(text="at last"))
    async with project.app(orchestrator, overrides={"inference.longest_retry_after": longest}) as app, served(app):
        run = await started(app, project)
        if is_waited_for:
            assert (await run.result()).text == "at last"
            return
        with pytest.raises(PipelexError, match="it asks for a retry in 2 s, but a call waits at most 1 s") as failed:
            await run.result()
    report = failed.value.report
    assert (report.code, report.category, report.attempts) == ("provider.rate_limited", ErrorCategory.CAPACITY, 1)
    assert "longest_retry_after" in report.what_to_do
    assert len(stub.completions) == 1


def test_the_command_line_says_until_when(project: Project, stub: OpenAIStub) -> None:
    stub.on("Hello", later(600))
    log, said = project.root / "run.log", project.root / "show.log"
    inputs = ["-i", json.dumps(INPUT), "--run-id", "patient"]
    command = ["-m", "pipelex.cli", "run", "greet.mthds", *inputs, "--local", "--no-costs"]
    show = ["-m", "pipelex.cli", "runs", "show", "patient"]
    with process(command, cwd=project.root, environ=project.environ, log=log) as running:
        deadline = time.monotonic() + 60
        while "It is tried again at" not in log.read_text(encoding="utf-8"):
            assert running.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.2)
        with process(show, cwd=project.root, environ=project.environ, log=said) as showing:
            assert showing.wait(60) == 0
    told = r"tried again at (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d; it was failure 1 of at most 2"
    assert re.search(told, " ".join(log.read_text(encoding="utf-8").split()), re.IGNORECASE)
    shown = " ".join(said.read_text(encoding="utf-8").split())
    assert "act_llm_gen_text attempt 2, last failure: 'openai' limits the rate of requests" in shown
    assert re.search(told, shown, re.IGNORECASE)
