"""The payload store as a driver of the Temporal SDK's external storage."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

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
from pipelex.temporal.codec._recent import RecentBlobs
from pipelex.temporal.workflow.references import DRIVER, claim_of, of_claim

RENEWED_AFTER: Final = timedelta(days=1)
"""A payload that is stored again after this is written again, so that deleting by age spares what is in use."""

_MIME_TYPE: Final = "application/x-protobuf"


class PayloadStore(StorageDriver):
    """Encoded payloads under their own SHA-256, each stored once.

    Args:
        storage: the storage of payloads.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._recent = RecentBlobs()

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
            PipelexError: `runtime.unavailable` or `runtime.misconfigured`: the store does not take them.
        """
        stored = await asyncio.gather(*map(self.put, payloads))
        return [StorageDriverClaim(claim_of(each)) for each in stored]

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """See base class.

        Raises:
            PipelexError: `runtime.unavailable`: the store cannot be reached; `runtime.misconfigured`: it refuses, or
                does not have what was stored.
        """
        return list(await asyncio.gather(*(self.get(of_claim(claim.claim_data)) for claim in claims)))

    async def put(self, payload: Payload) -> StoredPayload:
        """Store one encoded payload; see `store`."""
        data = payload.SerializeToString(deterministic=True)
        blob = await self._storage.put(data, mime_type=_MIME_TYPE, renewed_after=RENEWED_AFTER)
        stored = StoredPayload(key=blob.uri.removeprefix(f"{SCHEME}://"), size=blob.size)
        self._recent.add(stored.key, data)
        return stored

    async def get(self, stored: StoredPayload) -> Payload:
        """One encoded payload; see `retrieve`."""
        try:
            data = await self._recent.get(stored.key, lambda: self._storage.get(f"{SCHEME}://{stored.key}"))
            return Payload.FromString(data)
        except (InputError, DecodeError) as lost:
            raise _lost(stored, self.label, lost) from None


def _lost(stored: StoredPayload, label: str, error: Exception) -> PipelexError:
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
