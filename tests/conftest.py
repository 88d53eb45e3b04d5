import asyncio
import os
from collections.abc import Iterator

import pytest
from temporalio.client import Client

from pipelex.config import load_settings
from pipelex.temporal.client import namespace
from pipelex.temporal.config import parse_temporal_config
from pipelex.temporal.dev_server import DevServer

os.environ.pop("COLUMNS", None)  # the width of a terminal that runs tests is no setting of what they try


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a Temporal server, so that `-m "not server"` leaves it out."""
    for item in items:
        if "temporal_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[DevServer]:
    """A development server in memory that knows the search attributes; one per session, or per worker of xdist."""
    server = DevServer()
    # A loop of its own, so that synchronous tests can use the server as well; not in a thread, since the server ends
    # with the thread that started it.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(_start(server))
    try:
        yield server
    finally:
        server.stop()


async def _start(server: DevServer) -> None:
    await server.start()
    client = await Client.connect(server.target, namespace=server.namespace)
    config = parse_temporal_config(load_settings(environ={"HOME": "/nonexistent"}))
    await namespace.register(client, await namespace.inspect(client, config))
