"""How long commands take to start, and what a worker takes: `python -m bench.startup`.

Every command is run several times; the best and the median of the wall time, and the most memory it held, are printed.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelex.runner import Pipelex
from pipelex.temporal.client import namespace
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import SURVEY
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project
from tests.support.temporal import client_of, config_of

_TIMED = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command in a small process: the peak memory of a child counts from its parent's."""


def command(arguments: Sequence[str], project: Project) -> tuple[float, float]:
    """Seconds and megabytes of one command run to its end."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _TIMED, sys.executable, "-m", "pipelex.cli", *arguments],
        cwd=project.root,
        env={**os.environ, **project.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-500:]}")
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (1024 if sys.platform == "linux" else 1024 * 1024)


@dataclass(frozen=True)
class StartUp:
    """How long something took to start, in each round, and the most memory it held."""

    name: str
    seconds: Sequence[float]
    megabytes: float

    @property
    def best(self) -> float:
        """Milliseconds."""
        return min(self.seconds) * 1000

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.seconds) * 1000

    def __str__(self) -> str:
        return f"{self.name:<24}{self.best:8,.0f} ms best {self.median:8,.0f} ms median {self.megabytes:7,.0f} MB"


async def worker_times(project: Project, rounds: int) -> tuple[list[float], float]:
    """Seconds until a worker polls, and the megabytes it holds then."""
    app: Pipelex = project.app()
    client = await client_of(app)
    await namespace.register(client, await namespace.inspect(client, config_of(app)))
    seconds: list[float] = []
    megabytes = 0.0
    for number in range(rounds):
        ready, log = project.root / f"worker-{number}.ready", project.root / "worker.log"
        began = time.perf_counter()
        arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
        with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
            await asyncio.to_thread(wait_for_file, ready, child, log)
            seconds.append(time.perf_counter() - began)
            megabytes = max(megabytes, psutil.Process(child.pid).memory_info().rss / 1024 / 1024)
    return seconds, megabytes


async def start_ups(rounds: int) -> AsyncGenerator[StartUp]:
    """Start everything so many times."""
    with tempfile.TemporaryDirectory() as folder, OpenAIStub() as stub:
        async with DevServer() as server:
            project = write_project(Path(folder), stub=stub.url, target=server.target, queue="startup")
            method = str(project.method(SURVEY))
            for arguments in (["--help"], ["--version"], ["validate", method]):
                found = [command(arguments, project) for _ in range(rounds)]
                yield StartUp(f"pipelex {arguments[0]}", [each[0] for each in found], max(each[1] for each in found))
            yield StartUp("pipelex worker, ready", *await worker_times(project, min(rounds, 5)))


async def main(rounds: int) -> None:
    async for each in start_ups(rounds):
        print(each)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(parser.parse_args().rounds))
    time.sleep(0.5)  # the SDK may abort an interpreter that ends while its threads still do
    os._exit(0)
