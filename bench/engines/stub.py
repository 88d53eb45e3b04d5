"""The model server that every engine asks."""

import os
from typing import Final

_VARIABLE: Final = "PIPELEX_BENCH_STUB"


def address() -> str:
    """The address of the model server; modules that are imported after `set_address` read it."""
    return os.environ.get(_VARIABLE, "http://127.0.0.1:9/v1")


def set_address(url: str) -> None:
    """Tell every engine of this process where the model server is."""
    os.environ[_VARIABLE] = url
