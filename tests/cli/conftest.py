import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.trace import get_tracer_provider
from typer.testing import CliRunner

from pipelex.cli.main import app
from pipelex.pipes import spans
from pipelex.temporal.dev_server import DevServer
from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub
from tests.support.otlp_collector import Collector
from tests.support.project import Project, write_project


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """The command line in a project's folder, with nothing of the user's."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    def __call__(self, *args: str, stdin: str | None = None) -> Ended:
        """Run a command in this process."""
        found = CliRunner().invoke(app, list(args), input=stdin, prog_name="pipelex")
        return Ended(found.exit_code, found.stdout, found.stderr)

    @property
    def environ(self) -> dict[str, str]:
        known = {key: value for key, value in os.environ.items() if not key.startswith(("PIPELEX_", "TEMPORAL_"))}
        return {**known, **self.project.environ}

    def command(self, *args: str, stdin: str | int | None = None, seconds: float = 60.0) -> Ended:
        """Run the real command in a process of its own; `stdin` may be a descriptor."""
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelex.cli", *args],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.PIPE if isinstance(stdin, str) else subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            out, err = child.communicate(stdin if isinstance(stdin, str) else None, timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return Ended(child.returncode, out, err)


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


def _cli(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.chdir(project.root)
    for name in os.environ:
        if name.startswith(("PIPELEX_", "TEMPORAL_", "FORCE_COLOR")):
            monkeypatch.delenv(name)
    for name, value in project.environ.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Cli(project)
    root.handlers[:] = handlers
    root.setLevel(level)
    _stop_watching()


def _stop_watching() -> None:
    """Have no span of later tests go where a command of this process was told to send them."""
    if spans.observer() is not None:
        spans.uninstall()
        stop = getattr(get_tracer_provider(), "shutdown")  # noqa: B009 the interface leaves it to implementations
        stop()


@pytest.fixture
def cli(tmp_path: Path, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """A project that runs in-process; `greet.mthds` is in its folder."""
    project = write_project(tmp_path, stub=stub.url)
    project.method(GREET, "greet.mthds")
    yield from _cli(project, monkeypatch)


@pytest.fixture
def durable_cli(
    tmp_path: Path, stub: OpenAIStub, temporal_server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    """As `cli`, on the session's Temporal server with a task queue of its own and no worker."""
    project = write_project(tmp_path, stub=stub.url, target=temporal_server.target, queue=f"cli-{tmp_path.name}")
    project.method(GREET, "greet.mthds")
    yield from _cli(project, monkeypatch)
