"""Ten calls in a row on several engines: `python -m bench.engines [--write]`.

Everything runs in one go on one Temporal server and against one model server that answers at once: the engines on Temporal
turn about, each with a worker process of its own, then Prefect. An engine whose packages are not installed here is
named as such: `pip install temporalio-langgraph prefect` brings both. `--write` puts the table into
`docs/explanation/engines.md`.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client

from bench.engines.stub import set_address
from bench.page import surroundings, wrapped
from bench.run import events_and_bytes, register
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY, process, wait_for_file
from tests.support.project import Project, write_project

PAGE: Final = REPOSITORY / "docs" / "explanation" / "engines.md"
CALLS: Final = 10
PROMPTS: Final = ["Say a"] * CALLS
ROUNDS: Final = 7


@dataclass
class Engine:
    """One engine, and what its runs took."""

    name: str
    packages: tuple[str, ...]
    """The distributions whose versions the table shows."""
    run: Callable[[], Awaitable[str]] | None = None
    """Runs the calls once, and returns the workflow's id or an empty string. None when the engine is not installed."""
    wall: list[float] = field(default_factory=list[float])
    events: int | None = None
    size: int | None = None

    @property
    def row(self) -> str:
        """The row of the table."""
        versions = ", ".join(f"{name} {version(name)}" for name in self.packages) if self.run else "not installed here"
        wall = f"{statistics.median(self.wall) * 1000:,.0f}" if self.wall else "-"
        counts = [f"{count:,}" if count is not None else "-" for count in (self.events, self.size)]
        return f"| {self.name} | {versions} | {' | '.join(counts)} | {wall} |"


async def measured(engines: list[Engine], client: Client, rounds: int) -> None:
    """Run all engines in turn; the first round is a warm-up."""
    for turn in range(-1, rounds):
        for engine in engines:
            if engine.run is None:
                continue
            began = time.perf_counter()
            id_ = await engine.run()
            print(f"{engine.name}: {time.perf_counter() - began:.3f} s", file=sys.stderr, flush=True)
            if turn >= 0:
                engine.wall.append(time.perf_counter() - began)
            if turn == rounds - 1 and id_:
                engine.events, engine.size = await events_and_bytes(client, id_)


def is_there(*packages: str) -> bool:
    """Whether all distributions are installed."""
    try:
        return all(version(name) for name in packages)
    except PackageNotFoundError:
        return False


async def worker_process(stack: AsyncExitStack, project: Project, arguments: list[str], name: str) -> None:
    """Start a worker in a process of its own, and wait until it is ready."""
    ready, log = project.root / f"{name}.ready", project.root / f"{name}.log"
    running = process(
        [part.format(ready=ready) for part in arguments], cwd=project.root, environ=project.environ, log=log
    )
    wait_for_file(ready, stack.enter_context(running), log)


def started(
    client: Client, workflow: str, queue: str, arguments: tuple[Any, ...] = (PROMPTS,)
) -> Callable[[], Awaitable[str]]:
    """A function that runs a workflow to its end and returns its id."""

    async def run() -> str:
        id_ = f"{workflow}-{time.monotonic_ns()}"
        found = await client.execute_workflow(workflow, args=arguments, id=id_, task_queue=queue)
        assert found == ["ok"] * CALLS, found
        return id_

    return run


