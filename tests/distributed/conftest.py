from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelex.temporal.dev_server import DevServer
from tests.support.methods import DESCRIBE_ALL, GREET
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub, temporal_server: DevServer, request: pytest.FixtureRequest) -> Project:
    """A project on the session's server, with a task queue of its own; `greet.mthds` and `all.mthds` are there."""
    name = "".join(character if character.isalnum() else "_" for character in request.node.name)[:60]
    project = write_project(tmp_path, stub=stub.url, target=temporal_server.target, queue=f"q_{name}_{tmp_path.name}")
    project.method(GREET, "greet.mthds")
    project.method(DESCRIBE_ALL, "all.mthds")
    return project
