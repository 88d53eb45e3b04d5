"""Masks the secrets that this process knows in everything it logs or reports.

Every error masks them in its report when it is made, so no terminal, log, file or history can show them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

MASK = "***"
_SHORTEST = 4
"""The least length of a secret that is masked, in characters; a shorter text occurs inside ordinary words."""

_NO_KEYS = frozenset({"dummy", "empty", "local", "none", "no-key", "not-needed", "null", "ollama", "test", "unused"})
"""Placeholders for a key that a server demands but ignores. Masking these words would make texts unreadable."""

_known: dict[str, None] = {}


def hide(secrets: Iterable[str | None]) -> None:
    """Remember texts that must never be shown."""
    _known.update(dict.fromkeys(secret for secret in secrets if secret is not None and _is_worth_hiding(secret)))


def _is_worth_hiding(secret: str) -> bool:
    return len(secret) >= _SHORTEST and secret.casefold() not in _NO_KEYS


def without_secrets(text: str) -> str:
    """The text with every known secret masked."""
    for secret in _known:
        text = text.replace(secret, MASK)
    return text


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Plain JSON with each of its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(member, change) for key, member in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [mapped(member, change) for member in cast("list[Any]", value)]
    return value
