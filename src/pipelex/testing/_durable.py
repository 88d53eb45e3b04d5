"""Durable runs in tests: a local Temporal server, and a worker in the test's own process."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.content.stuff import Json
from pipelex.runner import Pipelex
from pipelex.testing._runtimes import ScriptedPipelex, isolated
from pipelex.testing._script import ScriptedModel

if TYPE_CHECKING:
    from temporalio.worker import WorkerConfig

    from pipelex.runner._method import PathLike
    from pipelex.temporal.dev_server import DevServer

_SERVER: Final = "testing-kit"
"""The name of the test's server in the settings."""


@asynccontextmanager
async def durable(
    model: ScriptedModel,
    *,
    server: "DevServer | None" = None,
    project: "PathLike | None" = None,
    overrides: Mapping[str, Json] | None = None,
    allow_network: bool = False,
) -> AsyncGenerator[Pipelex]:
    """A runtime with a worker, whose runs are workflows, for the duration of the block. The script answers for models.

    It needs the extra `temporal`, and the extra `dev-server` if no server is given.

    Args:
        model: the script.
        server: a started server, which several tests may share; if None, an in-memory server is started for the block.
        project: see `scripted`.
        overrides: see `scripted`.
        allow_network: see `scripted`. Connections of the Temporal SDK are never intercepted.
    """
    from pipelex.temporal.dev_server import DevServer

    async with AsyncExitStack() as opened:
        if server is None:
            server = await opened.enter_async_context(DevServer())
        settings = opened.enter_context(
            isolated(project, {**_settings(server), **(overrides or {})}, allow_network=allow_network)
        )
        app = await opened.enter_async_context(ScriptedPipelex(model, settings, orchestrator="temporal"))
        await opened.enter_async_context(_worker(app))
        yield app


def _settings(server: "DevServer") -> dict[str, Json]:
    """Settings with the server, a task queue that no other worker polls, and short waits."""
    place = f"temporal.temporal_config.temporal_server_configs.{_SERVER}"
    return {
        "temporal.temporal_config.selected_server": _SERVER,
        f"{place}.target_host": server.target,
        f"{place}.namespace": server.namespace,
        "temporal.worker_config.default_task_queue": f"testing-{token_hex(6)}",
        "temporal.worker_config.retry_policy_config.initial_interval": "0:00:00.05",
        "temporal.worker_runtime_profiles.profiles.default.graceful_shutdown_timeout": "0:00:00",
    }


@asynccontextmanager
async def _worker(app: Pipelex) -> AsyncGenerator[None]:
    from pipelex.temporal.client import namespace
    from pipelex.temporal.client.orchestrator import TemporalOrchestrator
    from pipelex.temporal.plugin import PipelexPlugin
    from pipelex.temporal.worker.build import build_worker, plan_worker, running
    from pipelex.testing._pipe_names import PipeNames

    class TestPlugin(PipelexPlugin):
        """The plugin of a worker, which also passes on the names of the asking pipes."""

        def configure_worker(self, config: "WorkerConfig") -> "WorkerConfig":
            configured: dict[str, Any] = {**super().configure_worker(config)}
            configured["interceptors"] = [*configured.get("interceptors", ()), PipeNames()]
            return cast("WorkerConfig", configured)

    orchestrator = cast("TemporalOrchestrator", app.orchestrator)
    client = (await orchestrator.cluster()).client
    await namespace.register(client, await namespace.inspect(client, orchestrator.config))
    plugin = TestPlugin(orchestrator.config, app.inference)
    async with running(build_worker(client, plan_worker(orchestrator.config), plugin)):
        yield
