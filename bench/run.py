"""What Pipelex costs on Temporal beside a hand-written workflow that does the same: `python -m bench.run`.

Prints events and bytes of history over all workflows of a run, the wall time, and the CPU time of the worker. Both sides
run in one go, turn about, each with a worker process of its own, on the same server against the same model server that
answers at once; the times are medians.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client
from tests.support.methods import DESCRIBE_ALL, GREET, PARALLEL_OF_3, sequence_of
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project

from pipelex.pipes.trace import PipeTrace
from pipelex.runner import Method, Pipelex
from pipelex.temporal.dev_server import DevServer
from pipelex.temporal.history import read_trace

WINDOW = 8
WORDS = [f"word{number}" for number in range(100)]


@dataclass(frozen=True)
class Scenario:
    """The same work, asked of either side."""

    name: str
    method: str
    inputs: dict[str, Any]
    workflow: str
    arguments: list[Any]
    rounds: int


SCENARIOS = (
    Scenario("one LLM pipe", GREET, {"name": "Ada"}, "FloorLeaf", ["Hello Ada"], 15),
    Scenario("sequence of 10", sequence_of(10), {"text": "a"}, "FloorSequence", [["Say a"] * 10], 7),
    Scenario("parallel of 3", PARALLEL_OF_3, {"text": "a"}, "FloorWindow", [["Say a"] * 3, 3], 15),
    Scenario(
        "batch of 100",
        DESCRIBE_ALL,
        {"words": WORDS},
        "FloorWindow",
        [[f"Describe {word}." for word in WORDS], WINDOW],
        3,
    ),
)


@dataclass
class Cost:
    """What the runs of one side cost."""

    events: int = 0
    size: int = 0
    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])


async def measured(cost: Cost, worker: psutil.Process, work: Callable[[], Awaitable[str]]) -> str:
    """Run once and note the times; gives the workflow's id."""
    before, began = cpu_of(worker), time.perf_counter()
    id_ = await work()
    cost.wall.append(time.perf_counter() - began)
    cost.cpu.append(cpu_of(worker) - before)
    return id_


def cpu_of(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return times.user + times.system


async def weigh(client: Client, cost: Cost, trace: PipeTrace) -> None:
    """Add the events and bytes of a run's histories."""
    info = (await client.get_workflow_handle(trace.id).describe()).raw_description.workflow_execution_info
    cost.events += info.history_length
    cost.size += info.history_size_bytes
    for child in trace.children:
        await weigh(client, cost, child)


async def compare(
    scenario: Scenario, method: Method, client: Client, ours: psutil.Process, floor: psutil.Process
) -> tuple[Cost, Cost]:
    costs = Cost(), Cost()
    last = ["", ""]

    async def run_ours() -> str:
        return (await method.run(scenario.inputs)).run_id

    async def run_floor() -> str:
        id_ = f"floor-{scenario.workflow}-{time.monotonic_ns()}"
        await client.execute_workflow(scenario.workflow, args=scenario.arguments, id=id_, task_queue="floor")
        return id_

    for turn in range(scenario.rounds + 1):
        for side, (worker, work) in enumerate(((ours, run_ours), (floor, run_floor))):
            last[side] = await measured(costs[side] if turn else Cost(), worker, work)
    for cost, id_ in zip(costs, last, strict=True):
        await weigh(client, cost, await read_trace(client, id_))
    return costs


def show(name: str, ours: Cost, floor: Cost) -> None:
    def pair(of: Callable[[Cost], float], form: str) -> str:
        mine, theirs = of(ours), of(floor)
        return f"{mine:{form}} {theirs:{form}} {mine / theirs if theirs else 0:5.2f}×"

    columns = [
        pair(lambda cost: cost.events, "6.0f"),
        pair(lambda cost: cost.size, "9,.0f"),
        pair(lambda cost: statistics.median(cost.wall) * 1000, "8,.0f"),
        pair(lambda cost: statistics.median(cost.cpu) * 1000, "7,.0f"),
    ]
    print(f"{name:<16}" + " | ".join(columns))


async def main(only: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder, OpenAIStub() as stub:
        root = Path(folder)
        stub.on("Hello", text="Good day").on("Say", text="ok").on("Describe", text="about a word")
        async with DevServer() as server:
            project = write_project(root, stub=stub.url, target=server.target, queue="ours")
            await register(project)
            with worker(project, "ours", stub.url) as ours, worker(project, "floor", stub.url) as floor:
                for name, side in (("ours", ours), ("floor", floor)):
                    wait_for_file(root / f"{name}.ready", side, root / "worker.log")
                print(f"{'':16}{'events':^20} | {'bytes of history':^26} | {'wall, ms':^24} | {'worker CPU, ms':^22}")
                print(
                    f"{'':16}{'ours  floor':^20} | {'ours     floor':^26} | {'ours    floor':^24} | {'ours   floor':^22}"
                )
                async with project.app() as app:
                    client = (await app.durable()).client
                    for scenario in SCENARIOS:
                        if only is None or only in scenario.name:
                            method = app.load(project.method(scenario.method))
                            show(
                                scenario.name,
                                *await compare(
                                    scenario, method, client, psutil.Process(ours.pid), psutil.Process(floor.pid)
                                ),
                            )


def worker(project: Project, side: str, stub: str) -> Any:
    arguments = ["-m", "bench.worker", side, stub, str(project.root / f"{side}.ready")]
    return process(arguments, cwd=project.root, environ=project.environ, log=project.root / "worker.log")


async def register(project: Project) -> None:
    from pipelex.temporal import namespace

    app: Pipelex = project.app()
    client = (await app.durable()).client
    await namespace.register(client, await namespace.inspect(client, app.temporal_config))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--only", help="part of a scenario's name")
    asyncio.run(main(parser.parse_args().only))
    time.sleep(0.5)  # the SDK may abort an interpreter that ends while its threads still do
    os._exit(0)
