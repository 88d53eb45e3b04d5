"""The process that serves the local model: it starts when it is first needed, and ends with its parent."""

import atexit
import contextlib
import importlib.util
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, PipelexError

_START_SECONDS = 120.0


@dataclass(frozen=True)
class LocalModel:
    """The model that a server process serves, with its options."""

    path: Path
    alias: str
    """The name under which the model is served."""
    context: int
    """The size of the context, in tokens, which parallel requests share."""
    parallel: int
    """The maximum number of requests that are answered at the same time."""
    threads: int


@dataclass(frozen=True)
class Endpoint:
    """The address of a server process, and the key that it requires."""

    url: str
    api_key: str


class LocalServer:
    """One server process, started when it is first needed, and restarted when it has died."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def ensure(self) -> Endpoint:
        """Start the process unless it is running, and return its endpoint.

        Raises:
            PipelexError: the process does not start.
        """
        with self._lock:
            if self._child is not None and self._child.poll() is None and self._endpoint is not None:
                return self._endpoint
            self._stop()
            self._endpoint = self._start()
            return self._endpoint

    def stop(self) -> None:
        """End the process if it is running."""
        with self._lock:
            self._stop()

    def _start(self) -> Endpoint:
        key = secrets.token_urlsafe(24)
        model = self._model
        wanted = {
            "model": str(model.path),
            "alias": model.alias,
            "api_key": key,
            "context": model.context,
            "parallel": model.parallel,
            "threads": model.threads,
        }
        with tempfile.TemporaryFile() as log:
            child = subprocess.Popen(
                # The script is named by its path, because `-m` would import the whole package first.
                [sys.executable, "-P", str(Path(__file__).with_name("child.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # only the parent handles Ctrl-C in the terminal
            )
            self._child = child
            assert child.stdin is not None
            assert child.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(json.dumps(wanted).encode() + b"\n")
                child.stdin.flush()
            answer = _answer(child.stdout)
            child.stdout.close()
            if "address" in answer:
                return Endpoint(f"{answer['address']}/v1", key)
            self._stop()
            log.seek(0)
            said = " ".join(log.read()[-2000:].decode(errors="replace").split())[-300:]
        why = answer.get("error") or said or "it gave no reason"
        raise _does_not_start(model.alias, why)

    def _stop(self) -> None:
        child, self._child, self._endpoint = self._child, None, None
        if child is None:
            return
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def has_engine() -> bool:
    """Whether the engine of the local model is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def require_engine(alias: str) -> None:
    """Check that the engine of the local model is installed, before the model's file is fetched.

    Raises:
        PipelexError: the engine is not installed.
    """
    if not has_engine():
        raise _does_not_start(alias, "its engine, the package 'xllamacpp', is not installed")


def _does_not_start(alias: str, why: str) -> PipelexError:
    return PipelexError(
        "model.unavailable",
        f"the local model does not start: {why}",
        category=ErrorCategory.CONFIGURATION,
        params={"model": alias, "model_type": "llm", "reason": "start_failed"},
        model=alias,
        advice=(
            "Name an endpoint with: pipelex init; or set a provider's key such as OPENAI_API_KEY; or install the engine of the "
            f"tiny local model with: {install_command('local')}"
        ),
    )


def _answer(pipe: IO[bytes]) -> dict[str, Any]:
    """The line that the process writes when it is ready or has failed; empty when it ends without one."""
    deadline, found = time.monotonic() + _START_SECONDS, b""
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        piece = os.read(pipe.fileno(), 4096) if ready else b""
        if not piece:
            return {} if ready else {"error": f"it was not ready after {_START_SECONDS:.0f} seconds"}
        found += piece
    answer: dict[str, Any] = json.loads(found)
    return answer


_servers: dict[tuple[int, LocalModel], LocalServer] = {}
_servers_lock = threading.Lock()


def shared_server(model: LocalModel) -> LocalServer:
    """The one server of this process for a model; a forked process gets its own."""
    key = (os.getpid(), model)
    with _servers_lock:
        if key not in _servers:
            _servers[key] = LocalServer(model)
            atexit.register(_servers[key].stop)
        return _servers[key]
