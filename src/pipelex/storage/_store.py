"""The content-addressed store of files, kept in a folder, in memory or in an object store."""

import asyncio
import hashlib
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from pipelex.config.own_files import OWN_FOLDER
from pipelex.content.files.kinds import extension_of, sniff, type_of_extension
from pipelex.errors import ConfigurationError, ErrorCategory, InputError, Location, PipelexError
from pipelex.storage._blobs import SCHEME, StoredBlob, check_format, check_name, key_of, make_key
from pipelex.storage._bounded import MAX_BYTES, MOST_KEPT, LargerThanAllowed, check_plain, read_bounded, too_large

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ClientConfig, MemoryStore, ObjectStore, RetryConfig

    from pipelex.config._sections import StorageSettings

T = TypeVar("T")

SIGNED_FOR = timedelta(hours=1)
"""The default time for which a signed URL is valid."""

_making = Lock()
_THREADS = 8
"""The most store operations that run at a time."""

_S3_VARIABLES = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_DEFAULT_REGION": "region",
    "AWS_REGION": "region",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ENDPOINT_URL_S3": "endpoint",
}
_GCS_VARIABLES = {
    "GOOGLE_APPLICATION_CREDENTIALS": "application_credentials",
    "GOOGLE_SERVICE_ACCOUNT": "service_account",
    "GOOGLE_SERVICE_ACCOUNT_KEY": "service_account_key",
}
_AZURE_VARIABLES = {
    "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
    "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
    "AZURE_STORAGE_ACCESS_KEY": "account_key",
    "AZURE_STORAGE_CLIENT_ID": "client_id",
    "AZURE_STORAGE_CLIENT_SECRET": "client_secret",
    "AZURE_STORAGE_TENANT_ID": "tenant_id",
    "AZURE_STORAGE_SAS_KEY": "sas_key",
}


