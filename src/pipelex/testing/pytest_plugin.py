"""Fixtures for tests of methods.

A test suite asks for them, in its `conftest.py`:

```python
pytest_plugins = ["pipelex.testing.pytest_plugin"]
```

They are not registered automatically, so pytest does not start slower just because Pipelex is installed.
"""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipelex.testing import ScriptedModel, dry, scripted

if TYPE_CHECKING:
    from pipelex.runner import Pipelex
    from pipelex.temporal.dev_server import DevServer


@pytest.fixture
def scripted_model() -> ScriptedModel:
    """A model without any answer yet; a test adds them to its `answers` and `pipes`, or sets `respond`."""
    return ScriptedModel()


@pytest.fixture
def pipelex_app(scripted_model: ScriptedModel) -> "Iterator[Pipelex]":
    """An in-process runtime whose models `scripted_model` answers for; see `pipelex.testing.scripted`."""
    with scripted(scripted_model) as app:
        yield app


@pytest.fixture
def dry_app() -> "Iterator[Pipelex]":
    """A runtime whose runs are all dry; see `pipelex.testing.dry`."""
    with dry() as app:
        yield app


@pytest.fixture(scope="session")
def pipelex_server() -> "Iterator[DevServer]":
    """A Temporal server in memory, one for the whole session, for `pipelex.testing.durable(…, server=…)`.

    It comes with the extra `dev-server`. With several processes of pytest-xdist, each has its own.
    """
    from pipelex.temporal.dev_server import DevServer

    server = DevServer()
    with asyncio.Runner() as runner:  # not in a thread, because the server ends with the thread that started it
        runner.run(server.start())
    try:
        yield server
    finally:
        server.stop()
