"""A PipeBatch over very many items on a real server and worker: `python -m bench.soak --items 100000`.

The model answers at once, so what is seen is the cost of durability: items a second, the worker's memory, and the largest
history. The verdicts are: every result right, no call made twice, memory under 400 MB, no history over 5,000 events or 4
MB. The exit status is 1 when one is broken.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import psutil

from bench.histories import History, histories
from bench.page import recorded
from bench.signals import end_as_with_ctrl_c
from pipelex.errors import PipelexError
from pipelex.runner import Pipelex, RunHandle
from pipelex.temporal.client import namespace
from pipelex.temporal.client.run import TemporalRun
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub, Reply, prompt_text
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project
from tests.support.temporal import client_of, config_of

Policy = Literal["every_pipe", "controllers"]

MOST_MEGABYTES: Final = 400
MOST_EVENTS: Final = 5_000
MOST_BYTES: Final = 4 * 1024 * 1024
SAMPLE_SECONDS: Final = 1.0


class Model(OpenAIStub):
    """Answers at once and remembers only how often each item was asked for."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.asked = bytearray(items)
        self.count = 0

    def arrived(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[Reply, str]:
        prompt = prompt_text(body)
        word = prompt.removeprefix("Describe ").removesuffix(".")
        with self._lock:
            self.count += 1
            number = int(word.removeprefix("word"))
            self.asked[number] = min(self.asked[number] + 1, 255)
        return Reply(text=f"about {word}"), prompt

    def left(self) -> None:
        """Do nothing: no request is kept."""


@dataclass
class Soak:
    """The settings of a soak, and what was measured."""

    items: int
    concurrency: int
    policy: Policy = "every_pipe"
    """The `child_workflow_policy`: whether every item is a workflow of its own, or runs inside its slice's workflow."""
    seconds: float = 0.0
    is_right: bool = False
    error: str = ""
    calls: int = 0
    repeated: int = 0
    megabytes: list[float] = field(default_factory=list[float])
    """The worker's memory in megabytes, once a second."""
    peak: float = 0.0
    """The worker's peak memory, in megabytes."""
    histories: list[History] = field(default_factory=list[History])

    @property
    def verdicts(self) -> list[tuple[str, str, str, bool]]:
        """Each verdict: what is bounded, the value found, the bound, and whether it holds."""
        events = max((each.events for each in self.histories), default=0)
        size = max((each.size for each in self.histories), default=0)
        return [
            ("right results", self.error or ("all" if self.is_right else "not all"), "all", self.is_right),
            ("calls made twice", f"{self.repeated:,}", "0", self.repeated == 0),
            ("worker's memory", f"{self.peak:,.0f} MB", f"{MOST_MEGABYTES} MB", self.peak < MOST_MEGABYTES),
            ("most events in a history", f"{events:,}", f"{MOST_EVENTS:,}", 0 < events <= MOST_EVENTS),
            ("largest history", f"{size:,} bytes", f"{MOST_BYTES:,} bytes", 0 < size <= MOST_BYTES),
        ]

    @property
    def is_good(self) -> bool:
        return all(holds for *_, holds in self.verdicts)

    def memory_over_time(self) -> list[float]:
        """The worker's memory at every tenth of the time."""
        last = len(self.megabytes) - 1
        return [round(self.megabytes[last * tenth // 10]) for tenth in range(11)] if last >= 10 else self.megabytes

    def to_json(self) -> dict[str, Any]:
        verdicts = [
            {"what": what, "found": found, "bound": bound, "holds": holds}
            for what, found, bound, holds in self.verdicts
        ]
        largest = sorted(self.histories, key=lambda each: each.size, reverse=True)[:20]
        policy = ", its items inside their slices' workflows" if self.policy == "controllers" else ""
        memory = " ".join(f"{each:.0f}" for each in self.memory_over_time())
        return {
            "title": f"A batch of {self.items:,}{policy}",
            "what": f"{self.items / max(self.seconds, 0.001):,.1f} items a second; the worker's memory in MB, at every tenth "
            f"of the time: {memory}.",
            "items": self.items,
            "concurrency": self.concurrency,
            "child_workflow_policy": self.policy,
            "seconds": round(self.seconds, 1),
            "items_per_second": round(self.items / self.seconds, 1) if self.seconds else None,
            "calls": self.calls,
            "memory_over_time": self.memory_over_time(),
            "largest_histories": [asdict(each) for each in largest],
            "verdicts": verdicts,
            "is_good": self.is_good,
        }

    def text(self) -> str:
        """The results as text for a terminal."""
        kinds: dict[str, list[History]] = {}
        for each in self.histories:
            kinds.setdefault(each.type, []).append(each)
        lines = [
            f"{self.items:,} items in {self.seconds:,.0f} s: {self.items / max(self.seconds, 0.001):,.1f} items/s, "
            f"{self.calls:,} calls",
            "worker's memory in MB, at every tenth: " + " ".join(f"{each:.0f}" for each in self.memory_over_time()),
            "",
            f"{'workflow type':<18} {'looked at':>9} {'most events':>12} {'most bytes':>12}",
        ]
        for type_, found in sorted(kinds.items()):
            events, size = max(each.events for each in found), max(each.size for each in found)
            lines.append(f"{type_:<18} {len(found):>9,} {events:>12,} {size:>12,}")
        lines.append("")
        for what, found, bound, holds in self.verdicts:
            lines.append(f"{'ok  ' if holds else 'FAIL'}  {what:<26} {found:>18}   bound {bound}")
        return "\n".join(lines)


async def soak(seen: Soak, minutes: float, root: Path) -> None:
    """Run the soak in an empty folder."""
    words = [f"word{number:06}" for number in range(seen.items)]
    with Model(seen.items) as model:
        async with DevServer(database=root / "temporal.db", log=root / "server.log") as server:
            project = write_project(root, stub=model.url, target=server.target, queue="soak")
            overrides: dict[str, Any] = {
                "interpreter.pipeline_execution.max_concurrency": seen.concurrency,
                "temporal.worker_config.child_workflow_policy": seen.policy,
            }
            async with project.app(overrides=overrides) as app:
                client = await client_of(app)
                await namespace.register(client, await namespace.inspect(client, config_of(app)))
                ready, log = root / "worker.ready", root / "worker.log"
                arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
                with process(arguments, cwd=root, environ=project.environ, log=log) as child:
                    await asyncio.to_thread(wait_for_file, ready, child, log)
                    worker = psutil.Process(child.pid)
                    await run(app, project, words, seen, model, worker, minutes)
    seen.calls = model.count
    seen.repeated = model.count - sum(1 for asked in model.asked if asked)


async def run(
    app: Pipelex, project: Project, words: list[str], seen: Soak, model: Model, worker: psutil.Process, minutes: float
) -> None:
    """Run the batch, watch it, and then check its result and the sizes of its histories."""
    began = time.monotonic()
    try:
        handle = await app.load(project.method(DESCRIBE_ALL)).start({"words": words})
    except PipelexError as refused:
        seen.error = str(refused)
        return
    ending = asyncio.create_task(handle.result())
    told = 0.0
    while not ending.done() and time.monotonic() - began < minutes * 60:
        await asyncio.wait((ending,), timeout=SAMPLE_SECONDS)
        seen.megabytes.append(worker.memory_info().rss / 2**20)
        seen.seconds = time.monotonic() - began
        if seen.seconds - told >= 5:
            told = seen.seconds
            rate = model.count / seen.seconds
            left = (len(words) - model.count) / rate / 60 if rate else 0.0
            print(
                f"{model.count:>9,}/{len(words):,} items {rate:7.1f}/s   worker {seen.megabytes[-1]:4.0f} MB   "
                f"{left:5.1f} min left",
                file=sys.stderr,
                flush=True,
            )
    seen.peak = max([*seen.megabytes, peak_of(worker)])
    await judge(ending, words, seen)
    await weigh(handle, seen)


async def judge(ending: "asyncio.Task[Any]", words: list[str], seen: Soak) -> None:
    if not ending.done():
        ending.cancel()
        seen.error = "did not end in time"
        return
    try:
        content = ending.result().content
    except PipelexError as failed:
        seen.error = str(failed)
        return
    seen.is_right = content == {"items": [{"text": f"about {word}"} for word in words]}


async def weigh(handle: RunHandle, seen: Soak) -> None:
    """Note the sizes of the histories, once visibility lists them all."""
    run = handle.run
    assert isinstance(run, TemporalRun)
    await asyncio.sleep(2)
    seen.histories = await histories(run.cluster.client, handle.workflow_id, leaf="PipeLLM")


def peak_of(worker: psutil.Process) -> float:
    """The peak memory of a process, in megabytes; 0 where the system does not record it."""
    status = Path(f"/proc/{worker.pid}/status")
    if not status.exists():
        return 0.0
    lines = status.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=100, help="items that run at a time")
    parser.add_argument(
        "--policy", choices=get_args(Policy), default="every_pipe", help="`child_workflow_policy` of the run"
    )
    parser.add_argument("--minutes", type=float, default=240.0, help="it must have ended by then")
    parser.add_argument("--report", type=Path, help="a JSON file for programs")
    options = parser.parse_args()
    end_as_with_ctrl_c()
    seen = Soak(options.items, options.concurrency, options.policy)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            asyncio.run(soak(seen, options.minutes, Path(folder).resolve()))
        except KeyboardInterrupt:
            print("Interrupted; every process was ended.", file=sys.stderr)
            return 130
    print(seen.text())
    if options.report is not None:
        command = " ".join(["python -m bench.soak", *sys.argv[1:]])
        options.report.write_text(recorded(seen.to_json(), command=command), encoding="utf-8")
    return 0 if seen.is_good else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    time.sleep(0.5)  # the SDK may abort an interpreter that exits before the SDK's threads have ended
    os._exit(code)
