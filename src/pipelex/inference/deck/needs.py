"""The keys that some clients require in a backend's table."""

from collections.abc import Iterable
from typing import Final

from pipelex.inference.deck.schema import BackendTable

_VERSIONED: Final = frozenset({"azure_openai", "azure_openai_responses"})
"""Clients whose API wants its version in every request, unless the address ends with `/v1`."""

_ADDRESSED: Final = _VERSIONED | {"azure_document_intelligence"}
"""Clients without a default address."""


def missing_keys(sdks: Iterable[str | None], table: BackendTable) -> list[str]:
    """The keys that the clients of a backend's models require and that its table lacks."""
    found = set(sdks)
    missing: list[str] = []
    if not table.endpoint and found & _ADDRESSED:
        missing.append("endpoint")
    if found & _VERSIONED and not is_unversioned(table.endpoint) and not (table.model_extra or {}).get("api_version"):
        missing.append("api_version")
    return missing


def is_unversioned(endpoint: str | None) -> bool:
    """Whether the API at an address takes requests without a version, which a path ending in `/v1` shows."""
    return (endpoint or "").rstrip("/").endswith("/v1")
