"""Start everything, submit the runs, inject seeded faults until all runs have ended, and judge the results."""

import asyncio
import json
import math
import sys
import time
import zipfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

from bench.chaos.fleet import (
    DISK_BYTES,
    SKEW_SECONDS,
    Disk,
    Process,
    Server,
    Submitter,
    skewed_clock,
    write_files,
)
from bench.chaos.provider import Provider
from bench.chaos.proxy import Proxy
from bench.chaos.report import RECOVERY_BOUND, Fault, Report, explain
from bench.chaos.runs import METHOD, PlannedRun, planned_runs, run_of, shares
from bench.chaos.submitter import RELEASED, release_to
from pipelex.config import load_settings
from pipelex.errors import PipelexError
from pipelex.errors.json import as_object
from pipelex.runner import Pipelex, RunResult
from pipelex.temporal.client import namespace
from tests.support.temporal import client_of, config_of

SUBMITTERS: Final = 2
READY_SECONDS: Final = 60.0
KINDS: Final = (
    "kill runner",
    "kill router",
    "kill server",
    "kill submitter",
    "cut connections",
    "storm",
    "full disk",
)


@dataclass(frozen=True)
class Plan:
    """The size of a chaos run, its seed and its faults."""

    seed: int
    runs: int = 200
    minutes: float = 15.0
    """The time, in minutes, within which all runs must have ended."""
    window: int = 4
    """The number of runs that each submitter has under way at a time."""
    pause: float = 2.0
    """The longest pause between two faults, in seconds."""
    kinds: tuple[str, ...] = KINDS
    routers: int = 2


@dataclass
class Ended:
    """The end of a run: its time, and its result or its error."""

    at: float
    result: RunResult | None = None
    error: str | None = None


