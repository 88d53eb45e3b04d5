"""A value that stays in the payload store, as the SDK's external storage refers to it."""

from collections.abc import Mapping
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import JSONProtoPayloadConverter

from pipelex.durable.stored import StoredPayload
from pipelex.errors import PipelexError
from pipelex.temporal.workflow.refusals import malformed

DRIVER: Final = "pipelex"
"""Name of our store among the drivers of a data converter; histories hold it."""

_SHOWN: Final = 240
"""The number of characters of a damaged reference that are shown."""
_MOST_KEY: Final = 1_024
"""The number of characters in a key that object stores take."""
_MESSAGE_TYPE: Final = ExternalStorageReference.DESCRIPTOR.full_name.encode()


def claim_of(stored: StoredPayload) -> dict[str, str]:
    """The SDK's claim of a stored value, out of a reference."""
    return {"key": stored.key, "size": str(stored.size)}


def of_claim(claim: Mapping[str, str]) -> StoredPayload:
    """The inverse of `claim_of`.

    Raises:
        PipelexError: the claim is none of ours (`request.malformed`).
    """
    key, size = claim.get("key"), claim.get("size", "")
    if not key or len(key) > _MOST_KEY or len(size) > 18 or not size.isascii() or not size.isdigit():
        raise _damaged(f"its claim is {str(dict(claim))[:_SHOWN]}")
    return StoredPayload(key=key, size=int(size))


def reference_payload(stored: StoredPayload) -> Payload:
    """The reference that the SDK replaces by the value where it is received."""
    reference = ExternalStorageReference(driver_name=DRIVER, claim_data=claim_of(stored))
    payload = JSONProtoPayloadConverter().to_payload(reference)
    assert payload is not None  # it is a message
    payload.external_payloads.add().size_bytes = stored.size
    return payload


def of_reference(payload: Payload) -> StoredPayload | None:
    """The inverse of `reference_payload`; None for what is not a reference to our store.

    Raises:
        PipelexError: the reference is damaged (`request.malformed`).
    """
    if not is_reference(payload):
        return None
    try:
        reference = JSONProtoPayloadConverter().from_payload(payload, ExternalStorageReference)
    except Exception as wrong:  # whatever a reader of JSON or protobuf raises
        raise _damaged(str(wrong)) from None
    return of_claim(reference.claim_data) if reference.driver_name == DRIVER else None


def _damaged(why: str) -> PipelexError:
    return malformed(f"a reference to a stored payload is damaged: {why[:_SHOWN]}", "not_json")


def is_reference(payload: Payload) -> bool:
    """Whether a payload stands for one in a store; no codec may touch it, or the SDK would not know it again."""
    metadata = payload.metadata
    return metadata.get("encoding") == b"json/protobuf" and metadata.get("messageType") == _MESSAGE_TYPE
