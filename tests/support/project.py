"""A project folder whose models are a test server, and workers for it in this process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from temporalio.client import Client

from pipelex.config import Settings, load_settings
from pipelex.runner import Pipelex
from pipelex.temporal.plugin import PipelexPlugin
from pipelex.temporal.worker.build import build_worker, plan_worker, running
from tests.support.inference_files import OTHER_MODELS, STUB_MODELS, write_stub_inference
from tests.support.temporal import client_of, config_of

ATTEMPTS = 2
"""How often an effect is tried, whatever runs it."""

_SETTINGS = """
[inference]
transport_max_retries = {retries}
outages = {{ retry_seconds = 0, durable_retry_seconds = 0 }}

[temporal.temporal_config]
selected_server = "tests"
temporal_server_configs.tests.target_host = "{target}"

[temporal.worker_config]
default_task_queue = "{queue}"
default_activity_heartbeat_timeout = "10s"
retry_policy_config.initial_interval = "0:00:00.05"
retry_policy_config.maximum_attempts = {attempts}

[temporal.worker_runtime_profiles.profiles.default]
graceful_shutdown_timeout = "0:00:00"
"""


@dataclass(frozen=True)
class Project:
    """A folder with a configuration, and nothing of the user's."""

    root: Path
    queue: str

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.root / "home"), "PIPELEX_TRUST_PROJECT": "1"}

    def settings(self, overrides: dict[str, Any] | None = None) -> Settings:
        return load_settings(cwd=self.root, environ=self.environ, overrides=overrides)

    def app(self, orchestrator: str = "temporal", *, overrides: dict[str, Any] | None = None) -> Pipelex:
        return Pipelex(self.settings(overrides), orchestrator=orchestrator)

    def method(self, text: str, name: str = "method.mthds") -> Path:
        """Write a bundle file."""
        file = self.root / name
        file.write_text(text, encoding="utf-8")
        return file


def write_project(root: Path, *, stub: str, target: str = "127.0.0.1:1", queue: str = "tests") -> Project:
    """Make a project.

    Args:
        root: its folder.
        stub: endpoint of the model server, with `/v1`.
        target: `host:port` of the Temporal server.
        queue: the task queue of its workers.
    """
    write_stub_inference(root / ".pipelex" / "inference", stub, models=STUB_MODELS + OTHER_MODELS)
    text = _SETTINGS.format(target=target, queue=queue, retries=ATTEMPTS - 1, attempts=ATTEMPTS)
    (root / ".pipelex" / "pipelex.toml").write_text(text, encoding="utf-8")
    return Project(root, queue)


@asynccontextmanager
async def worker_of(app: Pipelex, *, client: Client | None = None) -> AsyncGenerator[PipelexPlugin]:
    """A worker of the app's task queue while the block runs."""
    # A first model call would load this on the event loop, where a busy machine takes longer than a short heartbeat.
    await asyncio.to_thread(import_module, "pydantic_ai.models.openai")
    plugin = PipelexPlugin(config_of(app), app.inference)
    if client is None:
        client = await client_of(app)
    async with running(build_worker(client, plan_worker(config_of(app)), plugin)):
        yield plugin
