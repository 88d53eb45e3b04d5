"""The pipe that an effect is performed for, where the orchestrator tells it.

Scripts of tests use it; behaviour never does.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_asker: ContextVar[str | None] = ContextVar("pipelex_asker", default=None)


@contextmanager
def asked_by(pipe: str | None) -> Generator[None]:
    """Say for the block which pipe asks.

    Args:
        pipe: its code or reference; None where it is not known.
    """
    token = _asker.set(pipe)
    try:
        yield
    finally:
        _asker.reset(token)


def asker() -> str | None:
    """The code of the pipe that asks; None where nobody said it."""
    pipe = _asker.get()
    return None if pipe is None else pipe.rpartition(".")[2]
