"""Servers of models on this machine, looked for at their usual ports; nobody is asked without the user's consent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.inference.calls.guard import AnswerRefused, guarded

if TYPE_CHECKING:
    import httpx

USUAL_PORTS: Final[tuple[tuple[str, int], ...]] = (
    ("Ollama", 11434),
    ("LM Studio", 1234),
    ("vLLM", 8000),
    ("llama.cpp", 8080),
)
"""Servers and the ports they listen on where nobody says otherwise."""

_SECONDS: Final = 1.5
_MAX_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class LocalModelServer:
    """A server that answered."""

    name: str
    endpoint: str
    """Its address for OpenAI's protocol."""
    models: tuple[str, ...]
    """What it says it serves."""


async def find_local_servers(ports: Sequence[tuple[str, int]] = USUAL_PORTS) -> list[LocalModelServer]:
    """Ask ports of this machine which models are served there; what does not answer so is left out."""
    import httpx

    async with guarded(httpx.AsyncClient(timeout=_SECONDS, trust_env=False), _MAX_BYTES) as client:
        found = await asyncio.gather(*(_ask(client, name, port) for name, port in ports))
    return [server for server in found if server is not None]


async def _ask(client: "httpx.AsyncClient", name: str, port: int) -> LocalModelServer | None:
    root = f"http://127.0.0.1:{port}"
    # Ollama's own list serves where the compatible one is not there.
    for path, key, member in (("/v1/models", "data", "id"), ("/api/tags", "models", "name")):
        models = await _listed(client, root + path, key, member)
        if models is not None:
            return LocalModelServer(name, f"{root}/v1", models)
    return None


async def _listed(client: "httpx.AsyncClient", url: str, key: str, member: str) -> tuple[str, ...] | None:
    import httpx

    try:
        answer: Any = (await client.get(url)).raise_for_status().json()
    except (httpx.HTTPError, AnswerRefused, ValueError):
        return None
    items = cast("dict[str, Any]", answer).get(key) if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    tables = [cast("dict[str, Any]", item) for item in cast("list[Any]", items) if isinstance(item, dict)]
    return tuple(str(table[member]) for table in tables if table.get(member))