@dataclass(frozen=True)
class Storage:
    """A store of blobs under their own SHA-256, and of bytes under names, in a folder, in memory or in an object store.

    The store is not opened before the first call. Writing is atomic: a blob is there as a whole or not at all.
    """

    settings: "StorageSettings"
    base_dir: Path
    """The folder against which a relative storage folder is resolved."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The environment variables with the store's credentials, under the names that its provider's tools use."""
    table: str = "runtime.storage"
    """The settings table that describes the store, for messages."""

    @classmethod
    def open(
        cls,
        settings: "StorageSettings",
        base_dir: Path,
        environ: Mapping[str, str] | None = None,
        *,
        table: str = "runtime.storage",
    ) -> "Storage":
        """The store that a table of settings describes.

        Raises:
            ConfigurationError: `uri_format` cannot name blobs, or no bucket or container is named.
        """
        check_format(settings.uri_format)
        if settings.method in ("s3", "gcp", "azure"):
            name = "container" if settings.method == "azure" else "bucket"
            if not getattr(getattr(settings, settings.method), name):
                key = f"{table}.{settings.method}.{name}"
                detail = f"{key} is empty, but {table}.method is {settings.method!r}"
                raise ConfigurationError(detail, advice=f"Set {key}.", location=Location(field=key))
        return cls(settings, base_dir, environ or {}, table)

    @property
    def label(self) -> str:
        """The place of the blobs, for messages; it holds no credentials."""
        settings = self.settings
        match settings.method:
            case "local":
                return f"the storage folder {settings.local.path!r}"
            case "in_memory":
                return "this process's memory"
            case "s3":
                return f"the S3 bucket {settings.s3.bucket!r}"
            case "gcp":
                return f"the Google Cloud bucket {settings.gcp.bucket!r}"
            case "azure":
                return f"the Azure container {settings.azure.container!r}"

    async def put(
        self,
        data: bytes,
        *,
        mime_type: str | None = None,
        filename: str | None = None,
        renewed_after: timedelta | None = None,
    ) -> StoredBlob:
        """Store some bytes; the same bytes are stored only once.

        Args:
            data: the bytes.
            mime_type: the media type; detected from the bytes if None.
            filename: the name that the file had.
            renewed_after: the age after which an existing blob is written again, so that a rule of the store that
                deletes by age counts from its last use; None to never write it again.

        Raises:
            PipelexError: `runtime.unavailable` or `runtime.misconfigured`: the store does not accept the bytes.
        """
        mime_type = mime_type or sniff(data, filename=filename)
        sha256 = await self._reached("name a file for", lambda: _digest(data))
        key = make_key(self.settings.uri_format, sha256, extension_of(mime_type))
        if not await self._has(key, len(data), renewed_after):
            attributes = None if self.settings.method == "local" else {"Content-Type": mime_type}
            await self._reached("write to", lambda: self._written(key, data, attributes))
        return StoredBlob(f"{SCHEME}://{key}", mime_type, len(data), sha256, filename)

    async def get(self, uri: str, *, most: int = MAX_BYTES) -> bytes:
        """The bytes of a blob, checked against their hash.

        Args:
            uri: a `pipelex-storage:` URI.
            most: the maximum size, in bytes, at which reading stops.

        Raises:
            PipelexError: `input.reference_not_found`: there is no such blob; `input.too_large`: it is larger;
                `input.file_unreadable`: its hash does not match; `runtime.unavailable` or `runtime.misconfigured`:
                the store cannot be read.
        """
        key, sha256 = key_of(uri)

        def read() -> tuple[bytes, str]:
            data = self._read(key, uri, most)
            return data, _digest(data)

        try:
            data, found = await self._reached("read", read)
        except FileNotFoundError:
            raise InputError("input.reference_not_found", f"there is no file {uri!r} in {self.label}") from None
        if found != sha256:
            raise InputError(
                "input.file_unreadable",
                f"the file {uri!r} in {self.label} has been altered: its bytes do not have the hash in its name",
                reason="hash_mismatch",
            )
        return data

    async def exists(self, uri: str) -> bool:
        """Whether the blob is there.

        Raises:
            PipelexError: the URI is not one of ours, or the store cannot be asked.
        """
        return await self._has(key_of(uri)[0])

    async def public_url(self, uri: str, *, expires_in: timedelta = SIGNED_FOR) -> str | None:
        """A signed URL at which anybody can read the blob for a limited time; None if the store cannot sign URLs.

        Everyone who has the URL can read the blob, so it may go into a response to a user, but not into a log or a
        history.

        Raises:
            PipelexError: the URI is not one of ours, or the store's credentials cannot sign.
        """
        import obstore
        from obstore.store import AzureStore, GCSStore, S3Store

        key, _ = key_of(uri)

        def signed() -> str | None:
            store = self._store
            return (
                obstore.sign(store, "GET", key, expires_in)
                if isinstance(store, S3Store | GCSStore | AzureStore)
                else None
            )

        return await self._reached("sign a URL for", signed)

    def mime_type(self, uri: str) -> str:
        """The media type for the extension in the URI.

        Raises:
            InputError: the URI is not one of ours.
        """
        return type_of_extension(key_of(uri)[0])

    # --- bytes under a name -------------------------------------------------------------------------------------------

    async def keep(self, name: str, data: bytes) -> None:
        """Store some bytes under a name, and replace any that were there; no URI leads to them.

        Args:
            name: a key without 64 hexadecimal digits in a row, which would make it the key of a blob.
            data: the bytes.

        Raises:
            PipelexError: `runtime.unavailable` or `runtime.misconfigured`: the store does not accept the bytes.
        """
        check_name(name)
        await self._reached("write to", lambda: self._written(name, data))

    async def kept(self, name: str) -> bytes | None:
        """The bytes that were last stored under a name; None if there are none.

        Raises:
            PipelexError: `runtime.unavailable` or `runtime.misconfigured`: the store cannot be read;
                `input.too_large`: it is larger than 128 MiB.
        """
        check_name(name)
        try:
            return await self._reached("read", lambda: self._read(name, name, MOST_KEPT))
        except FileNotFoundError:
            return None

    # --- the store itself ---------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The folder of a local store."""
        return (self.base_dir / Path(self.settings.local.path).expanduser()).absolute()

    @cached_property
    def _store(self) -> "ObjectStore":
        try:
            with _making:
                return self._made()
        except Exception as error:
            raise self._misconfigured(error) from None

    def _made(self) -> "ObjectStore":
        from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

        settings, environ = self.settings, self.environ
        match settings.method:
            case "local":
                self.folder.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER)  # only the user may read runs' files
                return LocalStore(self.folder, mkdir=True)
            case "in_memory":
                return _memory()
            case "s3":
                config = _filled(environ, _S3_VARIABLES, region=settings.s3.region, endpoint=settings.s3.endpoint)
                config.setdefault("region", "us-east-1")
                return S3Store(
                    settings.s3.bucket,
                    prefix=settings.s3.prefix or None,
                    client_options=_client(config.get("endpoint", "")),
                    retry_config=_RETRIES,
                    config=config,  # pyright: ignore[reportArgumentType]
                )
            case "gcp":
                config = _filled(environ, _GCS_VARIABLES, base_url=settings.gcp.endpoint)
                return GCSStore(
                    settings.gcp.bucket,
                    prefix=settings.gcp.prefix or None,
                    client_options=_client(settings.gcp.endpoint),
                    retry_config=_RETRIES,
                    config=config,  # pyright: ignore[reportArgumentType]
                )
            case "azure":
                config = _filled(environ, _AZURE_VARIABLES, account_name=settings.azure.account)
                return AzureStore(
                    settings.azure.container,
                    prefix=settings.azure.prefix or None,
                    client_options=_client(""),
                    retry_config=_RETRIES,
                    config=config,  # pyright: ignore[reportArgumentType]
                )

    def _read(self, key: str, named: str, most: int) -> bytes:
        if self.settings.method == "local":
            check_plain(self.folder / key, named)
        try:
            return read_bounded(self._store, key, most)
        except LargerThanAllowed as larger:
            raise too_large(named, self.label, most, larger.size) from None

    def _written(self, key: str, data: bytes, attributes: "Attributes | None" = None) -> None:
        import obstore

        obstore.put(self._store, key, data, attributes=attributes)
        if self.settings.method == "local":
            _open_like(self.folder, self.folder / key)

    async def _has(self, key: str, size: int | None = None, no_older: timedelta | None = None) -> bool:
        import obstore

        try:
            found = await self._reached("look into", lambda: obstore.head(self._store, key))
        except FileNotFoundError:
            return False
        is_recent = no_older is None or datetime.now(UTC) - found["last_modified"] < no_older
        return is_recent and (size is None or found["size"] == size)

    async def _reached(self, what: str, work: Callable[[], T]) -> T:
        """Run an operation of the store; its exceptions become `PipelexError`s, except for `FileNotFoundError`.

        It runs in one of our threads, not in the store library's coroutines. Their runtime calls back into Python from
        its own threads, which aborts the process if it is ending at that moment. The library's messages contain request
        URLs, so only their first line is passed on, without any query.
        """
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        try:
            return await asyncio.get_running_loop().run_in_executor(_threads(), work)
        except (FileNotFoundError, PipelexError):
            raise
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise self._misconfigured(error, f"may not {what}") from None
        except Exception as error:
            raise PipelexError(
                "runtime.unavailable",
                f"cannot {what} {self.label}: {_short(error)}",
                category=ErrorCategory.TRANSIENT,
                params={"dependency": "storage"},
                advice=f"Check [{self.table}], the free space, and that the store can be reached from this machine.",
            ) from None

    def _misconfigured(self, error: Exception, what: str = "cannot use") -> PipelexError:
        return PipelexError(
            "runtime.misconfigured",
            f"the credentials or settings of the storage {what} {self.label}: {_short(error)}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "storage"},
            advice=f"Check [{self.table}] and the store's credentials in the environment.",
        )


