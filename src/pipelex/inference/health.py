"""Checks whether backends answer: asks each for its models, with the key, the headers and the checks of its calls."""

import asyncio
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from pipelex.config.trust import stays_here
from pipelex.errors import ConfigurationError
from pipelex.inference.calls.connections import connection_failure
from pipelex.inference.calls.facts import Facts
from pipelex.inference.calls.guard import AnswerRefused, ToldFailure, guarded
from pipelex.inference.calls.tls import tls_of
from pipelex.inference.deck.catalog import Backend, Catalog, ModelEntry
from pipelex.inference.deck.endpoints import ollama_root
from pipelex.inference.local_servers import names_in

if TYPE_CHECKING:
    import httpx

SECONDS: Final = 4.0
"""The time limit for a backend's answer, in seconds."""

_MAX_BYTES: Final = 16 * 1024 * 1024
"""The maximum size of an answer, in bytes; a larger one is refused."""

_BEARER: Final = ("openai", "openai_responses", "mistral", "groq", "xai", "openrouter", "ollama", "google")
"""Each `sdk` whose service lists its models at `/models` of the endpoint, as OpenAI does."""

_SECONDS_HERE: Final = 0.5
"""The time limit for connecting to a server on this machine, in seconds."""

_NO_LIST: Final = (404, 405, 501)
"""The statuses with which a service says that it has no list of models."""
_UNDERSTOOD: Final = (400, 415, 422)
"""The statuses with which a service rejects a chat request that has no model and no messages."""


@dataclass(frozen=True)
class Answered:
    """The outcome of asking one backend."""

    detail: str
    is_there: bool
    """Whether something answers at its address."""
    is_well: bool = False
    """Whether a model service answers and accepts the key; a list of models must have one of the enabled models, if any."""
    is_refused: bool = False
    """Whether the service answers but rejects the key."""
    served: frozenset[str] | None = None
    """The models that it lists; None when it has no list."""


@dataclass(frozen=True)
class ServersHere:
    """The ready backends on this machine that need no key: which of their servers run, and which models those serve."""

    silent: frozenset[str]
    """The ids of the backends whose port nothing listens on."""
    served: Mapping[str, frozenset[str]]
    """The models of the backends that list them, by backend id."""

    @classmethod
    def of(cls, catalog: Catalog) -> Self:
        """Ask every such server that is running which models it has."""
        found = [
            backend
            for backend in catalog.backends.values()
            if backend.is_ready
            and not catalog.is_elsewhere(backend.id)
            and not backend.table.api_key
            and stays_here(backend.table.endpoint or "")
        ]
        there = [backend for backend in found if _is_listening(backend.table.endpoint)]
        answers = asyncio.run(ask(there)) if there else {}
        silent = frozenset(backend.id for backend in found if backend not in there)
        served = {name: answer.served for name, answer in answers.items() if answer.served is not None}
        return cls(silent, served)

    def lacks(self, model: ModelEntry, backend: Backend) -> bool:
        """Whether the server lists its models and this one is missing; models that the user's own files name never are."""
        is_own = model.handle in backend.table.models or backend.models_file is not None
        return not is_own and backend.id in self.served and not is_listed(model.model_id, self.served[backend.id])


def is_listed(model_id: str, served: Collection[str]) -> bool:
    """Whether a model is among those that a server lists; Ollama lists `llama3.2` as `llama3.2:latest`."""
    return model_id in served or f"{model_id}:latest" in served


def _is_listening(endpoint: str | None) -> bool:
    parts = urlsplit(endpoint or "")
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, timeout=_SECONDS_HERE).close()
    except OSError:
        return False
    return True


async def ask(backends: Sequence[Backend]) -> dict[str, Answered]:
    """Ask backends for their lists of models, all at the same time.

    Returns:
        The outcomes, by backend id; a backend whose service has no list to ask for is left out.
    """
    asked = {backend.id: (backend, auth) for backend in backends if (auth := _auth(backend)) is not None}
    found = await asyncio.gather(*(_ask(backend, auth) for backend, auth in asked.values()))
    return dict(zip(asked, found, strict=True))


