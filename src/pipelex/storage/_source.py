"""Reads the bytes behind any URL that a content holds, and moves them into the store."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from pipelex.content.files.kinds import sniff
from pipelex.errors import InputError
from pipelex.errors.json import Json, maybe
from pipelex.storage._blobs import SCHEME
from pipelex.storage._fetch import FetchPolicy, fetch, refused, shown_url
from pipelex.storage._store import Storage


@dataclass(frozen=True)
class Loaded:
    """The bytes behind a URL."""

    data: bytes
    mime_type: str
    filename: str | None = None
    base_url: str | None = None
    """The URL after redirects, if the bytes come from the network; relative links are resolved against it."""


async def load(
    url: str, *, storage: Storage, policy: FetchPolicy, mime_type: str | None = None, filename: str | None = None
) -> Loaded:
    """Read the bytes behind a URL: `pipelex-storage:`, `data:`, `http:`, `https:`, or `file:` if the policy allows it.

    Args:
        url: the URL; a path is taken as a `file:` URL.
        storage: the storage for `pipelex-storage:` URIs.
        policy: the policy for reading.
        mime_type: the media type that the content claims; if the bytes show another one, that one is used.
        filename: the file name in the content.

    Raises:
        PipelexError: `security.input_url_refused`, `input.url_unreachable`, `input.reference_not_found`,
            `input.too_large` or `input.file_unreadable`; `runtime.unavailable` for a store that is down.
    """
    scheme, colon, _ = url.partition(":")
    scheme = scheme.lower() if colon and len(scheme) > 1 else "file"
    match scheme:
        case "http" | "https":
            found = await fetch(url, policy)
            name = filename or found.filename
            return Loaded(found.data, sniff(found.data, declared=found.content_type, filename=name), name, found.url)
        case _ if scheme == SCHEME:
            data = await storage.get(url, most=policy.max_bytes)
            declared, name = mime_type or storage.mime_type(url), filename
        case "data":
            declared, data = _from_data_url(url)
            declared, name = declared or mime_type, filename
        case "file":
            path = _path(url, policy)
            data, declared, name = await asyncio.to_thread(_read, path, url, policy), mime_type, filename or path.name
        case _:
            raise refused(url, "scheme", "scheme_refused", f"files are not read from {scheme!r} URLs")
    if len(data) > policy.max_bytes:
        raise _too_large(url, policy, len(data))
    return Loaded(data, sniff(data, declared=declared, filename=name), name)


async def load_content(content: Mapping[str, Json], *, storage: Storage, policy: FetchPolicy) -> Loaded:
    """Read the file to which an Image or Document content refers.

    Raises:
        PipelexError: see `load`.
    """
    return await load(
        str(content.get("url", "")),
        storage=storage,
        policy=policy,
        mime_type=maybe(content.get("mime_type"), str),
        filename=maybe(content.get("filename"), str),
    )


async def normalized(content: Mapping[str, Json], *, storage: Storage, policy: FetchPolicy) -> dict[str, Json]:
    """An Image or Document content whose `data:` URL or local file has been moved into the store.

    A content whose URL is already a stored or a network one is returned unchanged.

    Raises:
        PipelexError: see `load` and `Storage.put`.
    """
    url = str(content.get("url", ""))
    scheme, colon, _ = url.partition(":")
    if colon and len(scheme) > 1 and scheme.lower() not in ("data", "file"):
        return dict(content)
    found = await load_content(content, storage=storage, policy=policy)
    blob = await storage.put(found.data, mime_type=found.mime_type, filename=found.filename)
    return {**content, **blob.content()}


def _from_data_url(url: str) -> tuple[str | None, bytes]:
    head, comma, payload = url[len("data:") :].partition(",")
    if not comma:
        raise _unreadable(url, "malformed", "it has no comma")
    mime_type, *options = (part.strip() for part in head.split(";"))
    if "base64" not in (option.lower() for option in options):
        return mime_type or None, unquote_to_bytes(payload)
    try:
        return mime_type or None, base64.b64decode("".join(unquote(payload).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(url, "malformed", f"its base64 cannot be decoded: {error}") from None


def _path(url: str, policy: FetchPolicy) -> Path:
    if not policy.allow_files:
        raise refused(url, "scheme", "local_file", "files of this machine are not read here; give a URL")
    if url[:5].lower() != "file:":
        return Path(url)
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise _unreadable(url, "other_machine", f"the file is on another machine, {parts.netloc!r}")
    return Path(url2pathname(parts.path))


def _read(path: Path, url: str, policy: FetchPolicy) -> bytes:
    try:
        if path.exists() and not path.is_file():  # reading a pipe or a device may never end
            raise _unreadable(url, "not_a_file", "it is not a file")
        with path.open("rb") as file:
            return file.read(policy.max_bytes + 1)
    except FileNotFoundError:
        raise InputError("input.reference_not_found", f"there is no file {shown_url(url)!r}") from None
    except (OSError, ValueError) as error:
        raise _unreadable(url, "unreadable", str(error)) from None


def _too_large(url: str, policy: FetchPolicy, size: int) -> InputError:
    limit = policy.max_bytes
    return InputError("input.too_large", f"{shown_url(url)!r} is larger than {limit} bytes", limit=limit, size=size)


def _unreadable(url: str, reason: str, why: str) -> InputError:
    return InputError("input.file_unreadable", f"{shown_url(url)!r} cannot be read: {why}", reason=reason)