@dataclass
class Chaos:
    """Everything that runs while a plan is carried out."""

    plan: Plan
    runs: dict[str, PlannedRun]
    provider: Provider
    proxy: Proxy
    server: Server
    disk: Disk
    workers: list[Process]
    submitters: list[Submitter]
    app: Pipelex
    """The driver's own app, which does not connect through the proxy."""
    began: float
    say: Callable[[str], None]
    faults: list[Fault] = field(default_factory=list[Fault])
    ended: dict[str, Ended] = field(default_factory=dict[str, Ended])
    started: set[str] = field(default_factory=set[str])
    notes: list[str] = field(default_factory=list[str])
    released: int = 0
    """The number of runs that each submitter may have started so far."""

    # --- runs ---------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Attach to every run as soon as its submitter has noted it, and wait for its end."""
        async with asyncio.TaskGroup() as watchers:
            while len(self.started) < len(self.runs):
                for submitter in self.submitters:
                    for id_ in submitter.started() - self.started:
                        self.started.add(id_)
                        watchers.create_task(self._wait_for(id_))
                await asyncio.sleep(0.1)

    async def _wait_for(self, id_: str) -> None:
        while True:
            try:
                result = await (await self.app.attach(id_)).result()
                self.ended[id_] = Ended(time.monotonic(), result=result)
                return
            except PipelexError as failed:
                if failed.report.code != "runtime.unavailable":
                    self.ended[id_] = Ended(time.monotonic(), error=str(failed))
                    return
            await asyncio.sleep(0.3)

    @property
    def under_way(self) -> set[str]:
        return self.started - self.ended.keys()

    # --- faults -------------------------------------------------------------------------------------------------------

    async def inject(self) -> None:
        """Inject faults one after another without end; each kind comes once before any comes again."""
        chance = Random(f"{self.plan.seed} faults")
        faults = {
            "kill runner": lambda: self.kill_worker(chance.choice(self._workers("runner"))),
            "kill router": lambda: self.kill_worker(chance.choice(self._workers("router"))),
            "kill server": lambda: self.kill_server(chance.uniform(0.2, 3.0)),
            "kill submitter": lambda: self.kill_submitter(chance),
            "cut connections": lambda: self.cut(chance.randint(1, 4)),
            "storm": lambda: self.storm(chance.uniform(2.0, 4.0)),
            "full disk": lambda: self.fill_disk(chance.uniform(1.0, 3.0)),
        }
        await self.release()
        await self.recovered(self.note("nothing", "", time.monotonic(), note="what going on takes without a fault"))
        while True:
            deck = list(self.plan.kinds)
            chance.shuffle(deck)
            for kind in deck:
                await self.release()
                await asyncio.sleep(chance.uniform(0.2, self.plan.pause))
                fault = await faults[kind]()
                if fault is not None:
                    await self.recovered(fault)
                    took = "" if fault.recovery is None else f", recovered in {fault.recovery:.1f} s"
                    self.say(f"{fault.at - self.began:6.1f}s  {fault.kind} {fault.target}{took} {fault.note}")

    async def release(self) -> None:
        """Let the next runs start, and wait until enough have, because every fault must find some under way."""
        share = len(self.runs) / SUBMITTERS / (len(self.plan.kinds) + 1)
        portion = max(1, min(math.ceil(share), 2 * self.plan.window))
        self.released += portion
        release_to(self.disk.folder.parent / RELEASED, self.released)
        wanted = min(len(self.runs), self.released * SUBMITTERS)
        waiting = SUBMITTERS * min(portion, self.plan.window)
        await until(lambda: len(self.started) > wanted - waiting, RECOVERY_BOUND)

    def _workers(self, role: str) -> list[Process]:
        return [worker for worker in self.workers if worker.name.startswith(role)]

    def note(self, kind: str, target: str, at: float, **members: Any) -> Fault:
        fault = Fault(kind, target, at, time.monotonic(), **members)
        self.faults.append(fault)
        return fault

    async def kill_worker(self, worker: Process) -> Fault | None:
        if not await until(lambda: worker.is_ready, READY_SECONDS):
            return None
        at, key = time.monotonic(), worker.key
        worker.kill()
        return self.note("kill worker", worker.name, at, lives=(key,))

    async def kill_server(self, seconds: float) -> Fault:
        at = await self.server.kill(seconds)
        return self.note("kill server", "server", at)

    async def kill_submitter(self, chance: Random) -> Fault | None:
        alive = [submitter for submitter in self.submitters if submitter.process.is_alive and submitter.started()]
        if not alive:
            return None
        submitter = chance.choice(alive)
        at = time.monotonic()
        submitter.process.kill()
        orphans = len(submitter.started() - self.ended.keys())
        return self.note("kill submitter", submitter.process.name, at, note=f"{orphans} runs orphaned")

    async def cut(self, times: int) -> Fault:
        at, cut = time.monotonic(), 0
        for _ in range(times):
            cut += self.proxy.cut()
            await asyncio.sleep(0.2)
        return self.note("cut connections", "server", at, note=f"{cut} connections")

    async def storm(self, seconds: float) -> Fault:
        at, before = time.monotonic(), sum(call.fault is not None for call in self.provider.calls)
        self.provider.is_stormy = True
        await asyncio.sleep(seconds)
        self.provider.is_stormy = False
        hit = sum(call.fault is not None for call in self.provider.calls) - before
        return self.note("storm", "provider", at, note=f"{hit} calls hit")

    async def fill_disk(self, seconds: float) -> Fault | None:
        if not self.disk.is_mounted:
            return None
        at = time.monotonic()
        papers = {id_ for id_ in self.under_way if self.runs[id_].kind == "paper"}
        await asyncio.to_thread(self.disk.fill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.disk.clear)
        papers |= {id_ for id_ in self.under_way if self.runs[id_].kind == "paper"}
        papers &= self.under_way
        return self.note("full disk", "store", at, note=f"{len(papers)} papers under way")

    async def recovered(self, fault: Fault) -> None:
        """Wait until everything that was under way has made progress, and note how long that took after the fault.

        A run has made progress when it has sent the provider a request, or has ended; a lost call, when it was
        repeated.
        """
        since = fault.at if fault.is_kill else fault.until
        runs = set(self.under_way)
        calls = list(self.provider.calls)
        lost = {call.label for call in calls if call.worker in fault.lives and (call.ended or since) >= since}
        if not runs and not lost:
            return

        def is_calm() -> bool:
            later = [call for call in list(self.provider.calls) if call.arrived > since]
            again = {call.label for call in later}
            waiting = runs - self.ended.keys() - {call.run for call in later}
            waiting |= {label for label in lost - again if run_of(label) not in self.ended}
            if waiting:
                fault.last = min(waiting)
            return not waiting

        await until(is_calm, RECOVERY_BOUND * 2)
        fault.recovery = time.monotonic() - since

    # --- judgement ----------------------------------------------------------------------------------------------------

    async def judge(self) -> Report:
        lost = dict.fromkeys(self.runs.keys() - self.started, "was never started")
        lost |= dict.fromkeys(self.under_way, "never ended")
        wrong: dict[str, str] = {}
        for id_, end in self.ended.items():
            if end.result is None:
                lost[id_] = end.error or "failed"
            else:
                given = await self._given(end.result)
                if given != self.runs[id_].content:
                    wrong[id_] = f"{json.dumps(given)} instead of {json.dumps(self.runs[id_].content)}"
        calls = list(self.provider.calls)
        needed = {label for run in self.runs.values() for label in run.labels}
        asked = {call.label for call in calls}
        kills_first = sorted(self.faults, key=lambda fault: (not fault.is_kill, fault.at))
        repeated, unexplained = explain(calls, kills_first)
        for fault in self.faults:
            fault.at, fault.until = fault.at - self.began, fault.until - self.began
        processes = [*self.workers, *(submitter.process for submitter in self.submitters)]
        return Report(
            seed=self.plan.seed,
            runs=len(self.runs),
            seconds=time.monotonic() - self.began,
            faults=self.faults,
            lost=lost,
            wrong=wrong,
            calls=len(calls),
            labels=len(needed),
            repeated=repeated,
            unexplained=unexplained,
            unexpected=[*sorted(asked ^ needed), *self.provider.strays],
            left_running=await self._left_running(),
            ended_alone={process.name: process.ended_alone for process in processes if process.ended_alone},
            notes=self.notes,
        )

    async def _given(self, result: RunResult) -> Any:
        """The result of a run, in the form of `PlannedRun.content`."""
        content = result.content
        if self.runs[result.run_id].kind != "paper":
            return content
        data = await self.app.inference.storage.get(str(as_object(content)["url"]))
        text = zipfile.ZipFile(BytesIO(data)).read("word/document.xml").decode()
        right = self.runs[result.run_id].content
        return right if right in text else text

    async def _left_running(self) -> int:
        client = await client_of(self.app)
        count = 0
        for _ in range(20):  # visibility is a moment behind
            count = (await client.count_workflows("ExecutionStatus = 'Running'")).count
            if count == 0:
                break
            await asyncio.sleep(0.25)
        return count


