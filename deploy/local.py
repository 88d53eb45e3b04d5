"""A whole deployment on one machine: a development server and real worker processes, until Ctrl-C.

`python deploy/local.py deploy/per-provider` (or `deploy/per-provider/run.sh`). Each worker gets only the secrets that
its line in `workers.toml` names. Nothing is kept: the server's histories are in memory.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path

from workers import Deployment, WorkerSpec

from pipelex.errors import PipelexError
from pipelex.temporal.dev_server import DevServer, die_with_parent

READY_SECONDS = 120.0
GRACE_SECONDS = 40.0


class LocalDeployment:
    """The processes of a deployment.

    Args:
        deployment: what to start.
        server: the development server they share.
        ready_dir: the folder in which each worker writes a file once it polls.
    """

    def __init__(self, deployment: Deployment, server: DevServer, ready_dir: Path) -> None:
        self.deployment = deployment
        self._server = server
        self._ready_dir = ready_dir
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, worker: WorkerSpec) -> dict[str, str]:
        """The environment of a worker: everything but the secrets of other workers."""
        foreign = set(self.deployment.secrets) - set(worker.secrets)
        known = {name: value for name, value in os.environ.items() if name not in foreign}
        trusting = {"PIPELEX_TRUST_PROJECT": "1"}  # this folder's settings are the deployment's own
        return {
            **known,
            **trusting,
            "TEMPORAL_ADDRESS": self._server.target,
            "TEMPORAL_NAMESPACE": self._server.namespace,
        }

    async def set_up(self) -> None:
        """Register the search attributes once, so that workers do not race to do it."""
        command = [sys.executable, "-m", "pipelex.cli", "setup-temporal-namespace"]
        environment = self.environment(self.deployment.workers[0])
        done = await asyncio.create_subprocess_exec(
            *command, cwd=self.deployment.folder, env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        if await done.wait():
            raise SystemExit(1)

    def start(self) -> None:
        """Start every worker."""
        for worker in self.deployment.workers:
            for number in range(1, worker.processes + 1):
                name = worker.name if worker.processes == 1 else f"{worker.name}-{number}"
                command = [sys.executable, "-m", "pipelex.cli", *worker.arguments]
                self.processes[name] = subprocess.Popen(
                    [*command, "--ready-file", str(self._ready_dir / name)],
                    cwd=self.deployment.folder,
                    env=self.environment(worker),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C must reach only this process, which stops the workers
                    preexec_fn=die_with_parent if sys.platform == "linux" else None,
                )

    async def wait_until_ready(self) -> None:
        """Wait until every worker polls.

        Raises:
            SystemExit: a worker ended.
            TimeoutError: a worker took too long.
        """
        waiting = sorted(self.processes)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while waiting:
                    await asyncio.sleep(0.1)
                    for name in waiting:
                        if self.processes[name].poll() is not None:
                            raise SystemExit(f"worker {name} ended with status {self.processes[name].returncode}")
                    waiting = [name for name in waiting if not (self._ready_dir / name).exists()]
        except TimeoutError:
            raise TimeoutError(f"not ready after {READY_SECONDS:.0f} s: {', '.join(waiting)}") from None

    async def watch(self) -> None:
        """Report every worker that ends, until cancelled."""
        running = dict(self.processes)
        while True:
            await asyncio.sleep(0.5)
            for name, process in list(running.items()):
                if process.poll() is not None:
                    del running[name]
                    say(f"Worker {name} ended with status {process.returncode}; the others go on.")

    async def stop(self) -> None:
        """Let every worker drain, and kill those that do not end in time."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while any(process.poll() is None for process in self.processes.values()):
                    await asyncio.sleep(0.05)
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


def say(text: str) -> None:
    """Print a message for people on standard error; standard output stays free."""
    print(text, file=sys.stderr, flush=True)


def table(local: LocalDeployment, server: DevServer) -> str:
    """A table of the workers and what they poll, and how to run a method on them."""
    lines = [f"{local.deployment.description}: Temporal at {server.target}, UI at {server.ui_url or '(off)'}", ""]
    for worker in local.deployment.workers:
        pids = [process.pid for name, process in local.processes.items() if name.rstrip("-0123456789") == worker.name]
        absent = [secret for secret in worker.secrets if not os.environ.get(secret)]
        keys = f"without {', '.join(absent)}" if absent else f"{len(worker.secrets)} secrets"
        lines.append(
            f"  {worker.name:<10} polls {worker.task_queue:<20} scope {worker.scope:<15} "
            f"pid {', '.join(map(str, pids)):<10} {keys}"
        )
    folder = shlex.quote(str(local.deployment.folder))
    lines += [
        "",
        "Run a method on it, from another terminal:",
        f"  cd {folder} && TEMPORAL_ADDRESS={server.target} pipelex run METHOD",
        "Add a process to a pool:",
        f"  cd {folder} && TEMPORAL_ADDRESS={server.target} pipelex {shlex.join(local.deployment.workers[-1].arguments)}",
        "Ctrl-C ends everything.",
    ]
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> None:
    """Start everything, wait for a signal, end everything."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = DevServer(port=options.port, ui_port=None if options.headless else options.ui_port)
    with tempfile.TemporaryDirectory(prefix="pipelex-deploy-") as ready_dir:
        local = LocalDeployment(Deployment.read(options.folder), server, Path(ready_dir))
        try:
            await server.start()
            await local.set_up()
            local.start()
            await or_stop(local.wait_until_ready(), stop)
            if not stop.is_set():
                say(table(local, server))
                tell(options.ready_file, local, server)
                await or_stop(local.watch(), stop)
        finally:
            say("Stopping …")
            await local.stop()
            await asyncio.to_thread(server.stop)
            if options.ready_file is not None:
                options.ready_file.unlink(missing_ok=True)


async def or_stop(work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Await the work or a signal, whichever comes first."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        stopping.cancel()


def tell(ready_file: Path | None, local: LocalDeployment, server: DevServer) -> None:
    """Write the server's address and the workers' process ids as JSON, for programs."""
    if ready_file is None:
        return
    workers = {name: process.pid for name, process in local.processes.items()}
    part = ready_file.with_suffix(".part")
    part.write_text(json.dumps({"target": server.target, "workers": workers}), encoding="utf-8")
    part.replace(ready_file)


def main() -> None:
    """Read the command line, then run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a deployment's folder")
    parser.add_argument("--port", type=int, default=7233, help="of the Temporal server; 0 picks a free one")
    parser.add_argument("--ui-port", type=int, default=8233, help="of the web UI; 0 picks a free one")
    parser.add_argument("--headless", action="store_true", help="no web UI")
    parser.add_argument("--ready-file", type=Path, help="JSON with the server's address and the workers' process ids")
    options = parser.parse_args()
    try:
        asyncio.run(run(options))
    except (OSError, PipelexError) as failed:  # a `TimeoutError` is an `OSError`
        raise SystemExit(f"Error: {failed}") from None


if __name__ == "__main__":
    main()
