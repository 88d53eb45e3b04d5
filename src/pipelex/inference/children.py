"""Processes that the runtime starts: they have none of its keys, and an end."""

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

_HARMLESS: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that any program may need and that hold no secret."""


def harmless(environ: Mapping[str, str] = os.environ, more: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a process may see.

    Args:
        environ: the variables to look them up in.
        more: the names of further ones.
    """
    return {name: environ[name] for name in (*_HARMLESS, *more) if name in environ}


def kill_session(pid: int) -> None:
    """End a process that leads a session, with all that it started itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
