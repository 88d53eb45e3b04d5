"""What Pipelex costs on Temporal beside a hand-written workflow that does the same: `python -m bench.run`.

Prints events, billed actions and bytes of history over all workflows of a run, the wall time, and the CPU time of the
worker; and the wall time of the same method in-process, and then its CPU time beside OpenAI's bare client. Both sides run in
one go, turn about, each with a worker process of its own, on the same server against the same model server that answers at
once; wall times are medians, CPU times means. `--write` makes `docs/benchmarks.md` of it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen
from typing import Any, Final

import psutil
from temporalio.client import Client

from bench.actions import actions_of
from bench.calls import CALL_SCENARIOS, CallRow, call_rows
from bench.floor import shown
from bench.histories import all_histories
from bench.page import Measure, Row, page
from bench.startup import start_ups
from pipelex.durable.options import ChildPolicy
from pipelex.runner import Method, Pipelex
from pipelex.temporal.client import namespace
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import DESCRIBE_ALL, GREET, PARALLEL_OF_3, sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY, process, wait_for_file
from tests.support.project import Project, write_project
from tests.support.temporal import client_of, config_of

WINDOW: Final = 8
"""The items of a batch that run at a time: the default of `max_concurrency`, and the floor's window."""
PAGE: Final = REPOSITORY / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Scenario:
    """One piece of work that both sides do."""

    name: str
    method: str
    inputs: dict[str, Any]
    workflow: str
    arguments: list[Any]
    rounds: int
    policy: ChildPolicy = "every_pipe"
    is_warmed: bool = True
    """Whether an extra first round runs that does not count."""


def batch_of(count: int, *, rounds: int, is_warmed: bool = True, policy: ChildPolicy = "every_pipe") -> Scenario:
    words = [f"word{number}" for number in range(count)]
    prompts = [f"Describe {word}." for word in words]
    name = f"batch of {count:,}" if policy == "every_pipe" else f"the same, {policy}"
    floor = "FloorWindow" if policy == "every_pipe" else "FloorActivities"
    return Scenario(name, DESCRIBE_ALL, {"words": words}, floor, [prompts, WINDOW], rounds, policy, is_warmed)


SCENARIOS: Final = (
    Scenario("one LLM pipe", GREET, {"name": "Ada"}, "FloorLeaf", ["Hello Ada"], 15),
    Scenario("sequence of 10", sequence_of(10), {"text": "a"}, "FloorSequence", [["Say a"] * 10], 7),
    Scenario("parallel of 3", PARALLEL_OF_3, {"text": "a"}, "FloorWindow", [["Say a"] * 3, 3], 15),
    batch_of(100, rounds=3),
    batch_of(100, rounds=3, policy="controllers"),
    batch_of(1000, rounds=1, is_warmed=False),
)


@dataclass
class Cost:
    """What the runs of one side cost."""

    events: int = 0
    actions: int = 0
    size: int = 0
    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    @property
    def measure(self) -> Measure:
        # The system counts CPU time in ticks of 10 ms, so only the sum over all rounds is exact enough.
        return Measure(
            self.events, self.actions, self.size, statistics.median(self.wall) * 1000, statistics.mean(self.cpu) * 1000
        )


async def measured(cost: Cost, worker: psutil.Process, work: Callable[[], Awaitable[str]]) -> str:
    """Run once, note the times, and return the workflow's id."""
    before, began = cpu_of(worker), time.perf_counter()
    id_ = await work()
    cost.wall.append(time.perf_counter() - began)
    cost.cpu.append(cpu_of(worker) - before)
    return id_