async def until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds, for so many seconds at most; return whether it does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


@asynccontextmanager
async def set_up(plan: Plan, root: Path, say: Callable[[str], None]) -> AsyncGenerator[Chaos]:
    """Start everything that a plan needs in a folder, and yield it once it is ready; it ends with the block."""
    async with AsyncExitStack() as stack:
        disk = Disk(root / "disk")
        disk.mount()
        stack.callback(disk.unmount)
        provider = stack.enter_context(Provider(plan.seed))
        write_files(root, provider=provider.url, disk=disk.folder, method=METHOD)
        server = Server(root / "temporal.db", root / "server.log")
        await server.start()
        stack.callback(lambda: server.now.stop())
        proxy = await stack.enter_async_context(Proxy(server.now.port))
        home = {"HOME": str(root / "home"), "PIPELEX_TRUST_PROJECT": "1"}
        settings = load_settings(cwd=root, environ={**home, "TEMPORAL_ADDRESS": server.now.target})
        app = await stack.enter_async_context(Pipelex(settings, orchestrator="temporal"))
        client = await client_of(app)
        await namespace.register(client, await namespace.inspect(client, config_of(app)))

        behind = {**home, "TEMPORAL_ADDRESS": proxy.target}
        skew = skewed_clock()
        workers = [
            *(
                worker(root, f"router-{number}", behind, "--task-queue", "routers", "--scope", "router")
                for number in range(1, plan.routers + 1)
            ),
            worker(root, "runner-1", behind, "--task-queue", "runners", "--scope", "runner"),
            worker(root, "runner-2", {**behind, **(skew or {})}, "--task-queue", "runners", "--scope", "runner"),
        ]
        runs = planned_runs(plan.runs, Random(f"{plan.seed} runs"))
        submitters = [
            submitter(root, f"submitter-{number}", behind, share, plan.window)
            for number, share in enumerate(shares(runs, SUBMITTERS), 1)
        ]
        for process in (*workers, *(each.process for each in submitters)):
            stack.callback(process.kill)
        chaos = Chaos(
            plan, {run.id: run for run in runs}, provider, proxy, server, disk, workers, submitters, app,
            time.monotonic(), say,
        )  # fmt: skip
        chaos.notes = [*_notes(disk, is_skewed=skew is not None)]
        yield chaos


