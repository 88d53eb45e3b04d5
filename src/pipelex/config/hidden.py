"""Secrets this process knows of: they are left out of whatever it logs or reports, whoever quotes them."""

from collections.abc import Iterable

MASK = "***"
_SHORTEST = 4
"""A shorter text is in every other word."""

_known: dict[str, None] = {}


def hide(secrets: Iterable[str | None]) -> None:
    """Remember texts that must never be shown."""
    _known.update(dict.fromkeys(secret for secret in secrets if secret is not None and len(secret) >= _SHORTEST))


def without_secrets(text: str) -> str:
    """The text without any secret that is known."""
    for secret in _known:
        text = text.replace(secret, MASK)
    return text
