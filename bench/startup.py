"""How long commands take to start, and what a worker takes: `python -m bench.startup`.

Every command is run several times; the best and the median of the wall time, the best CPU time, and the most memory it held,
are printed. A run is one call that a model server answers at once, in-process, or from a submitter whose worker is warm.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelex.runner import Pipelex
from pipelex.temporal.client import namespace
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import GREET, SURVEY
from tests.support.openai_server import OpenAIStub
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project
from tests.support.temporal import client_of, config_of

_TIMED = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(code)
"""
"""Runs a command from a small process, because the peak memory of a child starts from its parent's."""


def command(arguments: Sequence[str], project: Project) -> tuple[float, float, float]:
    """Run one command to its end; return its wall time in seconds, its megabytes, and its CPU time in seconds."""
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
    seconds, peak, cpu = map(float, done.stdout.split())
    return seconds, peak / (1024 if sys.platform == "linux" else 1024 * 1024), cpu


@dataclass(frozen=True)
class StartUp:
    """How long something took to start, in each round, and the most memory it held."""

    name: str
    seconds: Sequence[float]
    megabytes: float
    cpu_seconds: Sequence[float] = ()
    """The CPU time of each round, in seconds; empty for a worker, which does not end on its own."""

    @classmethod
    def of(cls, name: str, arguments: Sequence[str], project: Project, rounds: int) -> "StartUp":
        """Run a command `rounds` times."""
        found = [command(arguments, project) for _ in range(rounds)]
        return cls(name, [each[0] for each in found], max(each[1] for each in found), [each[2] for each in found])

    @property
    def cpu(self) -> float | None:
        """The best CPU time in milliseconds, because other work on the machine only adds to it."""
        return min(self.cpu_seconds) * 1000 if self.cpu_seconds else None

    @property
    def best(self) -> float:
        """The best wall time, in milliseconds."""
        return min(self.seconds) * 1000

    @property
    def median(self) -> float:
        """The median wall time, in milliseconds."""
        return statistics.median(self.seconds) * 1000

    def __str__(self) -> str:
        cpu = "" if self.cpu is None else f"{self.cpu:7,.0f} ms CPU"
        return f"{self.name:<24}{self.best:8,.0f} ms best {self.median:8,.0f} ms median {self.megabytes:7,.0f} MB{cpu}"


async def worker_times(project: Project, rounds: int) -> tuple[list[float], float]:
    """The seconds until a worker polls, for each round, and the most memory it then held, in megabytes."""
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
    """Start everything `rounds` times."""
    with tempfile.TemporaryDirectory() as folder, OpenAIStub() as stub:
        async with DevServer() as server:
            stub.on("Hello", text="Good day", cycle=True)
            project = write_project(Path(folder), stub=stub.url, target=server.target, queue="startup")
            method = str(project.method(SURVEY))
            greet = str(project.method(GREET, "greet.mthds"))
            for arguments in (["--help"], ["--version"], ["validate", method]):
                yield StartUp.of(f"pipelex {arguments[0]}", arguments, project, rounds)
            asking = ["run", greet, "-i", "name=Ada"]
            yield StartUp.of("pipelex run --local", [*asking, "--local"], project, rounds)
            yield StartUp("pipelex worker, ready", *await worker_times(project, min(rounds, 5)))
            with warm_worker(project):
                yield StartUp.of("pipelex run --durable", [*asking, "--durable"], project, rounds)


@contextmanager
def warm_worker(project: Project) -> Generator[None]:
    """A worker that has run the method once."""
    ready, log = project.root / "warm.ready", project.root / "worker.log"
    arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
    with process(arguments, cwd=project.root, environ=project.environ, log=log) as child:
        wait_for_file(ready, child, log)
        command(["run", "greet.mthds", "-i", "name=Ada", "--durable"], project)
        yield


async def main(rounds: int) -> None:
    async for each in start_ups(rounds):
        print(each)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(parser.parse_args().rounds))
    time.sleep(0.5)  # the SDK may abort an interpreter that exits before the SDK's threads have ended
    os._exit(0)
