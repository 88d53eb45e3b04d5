"""A value that stays in the payload store, and what travels instead of it."""

from collections.abc import Mapping
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.common import RawValue
from temporalio.converter import JSONProtoPayloadConverter

from pipelex.errors import PipelexError
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.refusals import malformed

DRIVER: Final = "pipelex"
"""Name of our store among the drivers of a data converter; histories hold it."""

_MESSAGE_TYPE: Final = ExternalStorageReference.DESCRIPTOR.full_name.encode()


class StoredPayload(Wire):
    """A value in the payload store, small enough to be carried inside other values.

    Workflow code never loads one. It gives `argument()` to a child workflow or an activity, whose worker fetches the
    value before that code runs.
    """

    key: str
    """Where the store keeps it; ends in the SHA-256 of what is stored."""
    size: int
    """Bytes of what is stored."""

    @property
    def claim(self) -> dict[str, str]:
        """What the SDK keeps of it in a reference."""
        return {"key": self.key, "size": str(self.size)}

    @classmethod
    def of_claim(cls, claim: Mapping[str, str]) -> "StoredPayload":
        """The inverse of `claim`.

        Raises:
            PipelexError: the claim is none of ours (`request.malformed`).
        """
        key, size = claim.get("key"), claim.get("size", "")
        if not key or not size.isascii() or not size.isdigit():
            raise _damaged(f"its claim is {dict(claim)}")
        return cls(key=key, size=int(size))

    @classmethod
    def of_payload(cls, payload: Payload) -> "StoredPayload | None":
        """The inverse of `payload`; None for what is no reference to our store.

        Raises:
            PipelexError: the reference is damaged (`request.malformed`).
        """
        if not is_reference(payload):
            return None
        try:
            reference = JSONProtoPayloadConverter().from_payload(payload, ExternalStorageReference)
        except RuntimeError as wrong:
            raise _damaged(str(wrong)) from None
        return cls.of_claim(reference.claim_data) if reference.driver_name == DRIVER else None

    def payload(self) -> Payload:
        """The reference that the SDK replaces by the value where it is received."""
        reference = ExternalStorageReference(driver_name=DRIVER, claim_data=self.claim)
        payload = JSONProtoPayloadConverter().to_payload(reference)
        assert payload is not None  # it is a message
        payload.external_payloads.add().size_bytes = self.size
        return payload

    def argument(self) -> RawValue:
        """The value as an argument of a child workflow or an activity."""
        return RawValue(self.payload())


def _damaged(why: str) -> PipelexError:
    return malformed(f"a reference to a stored payload is damaged: {why}", "not_json")


def is_reference(payload: Payload) -> bool:
    """Whether a payload stands for one in a store; no codec may touch it, or the SDK would not know it again."""
    metadata = payload.metadata
    return metadata.get("encoding") == b"json/protobuf" and metadata.get("messageType") == _MESSAGE_TYPE
