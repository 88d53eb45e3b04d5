"""The pipe for which an effect is performed, as far as the orchestrator reports it.

Only test scripts use it; it never changes behaviour.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_asker: ContextVar[str | None] = ContextVar("pipelex_asker", default=None)


@contextmanager
def asked_by(pipe: str | None) -> Generator[None]:
    """Name the pipe that asks, for the length of the block.

    Args:
        pipe: its code or reference; None when it is not known.
    """
    token = _asker.set(pipe)
    try:
        yield
    finally:
        _asker.reset(token)


def asker() -> str | None:
    """The code of the pipe that asks; None when it is not known."""
    pipe = _asker.get()
    return None if pipe is None else pipe.rpartition(".")[2]
