import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mistral_project import DEPLOYMENT, EXPOSED, EXPOSED_METHOD, EXPOSED_SETTINGS
from mistral_stand_in.api import KEY, StandIn
from mistral_stand_in.server import TemporalServer
from tests.support.openai_server import OpenAIStub


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest_asyncio.fixture(scope="session")
async def stand_in() -> AsyncIterator[StandIn]:
    """Mistral's API and the Temporal server under it, for the session."""
    server = TemporalServer()
    try:
        api = await StandIn(await server.start(), server.target).start()
        yield api
        await api.stop()
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="session")
async def polling(stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The unmodified SDK's worker in this process, polling for what any test starts; see `mistral_project.serving`."""
    from mistral_project import write_mistral_project

    root: Path = tmp_path_factory.mktemp("worker")
    project = write_mistral_project(root, stub="http://127.0.0.1:1/v1", api=stand_in.url, more=EXPOSED_SETTINGS)
    (root / "exposed").mkdir()
    (root / "exposed" / "quay.mthds").write_text(EXPOSED_METHOD, encoding="utf-8")
    settings = project.settings()
    os.environ["MISTRAL_API_KEY"] = KEY
    from pipelex.mistral_workflows.config import parse_mistral_config
    from pipelex_mistral_workflows.environment import prepare

    config = parse_mistral_config(settings)
    port = prepare(settings, config)
    from pipelex_mistral_workflows.worker import _made

    classes, deployment = await asyncio.to_thread(_made, settings, config, ())
    EXPOSED.update(deployment.exposed)
    import mistralai.workflows as sdk
    from mistralai.workflows.core import worker as sdk_worker

    from own_workflow import OwnWorkflow

    health: list[Any] = []

    def health_server(*arguments: Any) -> Any:
        health.append(made(*arguments))
        return health[-1]

    made, sdk_worker.HealthServer = sdk_worker.HealthServer, health_server  # type: ignore[assignment,misc]

    work: asyncio.Task[Any] = asyncio.create_task(sdk.run_worker([*classes, OwnWorkflow]))
    for _ in range(600):
        assert not work.done(), work.exception()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.1)
    assert DEPLOYMENT in stand_in.heard
    yield
    await end(work)
    # A worker that was cancelled while it cleaned up leaves this one serving, in a thread that the loop waits for.
    for server in health:
        threading.Thread(target=server.shutdown, daemon=True).start()


async def end(work: asyncio.Task[Any]) -> None:
    """Cancel the SDK's worker. One that does not end is cancelled again, which its clean-up does not withstand."""
    for _ in range(3):
        work.cancel()
        await asyncio.wait([work], timeout=20)
        if work.done():
            return
        work.print_stack(file=sys.stderr)
