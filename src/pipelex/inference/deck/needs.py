"""Keys of a backend's table that some clients cannot do without."""

from collections.abc import Iterable
from typing import Final

from pipelex.inference.deck.schema import BackendTable

_VERSIONED: Final = frozenset({"azure_openai", "azure_openai_responses"})
"""Clients of an API whose requests name its version, unless the address ends with `/v1`."""

_ADDRESSED: Final = _VERSIONED | {"azure_document_intelligence"}
"""Clients without a usual address."""


def missing_keys(sdks: Iterable[str | None], table: BackendTable) -> list[str]:
    """The keys that a backend's table lacks for the clients of its models."""
    found = set(sdks)
    missing: list[str] = []
    if not table.endpoint and found & _ADDRESSED:
        missing.append("endpoint")
    if found & _VERSIONED and not is_unversioned(table.endpoint) and not (table.model_extra or {}).get("api_version"):
        missing.append("api_version")
    return missing


def is_unversioned(endpoint: str | None) -> bool:
    """Whether an address is that of an API whose requests name no version."""
    return (endpoint or "").rstrip("/").endswith("/v1")
