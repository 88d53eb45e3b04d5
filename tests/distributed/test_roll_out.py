"""A function of a method rolls out under running runs: each is called in the state that its run was started with."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelex.cli._shared.console import Paint
from pipelex.cli.runs.tree import read_view, view_text
from pipelex.durable.tries import MOST_INTERRUPTIONS, MOST_WAITS, attempts_with_interruptions, failures_allowed
from pipelex.runner import RunHandle
from tests.distributed.inprocess import until
from tests.support.processes import process, wait_for_file
from tests.support.project import Project

METHOD = """
domain = "quay"
main_pipe = "count"

[pipe.count]
type = "PipeFunc"
description = "Count letters"
inputs = { text = "Text" }
output = "Number"
function_name = "funcs.letters.count"
"""
FUNCTION = """
def count(text):
    return {"number": len(text["text"]) * FACTOR}
"""


def method_in(folder: Path, factor: int) -> Path:
    (folder / "funcs").mkdir(parents=True)
    (folder / "method.mthds").write_text(METHOD, encoding="utf-8")
    (folder / "funcs" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "funcs" / "letters.py").write_text(FUNCTION.replace("FACTOR", str(factor)), encoding="utf-8")
    return folder


@contextmanager
def worker(project: Project, name: str, *libraries: Path) -> Generator[None]:
    ready, log = project.root / f"{name}.ready", project.root / f"{name}.log"
    options = [word for folder in libraries for word in ("--library", str(folder))]
    arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready), *options]
    with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
        wait_for_file(ready, child, log)
        yield
        child.terminate()
        child.wait(30)


async def shown_as_waiting(run: RunHandle) -> str:
    async def look() -> str:
        text = view_text(await read_view(run), Paint(False))
        return text if "waits for a worker that does" in text else ""

    return await until(look, 60)


@pytest.mark.slow
async def test_a_function_rolls_out_under_running_runs(project: Project) -> None:
    settings = project.root / ".pipelex" / "pipelex.toml"
    text = settings.read_text(encoding="utf-8").replace("maximum_attempts = 2", "maximum_attempts = 1")
    settings.write_text(text, encoding="utf-8")
    old, new = method_in(project.root / "releases" / "1", 1), method_in(project.root / "releases" / "2", 10)
    async with project.app() as app:
        with worker(project, "new", new):
            late = await app.load(old).start({"text": "abc"})
            waiting = await shown_as_waiting(late)
            (wait,) = await late.waits()
            soon = await app.load(new).run({"text": "abc"})
        with worker(project, "both", old, new):
            result = await asyncio.wait_for(late.result(), 60)
            again = await app.load(new).run({"text": "abc"})
    assert (soon.main_stuff.content, again.main_stuff.content) == ({"number": 30}, {"number": 30})
    assert result.main_stuff.content == {"number": 3}
    assert "sha256:" in waiting
    assert "waits for a worker with the method's folder" in wait.detail
    assert "--library" in (wait.advice or "")
    log = (project.root / "new.log").read_text(encoding="utf-8")
    assert log.count("act_func_call waits: ") == 1
    assert "Traceback" not in log


def test_waits_do_not_count() -> None:
    assert failures_allowed(attempts_with_interruptions(3, may_wait=True)) == 3
    assert attempts_with_interruptions(3, may_wait=True) == 3 + MOST_INTERRUPTIONS + MOST_WAITS
    assert attempts_with_interruptions(0, may_wait=True) == 0
