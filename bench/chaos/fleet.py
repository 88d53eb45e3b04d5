"""The restarting processes of a chaos run: workers, the Temporal server, submitters; and the store's disk."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.chaos.runs import PlannedRun
from pipelex.temporal.dev_server import DevServer, die_with_parent
from tests.support.inference_files import write
from tests.support.processes import REPOSITORY, kill

HEARTBEAT_SECONDS: Final = 10
LIVES: Final = 200
"""The maximum number of times that a process is started."""
SKEW_SECONDS: Final = 420
"""How far the clock of one worker is ahead, in seconds."""
DISK_BYTES: Final = 4 * 1024 * 1024

SETTINGS: Final = f"""
[inference]
credentials_elsewhere = true
[runtime.storage.local]
path = "{{disk}}"
[temporal]
is_enabled = true
[temporal.worker_config]
default_task_queue = "routers"
default_activity_heartbeat_timeout = "{HEARTBEAT_SECONDS}s"
default_activity_start_to_close_timeout = "1m"
task_timeout = "5s"
retry_policy_config = {{{{ initial_interval = "0.2s", backoff_coefficient = 1.5, maximum_interval = "1s", maximum_attempts = 0 }}}}
[temporal.activity_queues]
llm.default = "runners"
act_doc_gen.default = "runners"
[temporal.queue_options.runners]
[temporal.worker_runtime_profiles.profiles.default]
graceful_shutdown_timeout = "0s"
sticky_queue_schedule_to_start_timeout = "3s"
"""

BACKENDS: Final = """
[openai]
endpoint = "{url}"
api_key = "${{OPENAI_API_KEY}}"
"""
MODELS: Final = """
[defaults]
sdk = "openai"
structure_method = "instructor/openai_tools"
inputs = ["text"]
outputs = ["text", "structured"]
[stub]
"""
ROUTING: Final = """
active = "all"
[profiles.all]
description = "Everything at the stand-in"
default = "openai"
"""
DECK: Final = """
[llm.choice_defaults]
for_text = "stub"
for_object = "stub"
"""


def write_files(root: Path, *, provider: str, disk: Path, method: str) -> None:
    """The project that workers and submitters share."""
    folder = root / ".pipelex" / "inference"
    write(
        folder,
        backends=BACKENDS.format(url=provider),
        backends__openai=MODELS,
        routing_profiles=ROUTING,
        deck__1_stub=DECK,
    )
    (root / ".pipelex" / "pipelex.toml").write_text(SETTINGS.format(disk=disk), encoding="utf-8")
    (root / "method.mthds").write_text(method, encoding="utf-8")


@dataclass
class Process:
    """A Python process that `keep` starts again whenever it ends."""

    name: str
    arguments: Sequence[str]
    root: Path
    environ: Mapping[str, str]
    ready_file: Path | None = None
    child: subprocess.Popen[bytes] | None = field(default=None, init=False)
    life: int = field(default=0, init=False)
    was_killed: bool = field(default=False, init=False)
    ended_alone: list[int] = field(default_factory=list[int], init=False)
    """The exit codes of the lives that ended without being killed."""

    @property
    def key(self) -> str:
        """The API key that the process sends to the provider; it identifies this life of this process."""
        return f"key-{self.name}-{self.life}-0123456789"

    def start(self) -> None:
        self.life += 1
        self.was_killed = False
        if self.ready_file is not None:
            self.ready_file.unlink(missing_ok=True)
        known = {key: value for key, value in os.environ.items() if not key.startswith(("PIPELEX_", "TEMPORAL_"))}
        with (self.root / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=self.root,
                env={**known, "PYTHONPATH": str(REPOSITORY), **self.environ, "OPENAI_API_KEY": self.key},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach only this process
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )

    @property
    def is_alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def is_ready(self) -> bool:
        return self.is_alive and (self.ready_file is None or self.ready_file.exists())

    def kill(self) -> None:
        self.was_killed = True
        if self.child is not None:
            kill(self.child)

    async def keep(self) -> None:
        """Start the process, and start it again half a second after each end, as a supervisor does."""
        while self.life < LIVES:
            self.start()
            while self.is_alive:
                await asyncio.sleep(0.05)
            if not self.was_killed and self.child is not None:
                self.ended_alone.append(self.child.returncode)
            await asyncio.sleep(0.5)


@dataclass
class Submitter:
    """A process that starts a share of the runs. After a kill, another process starts the runs that are left."""

    process: Process
    share: list[PlannedRun]

    @property
    def journal(self) -> Path:
        return self.process.root / f"{self.process.name}.journal"

    def started(self) -> set[str]:
        """The ids of the runs that are known to have been started."""
        return set(self.journal.read_text(encoding="utf-8").split()) if self.journal.exists() else set()

    @property
    def is_done(self) -> bool:
        return len(self.started()) == len(self.share)

    async def keep(self) -> None:
        """Run the process until its share is started, or until the process has been started too often."""
        while not self.is_done and self.process.life < LIVES:
            started = self.started()
            left = [asdict(run) for run in self.share if run.id not in started]
            (self.process.root / f"{self.process.name}.json").write_text(json.dumps(left), encoding="utf-8")
            self.process.start()
            while self.process.is_alive:
                await asyncio.sleep(0.05)
            if not self.process.was_killed and self.process.child is not None and self.process.child.returncode:
                self.process.ended_alone.append(self.process.child.returncode)


@dataclass
class Server:
    """A development server on a database file; after a kill, it comes back on the same port."""

    database: Path
    log: Path
    now: DevServer = field(init=False)

    async def start(self, port: int = 0) -> None:
        self.now = DevServer(database=self.database, port=port, log=self.log)
        await self.now.start()

    async def kill(self, seconds: float) -> float:
        """Kill the server, and start it again after some seconds; return the time of the kill."""
        process = self.now.process
        assert process is not None
        at = time.monotonic()
        process.kill()
        await asyncio.to_thread(process.wait)
        await asyncio.sleep(seconds)
        await self.start(self.now.port)
        return at

    async def ensure(self) -> None:
        """Start the server again if it is dead."""
        if self.now.process is None or self.now.process.poll() is not None:
            await self.start(self.now.port)


@dataclass
class Disk:
    """The folder of the store: a small file system of its own where this process may mount one."""

    folder: Path
    is_mounted: bool = field(default=False, init=False)

    def mount(self) -> None:
        self.folder.mkdir()
        mount = shutil.which("mount")
        if sys.platform != "linux" or os.geteuid() != 0 or mount is None:
            return
        command = [mount, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "chaos", str(self.folder)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """Fill the disk to the last byte."""
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (4096, 512, 1):
                with contextlib.suppress(OSError):
                    for _ in range(DISK_BYTES // size):
                        filler.write(b"\0" * size)

    def clear(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
            self.is_mounted = False


def skewed_clock() -> dict[str, str] | None:
    """The environment of a process whose clock is ahead; None if Debian's libfaketime is missing or does not work."""
    known = [os.environ.get("LIBFAKETIME", ""), *map(str, Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))]
    library = next((name for name in known if name and Path(name).is_file()), None)
    if library is None:
        return None
    environ = {
        "LD_PRELOAD": library, "FAKETIME": f"+{SKEW_SECONDS}s",
        # Only the time of day is shifted: with a shifted monotonic clock, threads would wait minutes for each other.
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    is_off = told.returncode == 0 and float(told.stdout) - time.time() > SKEW_SECONDS / 2
    return environ if is_off else None