async def engines_of(stack: AsyncExitStack, root: Path, stub: OpenAIStub, server: DevServer) -> list[Engine]:
    """All engines, ready to run."""
    project = write_project(root, stub=stub.url, target=server.target, queue="ours")
    await register(project)
    file = project.method(sequence_of(CALLS))
    for side in ("ours", "floor"):
        await worker_process(stack, project, ["-m", "bench.worker", side, stub.url, "{ready}"], side)
    found: list[Engine] = []
    for name, policy in (("Pipelex, a workflow for each pipe", "every_pipe"), ("Pipelex, one workflow", "controllers")):
        overrides = {"temporal.worker_config.child_workflow_policy": policy}
        app = await stack.enter_async_context(project.app(overrides=overrides))
        method = app.load(file)

        async def run(method: Any = method) -> str:
            return (await method.run({"text": "a"})).run_id

        found.append(Engine(name, ("pipelex", "temporalio"), run))
    client = await Client.connect(server.target)
    found += [
        Engine(
            "Temporal by hand, a workflow for each call", ("temporalio",), started(client, "FloorSequence", "floor")
        ),
        Engine(
            "Temporal by hand, one workflow", ("temporalio",), started(client, "FloorActivities", "floor", (PROMPTS, 1))
        ),
    ]
    for name, packages, module in (
        ("pydantic-ai's durable agent", ("pydantic-ai-slim", "temporalio"), "agent"),
        ("LangGraph, by Temporal's plug-in", ("temporalio-langgraph", "langgraph", "temporalio"), "graph"),
    ):
        is_here = is_there(*packages)
        if is_here:
            program = ["-m", "bench.engines.worker", module, stub.url, "{ready}", server.target]
            await worker_process(stack, project, program, module)
        workflow = {"agent": "AgentSequence", "graph": "GraphSequence"}[module]
        found.append(Engine(name, packages, started(client, workflow, module) if is_here else None))
    found.append(Engine("Prefect, a task for each call", ("prefect",), prefect() if is_there("prefect") else None))
    return found


def prefect() -> Callable[[], Awaitable[str]]:
    """A function that runs Prefect's flow, with the server that Prefect starts for itself."""

    async def run() -> str:
        flow = import_module("bench.engines.flow")
        found = await flow.sequence(PROMPTS)
        assert found == ["ok"] * CALLS, found
        return ""

    return run


def end_prefect() -> None:
    """Stop the server that a flow started. Prefect does so itself when the interpreter exits, but `os._exit` skips that."""
    server = sys.modules.get("prefect.server.api.server")
    if server is not None:
        server.SubprocessASGIServer().stop()


async def table(rounds: int) -> list[str]:
    """Measure all engines, and return the lines of the table."""
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (root / "prefect").mkdir()
        os.environ |= {
            "PREFECT_HOME": str(root / "prefect"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "150",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        stack.callback(end_prefect)
        stub = stack.enter_context(OpenAIStub())
        stub.on("Say", text="ok")
        set_address(stub.url)
        server = await stack.enter_async_context(DevServer())
        engines = await engines_of(stack, root, stub, server)
        client = await Client.connect(server.target)
        # Prefect comes last: its flow runs in this process, and its packages slow down everything else there.
        await measured(engines[:-1], client, rounds)
        await measured(engines[-1:], client, rounds)
        heading = "| engine | versions | events | bytes of history | wall, ms |\n|---|---|---:|---:|---:|"
        return [heading, *(engine.row for engine in engines)]


def page(lines: list[str], rounds: int) -> str:
    """The page as Markdown."""
    return wrapped(
        [
            "# Ten calls on several engines",
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m bench.engines --write`: ten model calls, one after the other, "
            "over HTTP, to a model that answers at once. All engines were measured in one session on one machine. Those on "
            "Temporal took turns on one server, each with its own worker process. Wall times are medians of "
            f"{rounds} runs. Events and bytes cover all workflows of a run.",
            "",
            *(f"- {name}: {text}" for name, text in surroundings().items()),
            "",
            *lines,
            "",
            "The engines do not make the same promises. Pipelex checks types and templates, counts usage, and shows each pipe in "
            "the UI; the workflows by hand do none of that. Prefect keeps the states of flows and tasks in its own server (here, "
            "the one that a flow starts for itself), and has no event history. [How it compares](comparison.md) says when to "
            "choose which.",
            "",
        ]
    )


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each engine runs")
    parser.add_argument("--write", action="store_true", help="write docs/explanation/engines.md")
    options = parser.parse_args()
    lines = await table(options.rounds)
    print("\n".join(lines))
    if options.write:
        PAGE.write_text(page(lines, options.rounds), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    time.sleep(0.5)  # the SDK may abort an interpreter that exits before the SDK's threads have ended
    os._exit(0)
