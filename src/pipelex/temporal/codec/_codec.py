"""The payload codec, which compresses and then encrypts payloads, and stores large inputs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.codec import _compression, _encryption
from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.codec._encryption import Encryption
from pipelex.temporal.codec._limits import Allowance
from pipelex.temporal.codec._parts import fetched_parts, has_parts, stored_parts
from pipelex.temporal.config import MAX_PAYLOAD_BYTES
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.references import is_reference

_LONG: Final = 1_000_000
"""The size in bytes above which a payload is encoded and decoded in a thread, so that heartbeats continue meanwhile."""


@dataclass(frozen=True)
class PipelexCodec(PayloadCodec, WithSerializationContext):
    """Decodes payloads whatever the settings were when they were encoded, and leaves other encodings alone.

    Args:
        encryption: the keys of the encryption.
        is_compressing: whether new payloads are compressed.
        store: the store for large inputs, each of which is stored separately; None stores nothing.
        limit: the maximum size of one decoded payload, in bytes, all its parts included.
        run: the run that the payloads belong to; None if it is not known.
        task: the allowance of the task that the payloads come with; None gives each call of `decode` its own.
    """

    encryption: Encryption
    is_compressing: bool = False
    store: PayloadStore | None = None
    limit: int = MAX_PAYLOAD_BYTES
    run: str | None = None
    task: Allowance | None = None

    def with_context(self, context: SerializationContext) -> "PipelexCodec":
        """See base class."""
        workflow_id = getattr(context, "workflow_id", None)
        return self if workflow_id is None else replace(self, run=workflow_id.partition("/")[0])

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class.

        Raises:
            PipelexError: large inputs cannot be stored.
        """
        return [await self._encode(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class.

        Raises:
            ApplicationError: a payload is damaged or too large; the run that has it fails with the report.
            PipelexError: a key, a library or a store is missing here; a worker that has it can continue the run.
        """
        task = self.task or Allowance.of_task(self.limit)
        try:
            return [await self.decoded(payload, task=task) for payload in payloads]
        except PipelexError as failed:
            if failed.report.category is not ErrorCategory.CONTENT:
                raise
            raise to_application_error(failed.report, may_retry=False) from None

    async def decoded(
        self,
        payload: Payload,
        *,
        most: int | None = None,
        allowance: Allowance | None = None,
        task: Allowance | None = None,
    ) -> Payload:
        """One decoded payload.

        Args:
            payload: the encoded payload.
            most: the maximum size in bytes of a large input that is fetched; for a larger one, the result has only its
                reference. None fetches all.
            allowance: the allowance for the payload and its parts; a new one of `limit` bytes when None.
            task: a further allowance, for everything that is fetched and decompressed.

        Raises:
            PipelexError: see `decode`.
        """
        allowance = allowance or Allowance.of(self.limit)
        found = await _done(self._decoded, payload)
        allowance.take(len(found.data))
        if task is not None:
            task.take(max(0, len(found.data) - len(payload.data)))
            allowance.within = task
        if not has_parts(found):
            return found
        return await fetched_parts(found, self.store, self._part_decoded, most=most, allowance=allowance)

    async def _part_decoded(self, payload: Payload) -> Payload:
        """Decode a part of a payload. A part is a value, and never has parts itself."""
        return await _done(self._decoded, payload)

    async def _encode(self, payload: Payload) -> Payload:
        if has_parts(payload):
            payload = await stored_parts(payload, self.store, self._encode)
        return await _done(self._encoded, payload)

    def _encoded(self, payload: Payload) -> Payload:
        if is_reference(payload):
            return payload
        return self.encryption.encrypt(_compression.compress(payload) if self.is_compressing else payload, self.run)

    def _decoded(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") == _encryption.ENCODING and _encryption.KEY_ID in payload.metadata:
            payload = self.encryption.decrypt(payload, self.run)
        elif not is_reference(payload):
            self.encryption.require(payload)
        if payload.metadata.get("encoding") == _compression.ENCODING:
            payload = _compression.decompress(payload, self.limit)
        return payload


async def _done(work: Callable[[Payload], Payload], payload: Payload) -> Payload:
    return await asyncio.to_thread(work, payload) if len(payload.data) > _LONG else work(payload)
