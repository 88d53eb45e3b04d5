from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelex.runner import Pipelex
from pipelex.temporal.dev_server import DevServer
from pipelex.testing import ScriptedModel, durable
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of, write_project

WITHOUT_STORE = {"temporal.payload_codec_config.is_enabled": False}


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, temporal_server: DevServer, request: pytest.FixtureRequest) -> Project:
    """A project on the session's server, with a task queue of its own."""
    name: str = request.node.name
    return write_project(tmp_path, stub=stub.url, target=temporal_server.target, queue=f"test-{name}-{tmp_path.name}")


@pytest_asyncio.fixture
async def idle(project: Project) -> AsyncIterator[Pipelex]:
    """The project's runtime, while no worker runs."""
    async with project.app() as app:
        yield app


@pytest_asyncio.fixture
async def app(idle: Pipelex) -> AsyncIterator[Pipelex]:
    """The project's runtime, with a worker in this process."""
    async with worker_of(idle):
        yield idle


@pytest_asyncio.fixture
async def unstored(project: Project) -> AsyncIterator[Pipelex]:
    """The project's runtime, with a worker in this process, where large payloads have nowhere to go."""
    async with project.app(overrides=WITHOUT_STORE) as app, worker_of(app):
        yield app


@pytest.fixture
def model() -> ScriptedModel:
    """A model without any answer yet, for tests in which nobody's protocol matters."""
    return ScriptedModel()


@pytest_asyncio.fixture
async def scripted_app(model: ScriptedModel, temporal_server: DevServer) -> AsyncIterator[Pipelex]:
    """A runtime on the session's server behind whose models `model` is, with a worker in this process."""
    async with durable(model, server=temporal_server) as app:
        yield app
