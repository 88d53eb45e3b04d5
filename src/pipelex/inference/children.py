"""Child processes of the runtime: which environment variables they may see, and how they are killed."""

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

_HARMLESS: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that any program may need and that hold no secret."""


def harmless(environ: Mapping[str, str] = os.environ, more: Iterable[str] = ()) -> dict[str, str]:
    """The environment variables that a child process may see.

    Args:
        environ: the variables to choose from.
        more: the names of further variables that it may see.
    """
    return {name: environ[name] for name in (*_HARMLESS, *more) if name in environ}


def kill_session(pid: int) -> None:
    """Kill the process that leads a session, and every process in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
