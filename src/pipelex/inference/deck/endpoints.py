"""The address of a backend, from its table or from an environment variable that other clients use, too."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from pipelex.inference.deck.schema import BackendTable

_CHAT: Final = "/chat/completions"
"""The path of a chat request below an endpoint of OpenAI's protocol."""


def endpoint_of(table: BackendTable, environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The address of a backend, and the variable it comes from; the variable is None if the address is the table's."""
    for name, path in table.endpoint_variables.items():
        text = environ.get(name, "").strip()
        if text:
            return address_of(text, path, is_host=name.endswith("_HOST")), name
    return None if table.endpoint is None else base_of(table.endpoint), None


def base_of(endpoint: str) -> str:
    """An endpoint without the path of a chat request, which the clients add themselves."""
    return endpoint.rstrip("/").removesuffix(_CHAT) if endpoint.rstrip("/").endswith(_CHAT) else endpoint


def ollama_root(endpoint: str) -> str:
    """The address of an Ollama server, without the path of its OpenAI-compatible API."""
    return endpoint.rstrip("/").removesuffix("/v1")


def address_of(text: str, path: str = "", *, is_host: bool = False) -> str:
    """The URL for an address that a person wrote.

    Args:
        text: a URL, or a host with or without a port.
        path: the path to add if the address does not end with it.
        is_host: whether the address is an Ollama host: the port defaults to 11434, and `0.0.0.0` means this machine.
    """
    if "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    if is_host:
        host = parts.hostname or "127.0.0.1"
        host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        port = parts.port or (443 if parts.scheme == "https" else 11434)
        text = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path}"
    text = base_of(text).rstrip("/")
    return text if text.endswith(path) else text + path
