"""A namespace without the search attributes: who registers them, who may not, and who cannot tell."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from pipelex.temporal.client import namespace
from pipelex.temporal.config import parse_temporal_config
from pipelex.temporal.dev_server import DevServer
from tests.distributed.tls_gate import PERMISSION_DENIED, UNAVAILABLE, Gate, gate
from tests.support.processes import process, wait_for_file
from tests.support.project import Project, write_project

pytestmark = pytest.mark.slow

NAMES = ("PipeCode", "DomainCode", "PipelineRunId", "SessionId", "UserId")


@dataclass
class Site:
    """A project before a gate before a server that knows no search attribute."""

    project: Project
    gate: Gate
    server: DevServer

    async def missing(self) -> tuple[str, ...]:
        config = parse_temporal_config(self.project.settings())
        return (await namespace.inspect(await Client.connect(self.server.target), config)).missing

    async def pipelex(self, *arguments: str) -> tuple[int | None, str]:
        """Status and words of a command."""
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pipelex.cli", *arguments),
            cwd=self.project.root,
            env={**os.environ, **self.project.environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(done.communicate(), 60)
        return done.returncode, said.decode()

    async def worker(self) -> str:
        """What a worker has said when it polls."""
        ready, log = self.project.root / "ready", self.project.root / "worker.log"
        arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready)]
        with process(arguments, cwd=self.project.root, environ=self.project.environ, log=log) as child:
            await asyncio.to_thread(wait_for_file, ready, child, log)
        return log.read_text(encoding="utf-8")


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with DevServer() as server, gate(server.target, None) as found:
        yield Site(write_project(tmp_path, stub="http://127.0.0.1:1/v1", target=found.target), found, server)


async def test_a_worker_that_may_registers_them(site: Site) -> None:
    assert await site.missing() == NAMES

    said = await site.worker()

    assert f"Registered search attributes in namespace 'default': {', '.join(NAMES)}" in said
    assert await site.missing() == ()


async def test_without_the_permission(site: Site) -> None:
    site.gate.refusals = {"AddSearchAttributes": PERMISSION_DENIED}

    for command in ("worker", "setup-temporal-namespace"):
        status, said = await site.pipelex(command)
        assert status == 2, said
        assert f"namespace 'default' does not know the search attributes {', '.join(NAMES)}" in said
        assert "pipelex setup-temporal-namespace --server tests" in said
        create = f"temporal operator search-attribute create --address {site.gate.target} --namespace default"
        assert f"{create} --name PipeCode --type Keyword" in said
        assert 'tcld namespace search-attributes add --namespace default --sa "PipeCode=Keyword"' in said
    status, said = await site.pipelex("setup-temporal-namespace", "--dry-run")
    assert (status, "Namespace 'default' lacks: PipeCode" in said) == (0, True)
    assert await site.missing() == NAMES


@pytest.mark.parametrize("status", [UNAVAILABLE, PERMISSION_DENIED])
async def test_an_operator_service_that_does_not_tell(site: Site, status: int) -> None:
    site.gate.refusals = {"ListSearchAttributes": status}

    said = await site.worker()

    assert "warning: the search attributes of namespace 'default' cannot be checked: The gate says no." in said
    assert "Pipelex worker is polling" in said
    code, said = await site.pipelex("setup-temporal-namespace")
    assert (code != 0, "temporal operator search-attribute create" in said) == (True, True)


async def test_none_are_checked_where_none_are_wanted(site: Site) -> None:
    with (site.project.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as settings:
        settings.write("[temporal.search_attributes]\nenabled = false\n")

    await site.worker()

    assert not any("OperatorService" in path for path in site.gate.paths)


async def test_a_namespace_is_made_on_demand(site: Site) -> None:
    settings = site.project.root / ".pipelex" / "pipelex.toml"
    given = settings.read_text(encoding="utf-8")
    key = "temporal_server_configs.tests.target_host"
    settings.write_text(
        given.replace(key, f'temporal_server_configs.tests.namespace = "made"\n{key}'), encoding="utf-8"
    )
    status, said = await site.pipelex("setup-temporal-namespace")
    assert status != 0
    assert "has no namespace 'made'" in said
    assert "pipelex setup-temporal-namespace --create --server tests" in " ".join(said.split())
    status, said = await site.pipelex("setup-temporal-namespace", "--create", "--retention-days", "2")
    assert status == 0, said
    assert "Made namespace 'made', which keeps closed runs for 2 days." in said
    status, said = await site.pipelex("setup-temporal-namespace", "--create")
    assert (status, "Made" in said) == (0, False), said