def worker(root: Path, name: str, environ: dict[str, str], *arguments: str) -> Process:
    ready = root / f"{name}.ready"
    command = ["-m", "pipelex.cli", "worker", *arguments, "--ready-file", str(ready)]
    return Process(name, command, root, environ, ready)


def submitter(root: Path, name: str, environ: dict[str, str], share: list[PlannedRun], window: int) -> Submitter:
    arguments = ["-m", "bench.chaos.submitter", str(root), name, str(window)]
    return Submitter(Process(name, arguments, root, environ), share)


def _notes(disk: Disk, *, is_skewed: bool) -> Sequence[str]:
    return (
        f"the store is a file system of {DISK_BYTES // 2**20} MiB, which a full disk fills to the last byte"
        if disk.is_mounted
        else "no full disk: only root on Linux may mount the small file system that it needs",
        f"the clock of runner-2 was {SKEW_SECONDS // 60} minutes ahead throughout"
        if is_skewed
        else "no clock was off: that needs Debian's libfaketime (or LIBFAKETIME=its libfaketime.so.1)",
        "times depend on the machine; the seed fixes the runs, the faults, their order and the provider's delays",
    )


def to_people(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def carry_out(plan: Plan, root: Path, say: Callable[[str], None] = to_people) -> Report:
    """Carry out a plan in an empty folder."""
    async with set_up(plan, root, say) as chaos:
        keeping = [asyncio.create_task(process.keep()) for process in chaos.workers]
        try:
            if not await until(lambda: all(process.is_ready for process in chaos.workers), READY_SECONDS):
                raise RuntimeError(f"the workers did not get ready; see the logs in {root}")
            chaos.began = time.monotonic()
            keeping += [asyncio.create_task(each.keep()) for each in chaos.submitters]
            watching = asyncio.create_task(chaos.watch())
            injecting = asyncio.create_task(chaos.inject())
            keeping += [watching, injecting]
            await asyncio.wait((watching, injecting), timeout=plan.minutes * 60, return_when=asyncio.FIRST_COMPLETED)
            for task in (watching, injecting):
                if task.done():
                    task.result()
            injecting.cancel()
            await asyncio.wait((injecting,))
            await chaos.server.ensure()
            return await chaos.judge()
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
