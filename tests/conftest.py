import asyncio
import gc
import os
import sys
import zlib
from collections.abc import Iterator

import pytest
from temporalio.client import Client

from pipelex.config import load_settings
from pipelex.temporal.client import namespace
from pipelex.temporal.config import parse_temporal_config
from pipelex.temporal.dev_server import DevServer

os.environ.pop("COLUMNS", None)  # the width of a terminal that runs tests is no setting of what they try


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--matrix", choices=("part", "all"), default="part", help="which cases of tests marked `matrix` to run"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs a Temporal server, so that `-m "not server"` leaves it out, and thin out the matrices."""
    left_out: list[pytest.Item] = []
    for item in items:
        if "temporal_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.server)
        matrix = item.get_closest_marker("matrix")
        if matrix is None or "callspec" not in vars(item):
            continue
        # A checksum of the name spreads the choice over rows and columns, and a new case does not change it for others.
        number = zlib.crc32(item.nodeid.encode())
        if number % matrix.kwargs.get("fast", 1):
            item.add_marker(pytest.mark.slow)
        if number % matrix.kwargs.get("each", 1) and config.getoption("matrix") == "part":
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


_modules = 0
"""The number of modules that were loaded when `_spare_what_is_loaded` last ran."""


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.set_threshold(50_000, 20, 20)
    _spare_what_is_loaded()


def pytest_runtest_teardown(item: pytest.Item) -> None:
    if len(sys.modules) > _modules + 100:
        _spare_what_is_loaded()


def _spare_what_is_loaded() -> None:
    """Keep the garbage collector from visiting the tests and the loaded libraries, a quarter of the suite's time."""
    global _modules
    gc.freeze()
    _modules = len(sys.modules)


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
