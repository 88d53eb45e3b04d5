"""The local model: llama.cpp in a child process, shared by everything in this process that calls it."""

import asyncio
import atexit
import contextlib
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
from typing import IO, TYPE_CHECKING, Any

from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.chat.bounds import bounded, restored
from pipelex.inference.chat.openai import OpenAICompatible
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.inference.local.weights import default_cache, ensure_weights

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings

_START_SECONDS = 120.0
_SEED = 0
# A model this small gains nothing from more. One core stays free: the threads wait for each other spinning, so where
# they compete for cores with the program, all of them make a tenth of the speed of one.
_MOST_THREADS = 4


@dataclass(frozen=True)
class LocalModel:
    """Which model a server process serves, and with what."""

    path: Path
    alias: str
    context: int
    parallel: int
    threads: int


@dataclass(frozen=True)
class Endpoint:
    """Where a server process answers, and the key only this process knows."""

    url: str
    api_key: str


class LocalServer:
    """One server process, started when it is first needed and again when it died."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def ensure(self) -> Endpoint:
        """Start the process unless it runs; where it answers.

        Raises:
            PipelexError: it does not start.
        """
        with self._lock:
            if self._child is not None and self._child.poll() is None and self._endpoint is not None:
                return self._endpoint
            self._stop()
            self._endpoint = self._start()
            return self._endpoint

    def stop(self) -> None:
        """End the process, if it runs."""
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
                # By its path: as a module it would import the whole package first.
                [sys.executable, "-P", str(Path(__file__).parents[1] / "local" / "child.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is the parent's affair
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
        raise PipelexError(
            "model.unavailable",
            f"the local model does not start: {why}",
            category=ErrorCategory.CONFIGURATION,
            params={"model": model.alias, "model_type": "llm", "reason": "start_failed"},
            model=model.alias,
            advice=(
                f"Install its engine with: {install_command('local')}; or set a provider's key such as OPENAI_API_KEY."
            ),
        )

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


def _answer(pipe: IO[bytes]) -> dict[str, Any]:
    """The line the process writes when it is ready or has failed; empty when it ended, or takes too long."""
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


class LocalProvider(OpenAICompatible):
    """The client of the local model. What the entry's `max_tokens` leaves room for is bounded again, to stay quick."""

    text_tokens = 256
    object_tokens = 2048

    def __init__(self, backend: Backend, timeout: float) -> None:
        super().__init__(backend, timeout)
        self._known: Endpoint | None = None
        self._server: LocalServer | None = None
        self._starting = asyncio.Lock()
        self._parallel = _whole(backend, "parallel", 2)
        self._slots = asyncio.Semaphore(self._parallel)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._known.api_key,) if self._known is not None else ()

    @property
    def cuts_softly(self) -> bool:
        return True

    async def prepare(self, entry: ModelEntry) -> None:
        """The server is started by the first request, whose time is not limited here."""

    async def request(
        self,
        entry: ModelEntry,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        async with self._slots:
            endpoint = await self._ready(entry)
            client = self._client_of(endpoint)
            return await self._chat_model(entry, client).request(messages, settings, parameters)

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        request = super().request_settings(entry, settings, is_structured=is_structured)
        request["seed"] = _SEED
        if "max_tokens" not in request:
            request["max_tokens"] = self.object_tokens if is_structured else self.text_tokens
        return request

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return bounded(schema)

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        return restored(value, schema)

    async def _ready(self, entry: ModelEntry) -> Endpoint:
        async with self._starting:
            if self._server is None:
                self._server = shared_server(await asyncio.to_thread(self._model, entry))
            return await asyncio.to_thread(self._server.ensure)

    def _model(self, entry: ModelEntry) -> LocalModel:
        chosen = str(self._backend.extra.get("model_path") or "")
        cache = str(self._backend.extra.get("cache_dir") or "")
        path = Path(chosen) if chosen else ensure_weights(Path(cache) if cache else default_cache())
        threads = max(1, min((os.cpu_count() or 1) - 1, _MOST_THREADS))
        return LocalModel(path, entry.model_id, _whole(self._backend, "context", 8192), self._parallel, threads)

    def _client_of(self, endpoint: Endpoint) -> "AsyncOpenAI":
        known = self._clients.get(endpoint.url) if endpoint == self._known else None
        if known is None:
            known = self._connected(endpoint.url, endpoint.api_key)
            self._clients[endpoint.url] = known
            self._known = endpoint
        return known


def _whole(backend: Backend, key: str, default: int) -> int:
    value = backend.extra.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PipelexError(
            "runtime.misconfigured",
            f"'{backend.id}.{key}' in backends.toml must be a whole number of at least 1, not {value!r}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "configuration"},
        )
    return value
