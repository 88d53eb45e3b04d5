"""The payload store as a driver of the Temporal SDK's external storage."""

import asyncio
from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from typing import Final, cast

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

from pipelex.durable.stored import StoredPayload
from pipelex.errors import ErrorCategory, InputError, PipelexError
from pipelex.storage import SCHEME, Storage
from pipelex.temporal.codec._limits import ENVELOPE, Allowance
from pipelex.temporal.codec._recent import RecentBlobs
from pipelex.temporal.config import MAX_PAYLOAD_BYTES
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.references import DRIVER, claim_of, of_claim
from pipelex.temporal.workflow.refusals import malformed, too_large

RENEWED_AFTER: Final = timedelta(days=1)
"""The age from which a payload that is stored again is also written again, so that deletion by age spares it."""

_MIME_TYPE: Final = "application/x-protobuf"


class PayloadStore(StorageDriver):
    """Stores encoded payloads under their SHA-256, each only once.

    Args:
        storage: the storage of payloads.
        limit: the maximum size of one payload, in bytes; a blob that is larger is not fetched.
    """

    def __init__(self, storage: Storage, limit: int = MAX_PAYLOAD_BYTES) -> None:
        self._storage = storage
        self._limit = limit
        self._recent = RecentBlobs()
        self._task: Allowance | None = None

    def within(self, allowance: Allowance) -> "PayloadStore":
        """The same store for one task, with an allowance for everything that the task fetches."""
        bounded = copy(self)
        bounded._task = allowance
        return bounded

    def name(self) -> str:
        """See base class."""
        return DRIVER

    def type(self) -> str:
        """See base class."""
        return "pipelex.payload-store"

    @property
    def label(self) -> str:
        """The place of the payloads, for messages; it holds no credentials."""
        return self._storage.label

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """See base class.

        Raises:
            PipelexError: the payloads cannot be stored (`runtime.unavailable` or `runtime.misconfigured`).
        """
        stored = await asyncio.gather(*map(self.put, payloads))
        return [StorageDriverClaim(claim_of(each)) for each in stored]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """See base class.

        Raises:
            ApplicationError: a claim is not valid, or the payloads are too large; the run that has them fails with the
                report.
            PipelexError: the store cannot be reached (`runtime.unavailable`), or it refuses or does not have a payload
                (`runtime.misconfigured`).
        """
        try:
            return await self._retrieved([of_claim(claim.claim_data) for claim in claims])
        except PipelexError as failed:
            if failed.report.category is not ErrorCategory.CONTENT:
                raise
            raise to_application_error(failed.report, may_retry=False) from None

    async def _retrieved(self, found: Sequence[StoredPayload]) -> list[Payload]:
        allowance = self._task or Allowance.of_task(self._limit)
        for stored in found:
            allowance.take(stored.size)
        return list(await asyncio.gather(*map(self.get, found)))

    async def put(self, payload: Payload) -> StoredPayload:
        """Store one encoded payload; see `store`."""
        data = payload.SerializeToString(deterministic=True)
        blob = await self._storage.put(data, mime_type=_MIME_TYPE, renewed_after=RENEWED_AFTER)
        stored = StoredPayload(key=blob.uri.removeprefix(f"{SCHEME}://"), size=blob.size)
        self._recent.add(_recent_key(stored), data)
        return stored

    async def get(self, stored: StoredPayload) -> Payload:
        """One encoded payload.

        Raises:
            PipelexError: the payload is larger than payloads may be (`request.too_large`), or its size is not the one
                in the reference (`request.malformed`); see `retrieve` for others.
        """
        most = self._limit + ENVELOPE
        if stored.size > most:
            raise too_large(f"{stored.size:,} stored bytes are more than {self._limit:,}", self._limit, stored.size)
        try:
            data = await self._recent.get(
                _recent_key(stored), lambda: self._storage.get(f"{SCHEME}://{stored.key}", most=stored.size)
            )
            payload = Payload.FromString(data)
        except (InputError, DecodeError) as lost:
            raise _lost(stored, self.label, lost) from None
        if len(data) != stored.size:
            raise _other_size(stored, len(data))
        return payload


def _recent_key(stored: StoredPayload) -> str:
    """The key of a blob, with its size, so that a reference with a wrong size cannot spoil a fetch for others."""
    return f"{stored.key} {stored.size}"


def _other_size(stored: StoredPayload, size: int) -> PipelexError:
    detail = f"a reference says that the payload '{stored.key}' has {stored.size:,} bytes, and it has {size:,}"
    return malformed(detail, "not_json")


def _lost(stored: StoredPayload, label: str, error: Exception) -> PipelexError:
    if isinstance(error, InputError) and error.code == "input.too_large":
        return _other_size(stored, cast("int", error.report.params["size"]))
    is_there = not isinstance(error, InputError) or error.code != "input.reference_not_found"
    what = "has been altered" if is_there else "is not there"
    return PipelexError(
        "runtime.misconfigured",
        f"the payload '{stored.key}' of {stored.size:,} bytes {what}: {label} is not the store it was written to, or it "
        "was deleted since",
        category=ErrorCategory.CONFIGURATION,
        params={"component": "payload_storage"},
        advice="Give every worker and client the same [temporal.payload_codec_config.storage_provider_config], and keep "
        "payloads longer than the namespace keeps histories.",
    )
