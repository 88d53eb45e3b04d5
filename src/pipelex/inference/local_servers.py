"""Lists the models of an endpoint, and finds the model servers that run on this machine at their usual ports."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.inference.deck.endpoints import address_of, ollama_root

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

USUAL_PORTS: Final[tuple[tuple[str, int], ...]] = (
    ("Ollama", 11434),
    ("LM Studio", 1234),
    ("vLLM", 8000),
    ("llama.cpp", 8080),
)
"""Model servers and their default ports."""

_SECONDS: Final = 1.5
"""The time limit for an answer from a server at a usual port, in seconds."""
_SECONDS_AWAY: Final = 5.0
"""The time limit for an answer from an endpoint, which may be on another machine, in seconds."""
_MAX_BYTES: Final = 4 * 1024 * 1024
"""The maximum size of an answer, in bytes; a larger one is refused."""


@dataclass(frozen=True)
class LocalModelServer:
    """A model server on this machine that answered."""

    name: str
    endpoint: str
    """The base URL of the server for OpenAI's protocol."""
    models: tuple[str, ...]
    """The models that it says it serves."""
    is_ollama: bool = False
    """Whether it answers as Ollama does."""


@dataclass(frozen=True)
class EndpointListing:
    """The answer of an endpoint that is asked for its models."""

    models: tuple[str, ...] = ()
    """The models that it says it serves; empty when it lists none."""
    is_there: bool = False
    """Whether something answers."""
    needs_key: bool = False
    """Whether it requires a key, or rejected the one it was given."""
    is_ollama: bool = False
    """Whether it answers as Ollama does."""
    is_strange: bool = False
    """Whether its certificate could not be verified, for example because its authority is not known here."""


def usual_places(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The servers to look for, with their addresses; `OLLAMA_HOST` gives the address of Ollama when it is set."""
    found = [(name, f"http://127.0.0.1:{port}") for name, port in USUAL_PORTS]
    host = environ.get("OLLAMA_HOST", "").strip()
    if not host:
        return found
    named = ("Ollama", address_of(host, is_host=True))
    return [named, *(place for place in found if place[0] != "Ollama" and place[1] != named[1])]


async def find_local_servers(places: Sequence[tuple[str, str]]) -> list[LocalModelServer]:
    """Ask servers which models they have; those that do not answer are left out.

    Args:
        places: the servers and their addresses, without the path of the API; see `usual_places`.
    """
    from pipelex.inference.calls.guard import guarded

    async with guarded(_client(_SECONDS, is_here=True), _MAX_BYTES) as client:
        found = await asyncio.gather(*(_ask(client, name, root) for name, root in places))
    return [server for server in found if server is not None]


@dataclass(frozen=True)
class EndpointAccess:
    """The headers that an endpoint requires besides a key, and how its certificate is verified."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    ca_bundle: Path | None = None
    """The file with the certificate authorities to trust; the default ones when None."""
    verify: bool = True

    @property
    def tls(self) -> "SSLContext | bool":
        """The value that an HTTP client takes as `verify`.

        Raises:
            OSError: the file cannot be read, or holds no certificates.
        """
        from ssl import create_default_context

        return create_default_context(cafile=self.ca_bundle) if self.verify and self.ca_bundle else self.verify


async def list_endpoint(
    endpoint: str, api_key: str | None = None, access: EndpointAccess = EndpointAccess()
) -> EndpointListing:
    """Ask an endpoint of OpenAI's protocol which models it serves."""
    import httpx

    from pipelex.inference.calls.guard import AnswerRefused, guarded

    headers = {**access.headers, **({} if api_key is None else {"authorization": f"Bearer {api_key}"})}
    try:
        async with guarded(_client(_SECONDS_AWAY, tls=access.tls), _MAX_BYTES) as client:
            response = await client.get(f"{endpoint.rstrip('/')}/models", headers=headers)
            pulled = await _pulled(client, ollama_root(endpoint)) if response.status_code not in (401, 403) else None
    except (httpx.HTTPError, httpx.InvalidURL, AnswerRefused) as failed:
        return EndpointListing(is_strange="CERTIFICATE_VERIFY_FAILED" in str(failed))
    if response.status_code in (401, 403):
        return EndpointListing(is_there=True, needs_key=True)
    names = names_in(response, "data", "id") or pulled or ()
    return EndpointListing(names, is_there=True, is_ollama=pulled is not None)


def _client(seconds: float, *, is_here: bool = False, tls: "SSLContext | bool" = True) -> "httpx.AsyncClient":
    import httpx

    return httpx.AsyncClient(timeout=seconds, trust_env=not is_here, verify=tls)


async def _ask(client: "httpx.AsyncClient", name: str, root: str) -> LocalModelServer | None:
    listed, pulled = await _listed(client, f"{root}/v1/models", "data", "id"), await _pulled(client, root)
    models = listed if listed is not None else pulled
    if models is None:
        return None
    return LocalModelServer(name, f"{root}/v1", models, is_ollama=pulled is not None)


async def _pulled(client: "httpx.AsyncClient", root: str) -> tuple[str, ...] | None:
    """The models of an Ollama server, from its own API; None when no Ollama server answers."""
    return await _listed(client, f"{root}/api/tags", "models", "name")


async def _listed(client: "httpx.AsyncClient", url: str, key: str, member: str) -> tuple[str, ...] | None:
    import httpx

    from pipelex.inference.calls.guard import AnswerRefused

    try:
        return names_in(await client.get(url), key, member)
    except (httpx.HTTPError, AnswerRefused):
        return None


def names_in(response: "httpx.Response", key: str, member: str) -> tuple[str, ...] | None:
    """The names in a list of models; None where the answer is not a list.

    Args:
        response: the answer of a server.
        key: the member that holds the list: `data` in OpenAI's protocol, `models` in Ollama's own.
        member: the member of each item that holds the model's name: `id` or `name`.
    """
    try:
        answer: Any = response.json() if response.is_success else None
    except (ValueError, RecursionError):
        return None
    items = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    tables = [cast("dict[str, Any]", item) for item in cast("list[Any]", items) if isinstance(item, dict)]
    return tuple(str(table[member]) for table in tables if table.get(member))