_RETRIES: "RetryConfig" = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
"""The number of retries and their total time. Both are small, because the caller retries the whole effect anyway."""


def _open_like(folder: Path, file: Path) -> None:
    """Give a new file, and the folders above it, the same access rights as the store's folder."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    with suppress(PermissionError):  # it belongs to another user who shares the folder
        file.chmod(mode & 0o666)
        for above in takewhile(lambda each: each != folder, file.parents):
            if stat.S_IMODE(above.stat().st_mode) != mode:
                above.chmod(mode)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")


@cache
def _memory() -> "MemoryStore":
    from obstore.store import MemoryStore

    return MemoryStore()


def _client(endpoint: str) -> "ClientConfig":
    return {"timeout": "120s", "connect_timeout": "10s", "allow_http": endpoint.startswith("http://")}


def _filled(environ: Mapping[str, str], variables: Mapping[str, str], **settings: str) -> dict[str, Any]:
    """The client's configuration from the environment, overridden by the settings that are not empty."""
    found = {name: environ[variable] for variable, name in variables.items() if environ.get(variable)}
    return {**found, **{name: value for name, value in settings.items() if value}}


def _short(error: Exception) -> str:
    line = str(error).partition("\n")[0].strip()
    words = [word.partition("?")[0] if "://" in word else word for word in line.split()]
    said = " ".join(words)
    return (said if len(said) <= 240 else said[:239] + "…") or type(error).__name__