def _auth(backend: Backend) -> dict[str, str] | None:
    """The headers that carry the key; None when the backend has no list to ask for."""
    sdks = {model.table.sdk for model in backend.models if model.table.model_type == "llm"}
    key = backend.table.api_key or ""
    if not backend.table.endpoint:
        return None
    if "anthropic" in sdks:
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    if sdks.isdisjoint(_BEARER):
        return None
    return {"authorization": f"Bearer {key}"} if key else {}


async def _ask(backend: Backend, auth: Mapping[str, str]) -> Answered:
    import httpx

    # Only the type of a failure is reported, because its text may quote an address with a password.
    try:
        async with guarded(httpx.AsyncClient(timeout=SECONDS, verify=tls_of(backend)), _MAX_BYTES) as client:
            client.headers.update({**backend.table.headers, **auth})
            return await _listed(client, backend)
    except ConfigurationError as wrong:
        return Answered(wrong.report.detail, is_there=False)
    except (httpx.HTTPError, httpx.InvalidURL, AnswerRefused, ValueError, RecursionError, ImportError) as failed:
        return _unreached(backend, failed)


def _unreached(backend: Backend, failed: Exception) -> Answered:
    found = connection_failure(Facts(failed, backend.id, "", "llm", backend.secrets, backend.variables))
    if found is None:
        return Answered(f"does not answer ({type(failed).__name__})", is_there=False)
    is_there = found.report.params.get("reason") in ("certificate", "plain_server")
    said = "cannot be checked" if is_there else "does not answer"
    return Answered(f"{said}: {found.report.detail}", is_there=is_there)


async def _listed(client: "httpx.AsyncClient", backend: Backend) -> Answered:
    address = (backend.table.endpoint or "").rstrip("/")
    response = await client.get(f"{address}/models")
    served = _served(response)
    if served is None and any(model.table.sdk == "ollama" for model in backend.models):
        served = _served(await client.get(f"{ollama_root(address)}/api/tags"), "models", "name")
    if served is None and (response.is_success or response.status_code in _NO_LIST):
        return await _without_list(client, address, response.status_code)
    if served is None:
        return _failed(response.status_code)
    wanted = {model.model_id for model in backend.models if model.table.model_type == "llm" and model.table.enabled}
    if not wanted:
        return Answered("answers; none of its language models is enabled", is_there=True, is_well=True, served=served)
    missing = sorted(model for model in wanted if not is_listed(model, served))
    few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    detail = f"answers, serves {len(wanted) - len(missing)} of {len(wanted)} language models"
    is_well = len(missing) < len(wanted)
    return Answered(f"{detail}; missing: {few}" if missing else detail, is_there=True, is_well=is_well, served=served)


async def _without_list(client: "httpx.AsyncClient", address: str, status: int) -> Answered:
    """The outcome for a service that lists no models, from its answer to an empty chat request."""
    try:
        answered = (await client.post(f"{address}/chat/completions", json={})).status_code
    except ToldFailure as told:
        answered = told.status_code or 400
    if answered in _UNDERSTOOD:
        return Answered("answers, but lists no models", is_there=True, is_well=True)
    return _failed(answered if answered in (401, 403) else status)


def _failed(status: int) -> Answered:
    if status in (401, 403):
        return Answered(f"refuses the key (status {status})", is_there=True, is_refused=True)
    if status in _NO_LIST or status < 300:
        return Answered(f"answers with status {status}: no language models are served there", is_there=True)
    return Answered(f"answers with status {status}", is_there=True)


def _served(response: "httpx.Response", key: str = "data", member: str = "id") -> frozenset[str] | None:
    names = names_in(response, key, member)
    return None if names is None else frozenset(name.removeprefix("models/") for name in names)