def cpu_of(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return times.user + times.system


async def compare(
    scenario: Scenario, method: Method, server: DevServer, client: Client, ours: psutil.Process, floor: psutil.Process
) -> tuple[Measure, Measure, int]:
    """Run both sides, and once more to count actions.

    Returns:
        What each side costs, and the bytes of history of the shown floor.
    """
    costs = Cost(), Cost()

    async def run_ours() -> str:
        return (await method.run(scenario.inputs)).run_id

    async def run_floor(*, shows: bool = False) -> str:
        id_ = f"floor-{scenario.workflow}-{time.monotonic_ns()}"
        said = shown(id_) if shows else {}
        await client.execute_workflow(scenario.workflow, args=scenario.arguments, id=id_, task_queue="floor", **said)
        return id_

    for turn in range(-1 if scenario.is_warmed else 0, scenario.rounds):
        for side, (worker, work) in enumerate(((ours, run_ours), (floor, run_floor))):
            await measured(costs[side] if turn >= 0 else Cost(), worker, work)
    for cost, work in zip(costs, (run_ours, run_floor), strict=True):
        id_, actions = await actions_of(server, work)
        cost.actions = actions.total()
        cost.events, cost.size = await events_and_bytes(client, id_)
    _, size = await events_and_bytes(client, await run_floor(shows=True))
    return costs[0].measure, costs[1].measure, size


async def events_and_bytes(client: Client, workflow_id: str) -> tuple[int, int]:
    """The number of events and of bytes in all histories of a run."""
    found = await all_histories(client, workflow_id)
    return sum(each.events for each in found), sum(each.size for each in found)


async def in_process(scenario: Scenario, method: Method) -> float:
    """The median wall time of a run without Temporal, in milliseconds."""
    wall: list[float] = []
    for turn in range(-1, scenario.rounds):
        began = time.perf_counter()
        await method.run(scenario.inputs)
        if turn >= 0:
            wall.append(time.perf_counter() - began)
    return statistics.median(wall) * 1000


async def rows(scenarios: Sequence[Scenario]) -> AsyncGenerator[Row]:
    """Measure every scenario, one after the other."""
    with tempfile.TemporaryDirectory() as folder, OpenAIStub() as stub:
        root = Path(folder)
        stub.on("Hello", text="Good day").on("Say", text="ok").on("Describe", text="about a word")
        async with DevServer(metrics_port=0) as server:
            project = write_project(root, stub=stub.url, target=server.target, queue="ours")
            await register(project)
            with worker(project, "ours", stub.url) as ours, worker(project, "floor", stub.url) as floor:
                for name, side in (("ours", ours), ("floor", floor)):
                    wait_for_file(root / f"{name}.ready", side, root / "worker.log")
                for scenario in scenarios:
                    overrides = {"temporal.worker_config.child_workflow_policy": scenario.policy}
                    async with project.app(overrides=overrides) as app, project.app("direct") as direct:
                        client = await client_of(app)
                        file = project.method(scenario.method)
                        sides = psutil.Process(ours.pid), psutil.Process(floor.pid)
                        costs = await compare(scenario, app.load(file), server, client, *sides)
                        yield Row(scenario.name, *costs, await in_process(scenario, direct.load(file)))


def worker(project: Project, side: str, stub: str) -> AbstractContextManager[Popen[bytes]]:
    arguments = ["-m", "bench.worker", side, stub, str(project.root / f"{side}.ready")]
    return process(arguments, cwd=project.root, environ=project.environ, log=project.root / "worker.log")


async def register(project: Project) -> None:
    app: Pipelex = project.app()
    client = await client_of(app)
    await namespace.register(client, await namespace.inspect(client, config_of(app)))


async def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--only", default="", help="part of a scenario's name")
    parser.add_argument("--rounds", type=int, help="instead of each scenario's own number")
    parser.add_argument("--markdown", action="store_true", help="print a page, with the start-up times")
    parser.add_argument("--write", action="store_true", help=f"put that page into docs/{PAGE.name}")
    options = parser.parse_args(arguments)
    rounds: int | None = options.rounds
    scenarios = [
        each if rounds is None else replace(each, rounds=rounds) for each in SCENARIOS if options.only in each.name
    ]
    wants_page = options.markdown or options.write
    progress = sys.stderr if wants_page else sys.stdout
    print(Row.HEADING, file=progress)
    found: list[Row] = []
    async for row in rows(scenarios):
        found.append(row)
        print(row, file=progress, flush=True)
    print(CallRow.HEADING, file=progress)
    calls: list[CallRow] = []
    async for call in call_rows([each for each in CALL_SCENARIOS if options.only in each.name], rounds):
        calls.append(call)
        print(call, file=progress, flush=True)
    if not wants_page:
        return
    started = [each async for each in start_ups(rounds or 7)]
    text = page(found, started, calls, command=" ".join(["python -m bench.run", *arguments]))
    if options.markdown:
        print(text)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
        print(f"Wrote {PAGE.relative_to(REPOSITORY)}", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
    sys.stdout.flush()
    time.sleep(0.5)  # the SDK may abort an interpreter that exits before the SDK's threads have ended
    os._exit(0)
