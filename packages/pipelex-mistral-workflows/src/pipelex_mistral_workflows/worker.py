"""The worker of `pipelex worker --orchestrator mistral-workflows`: Mistral's SDK polls, and runs Pipelex's code."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from pipelex.config import Settings
from pipelex.errors import ConfigurationError, ErrorCategory, Fault, PipelexError
from pipelex.mistral_workflows.config import MistralWorkflowsConfig, check_backends, parse_mistral_config
from pipelex.mistral_workflows.factory import FACTORY
from pipelex.orchestration.ending import end_within
from pipelex.orchestration.workers import Serving, WorkerHooks, WorkerOptions
from pipelex_mistral_workflows.environment import prepare

_LOOK_SECONDS: Final = 0.1
_KILLED: Final = 130


_OF_OTHERS: Final = ("task_queue", "scope", "server", "profile", "metrics_address")
"""The options that only workers of other engines take."""


class MistralWorker:
    """The worker of a deployment; see `pipelex.orchestration.workers.EngineWorker`."""

    def check(self, settings: Settings, options: WorkerOptions) -> Sequence[Fault]:
        """See `EngineWorker.check`."""
        given = [name.replace("_", "-") for name in _OF_OTHERS if getattr(options, name) is not None]
        if not options.is_sandboxed:
            given.append("no-sandbox")
        if given:
            raise ConfigurationError(
                f"a worker of Mistral Workflows does not take --{given[0]}",
                advice="Leave it out; `[mistral_workflows]` says what the worker serves.",
            )
        return FACTORY.warnings_of_routes(settings)

    async def serve(self, settings: Settings, options: WorkerOptions, hooks: WorkerHooks) -> None:
        """See `EngineWorker.serve`."""
        config = parse_mistral_config(settings)
        port = prepare(settings, config)
        # The SDK must not be imported earlier, because it reads its settings when it is imported.
        classes, deployment = await asyncio.to_thread(_made, settings, config, options.libraries)
        from pipelex_mistral_workflows.deployment import serve

        serve(deployment)
        import mistralai.workflows as sdk

        poll = cast("Callable[[list[Any]], Coroutine[Any, Any, Any]]", sdk.run_worker)  # pyright: ignore[reportUnknownMemberType]

        def on_ready() -> None:
            exposed = [each.name for each in deployment.exposed.values()]
            facts = {
                "deployment": config.deployment_name,
                "api": config.server_url,
                "exposed": ", ".join(exposed) or "no pipe; `pipelex run` runs any pipe",
                "limited": ", ".join(config.lanes) or "no backend",
            }
            hooks.on_ready(Serving(facts=facts, fields=facts))

        try:
            await _until_stopped(poll(classes), port, on_ready, lambda: _stopping(config, hooks))
        finally:
            await deployment.inference.aclose()


def _stopping(config: MistralWorkflowsConfig, hooks: WorkerHooks) -> None:
    """End the process after `stop_timeout`, because the SDK waits without limit for its calls to be done."""
    hooks.on_stopping(None)
    end_within(config.worker_config.stop_timeout, hooks.on_giving_up)


def _made(settings: Settings, config: MistralWorkflowsConfig, libraries: tuple[Path, ...]) -> tuple[list[Any], Any]:
    """The workflow classes and their deployment. It also imports what a first call would import on the event loop."""
    from pipelex_mistral_workflows.activities import define_activities, define_lanes
    from pipelex_mistral_workflows.connections import share_connections
    from pipelex_mistral_workflows.deployment import Deployment
    from pipelex_mistral_workflows.exposing import exposed_pipes
    from pipelex_mistral_workflows.workflows import workflow_classes

    import_module("pydantic_ai.models.openai")
    exposed = exposed_pipes(settings, config)
    deployment = Deployment.of(settings, exposed=exposed)
    check_backends(config, settings, deployment.inference.deck.catalog.backends)
    for folder in (*libraries, *(settings.base_dir / each for each in config.exposed.libraries)):
        deployment.inference.trees.add_folder(folder)
    share_connections()
    define_activities()
    define_lanes(config.rate_limits)
    return workflow_classes(exposed.values(), config.execution_timeout), deployment


async def _until_stopped(
    work: Coroutine[Any, Any, Any], port: int, on_ready: Callable[[], None], on_stopping: Callable[[], None]
) -> None:
    """Run a worker until SIGINT or SIGTERM; a second signal ends the process at once."""
    polling = asyncio.ensure_future(work)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        if stop.is_set():
            os._exit(_KILLED)
        on_stopping()
        stop.set()
        polling.cancel()

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, ask_to_stop)
    telling = asyncio.ensure_future(_tell_when_ready(port, on_ready))
    try:
        await polling
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    except SystemExit as ended:  # the SDK says why in its log
        raise _refused(str(ended.code)) from None
    except Exception as failed:
        raise _refused(f"{type(failed).__name__}: {failed}") from failed
    finally:
        telling.cancel()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


async def _tell_when_ready(port: int, on_ready: Callable[[], None]) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            writer.close()
            on_ready()
            return


def _refused(why: str) -> PipelexError:
    return PipelexError(
        "runtime.unavailable",
        f"the worker of Mistral Workflows had to stop: {why}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "mistral_workflows"},
        advice="Check `[mistral_workflows] server_url` and the key; LOG_LEVEL=INFO shows what the SDK does.",
    )


WORKER = MistralWorker()
