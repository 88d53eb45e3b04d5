"""Whether a worker is alive and ready, as probes and scripts ask."""

import asyncio
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest
from temporalio.client import Client

from pipelex.cli._shared.group import Misuse
from pipelex.cli.worker.flags import WorkerFlags
from pipelex.cli.worker.readiness import PATIENCE, Readiness
from pipelex.errors import PipelexError
from pipelex.temporal.client.connect import check_namespace
from pipelex.temporal.dev_server import DevServer
from tests.distributed.cluster import eventually
from tests.distributed.tls_gate import gate
from tests.support.openai_server import OpenAIStub
from tests.support.processes import free_port, process, wait_for_file
from tests.support.project import Project


def asked(port: int | None, path: str, method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode().strip()
    finally:
        connection.close()


async def eventually_so(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def test_a_worker_whose_server_is_silent_is_alive_and_not_ready(
    tmp_path: Path, temporal_server: DevServer
) -> None:
    file = tmp_path / "ready"
    async with gate(temporal_server.target, None) as between:
        client = await Client.connect(between.target)
        readiness = Readiness(file, 0, "127.0.0.1", patience=2.0)
        await readiness.open()

        async def ask(path: str, method: str = "GET") -> tuple[int, str]:
            return await asyncio.to_thread(asked, readiness.port, path, method)

        try:
            assert await ask("/healthz") == (200, "alive")
            assert await ask("/readyz") == (503, "not polling")
            readiness.set_ready(partial(check_namespace, client))
            assert await ask("/readyz") == (200, "ready")
            assert file.exists()
            between.is_cut = between.is_holding = True
            await eventually_so(lambda: not file.exists())
            status, said = await ask("/readyz")
            assert (status, said.partition(" for ")[0]) == (503, "the Temporal server has not answered")
            assert await ask("/healthz") == (200, "alive")
            between.is_cut = between.is_holding = False
            await eventually_so(file.exists)
            assert await ask("/readyz") == (200, "ready")
            readiness.set_stopping()
            assert await ask("/readyz") == (503, "not polling")
            assert not file.exists()
            assert await ask("/other") == (404, "not found")
            assert await ask("/readyz", "POST") == (405, "GET only")
        finally:
            await readiness.close()
    assert PATIENCE == 20


async def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(PipelexError, match="cannot be listened on"):
        await Readiness(None, 1, "192.0.2.1").open()


@pytest.mark.parametrize(
    ("port", "address", "expected"),
    [
        (None, None, ("0.0.0.0", None)),
        (8080, None, ("0.0.0.0", 8080)),
        (8080, "127.0.0.1", ("127.0.0.1", 8080)),
        (None, "127.0.0.1:8080", ("127.0.0.1", 8080)),
        (8080, "127.0.0.1:8080", ("127.0.0.1", 8080)),
        (None, ":8080", ("0.0.0.0", 8080)),
        (None, "[::1]:8080", ("::1", 8080)),
        (8080, "[::1]", ("::1", 8080)),
    ],
)
def test_where_the_health_port_is(port: int | None, address: str | None, expected: tuple[str, int | None]) -> None:
    assert WorkerFlags(health_port=port, health_address=address).health() == expected


@pytest.mark.parametrize(
    ("port", "address", "said"),
    [
        (None, "127.0.0.1", "has no port"),
        (None, "127.0.0.1:http", "is not a port"),
        (None, "127.0.0.1:70000", "is not a port"),
        (8080, "127.0.0.1:8081", "--health-port 8080"),
    ],
)
def test_health_ports_that_are_refused(port: int | None, address: str, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        WorkerFlags(health_port=port, health_address=address).health()


@pytest.mark.slow
def test_a_worker_s_own_ports(project: Project, stub: OpenAIStub) -> None:
    port, ready, log = free_port(), project.root / "ready", project.root / "log"
    arguments = ["--health-port", str(port), "--health-address", "127.0.0.1", "--ready-file", str(ready)]
    with process(
        ["-m", "pipelex.cli", "worker", *arguments], cwd=project.root, environ=project.environ, log=log
    ) as child:
        wait_for_file(ready, child, log)
        assert asked(port, "/healthz") == (200, "alive")
        assert asked(port, "/readyz") == (200, "ready")
        child.terminate()
        assert child.wait(30) == 0
    eventually(lambda: not ready.exists())
