"""Blobs and their keys, which are made from the content's hash in the format that the settings choose."""

import re
from dataclasses import dataclass
from string import Formatter

from pipelex.errors import ConfigurationError, InputError, Json, Location

SCHEME = "pipelex-storage"
"""The scheme of our URIs; the rest of a URI is a key, which is the same for every kind of store."""

DEFAULT_FORMAT = "{hash}.{extension}"
_FIELDS = frozenset({"hash", "extension"})
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_HASH_CHARS = 64


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Some bytes in the store."""

    uri: str
    mime_type: str
    size: int
    sha256: str
    filename: str | None = None
    """The name that the file had; the store itself does not keep it."""

    def content(self) -> dict[str, Json]:
        """The members of an Image or Document content that describe the blob."""
        found: dict[str, Json] = {"url": self.uri, "mime_type": self.mime_type}
        return found if self.filename is None else {**found, "filename": self.filename}


def check_format(uri_format: str) -> str:
    """The format of keys, after checking that it can name blobs.

    Raises:
        ConfigurationError: it lacks `{hash}`, has an unknown placeholder, or makes keys that stores do not accept.
    """
    key = "runtime.storage.uri_format"
    advice = f'Write for example "{DEFAULT_FORMAT}".'
    try:
        fields = {name for _, name, _, _ in Formatter().parse(uri_format) if name is not None}
    except ValueError as error:
        detail = f"{key}: {uri_format!r} is not a format: {error}"
        raise ConfigurationError(detail, advice=advice, location=Location(field=key)) from None
    if unknown := sorted(fields - _FIELDS):
        detail = f"{key}: unknown placeholder {{{unknown[0]}}}; known are {{hash}} and {{extension}}"
        raise ConfigurationError(detail, advice=advice, location=Location(field=key))
    if "hash" not in fields or not _is_key(make_key(uri_format, "0" * _HASH_CHARS, "bin")):
        detail = f"{key}: {uri_format!r} must hold {{hash}} and otherwise only letters, digits and '._-/'"
        raise ConfigurationError(detail, advice=advice, location=Location(field=key))
    return uri_format


def make_key(uri_format: str, sha256: str, extension: str) -> str:
    """The key of a blob."""
    return uri_format.replace("{hash}", sha256).replace("{extension}", extension)


def key_of(uri: str) -> tuple[str, str]:
    """The key that a URI names, and the SHA-256 in it.

    Raises:
        InputError: it is not a `pipelex-storage:` URI, or its key cannot be the key of a blob.
    """
    scheme, colon, key = uri.partition("://")
    found = _HASH.search(key)
    if not colon or scheme.lower() != SCHEME or not _is_key(key) or found is None:
        shown = uri if len(uri) <= 120 else uri[:119] + "…"
        raise InputError("input.reference_not_found", f"{shown!r} names no stored file")
    return key, found[0]


def check_name(name: str) -> None:
    """Check a name for bytes that are kept beside the blobs.

    Raises:
        ValueError: the name could be a blob's key, or stores do not accept it.
    """
    if _KEY.fullmatch(name) is None or _HASH.search(name) is not None:
        raise ValueError(f"{name!r} cannot name what is kept beside the blobs")


def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and _HASH.search(key) is not None
