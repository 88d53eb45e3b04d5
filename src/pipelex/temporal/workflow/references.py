"""Converts references to stored values to and from those of the SDK's external storage."""

from collections.abc import Mapping
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import JSONProtoPayloadConverter

from pipelex.durable.stored import StoredPayload
from pipelex.errors import PipelexError
from pipelex.temporal.workflow.refusals import malformed

DRIVER: Final = "pipelex"
"""The name of Pipelex's store among the drivers of a data converter; histories contain it."""

_SHOWN: Final = 240
"""The most characters of a damaged reference that a message shows."""
_MOST_KEY: Final = 1_024
"""The most characters of a key; object stores accept no more."""
_MESSAGE_TYPE: Final = ExternalStorageReference.DESCRIPTOR.full_name.encode()


def claim_of(stored: StoredPayload) -> dict[str, str]:
    """The SDK's claim for a stored value."""
    return {"key": stored.key, "size": str(stored.size)}


def of_claim(claim: Mapping[str, str]) -> StoredPayload:
    """The inverse of `claim_of`.

    Raises:
        PipelexError: Pipelex did not write the claim (`request.malformed`).
    """
    key, size = claim.get("key"), claim.get("size", "")
    if not key or len(key) > _MOST_KEY or len(size) > 18 or not size.isascii() or not size.isdigit():
        raise _damaged(f"its claim is {str(dict(claim))[:_SHOWN]}")
    return StoredPayload(key=key, size=int(size))


def reference_payload(stored: StoredPayload) -> Payload:
    """The payload of a reference, which the SDK replaces with the value when it receives it."""
    reference = ExternalStorageReference(driver_name=DRIVER, claim_data=claim_of(stored))
    payload = JSONProtoPayloadConverter().to_payload(reference)
    assert payload is not None  # it is a message
    payload.external_payloads.add().size_bytes = stored.size
    return payload


def of_reference(payload: Payload) -> StoredPayload | None:
    """The inverse of `reference_payload`; None for a payload that does not refer to Pipelex's store.

    Raises:
        PipelexError: the reference is damaged (`request.malformed`).
    """
    if not is_reference(payload):
        return None
    try:
        reference = JSONProtoPayloadConverter().from_payload(payload, ExternalStorageReference)
    except Exception as wrong:  # anything that a reader of JSON or protobuf raises
        raise _damaged(str(wrong)) from None
    return of_claim(reference.claim_data) if reference.driver_name == DRIVER else None


def _damaged(why: str) -> PipelexError:
    return malformed(f"a reference to a stored payload is damaged: {why[:_SHOWN]}", "not_json")


def is_reference(payload: Payload) -> bool:
    """Whether a payload refers to one in a store. No codec may change it, or the SDK would no longer recognise it."""
    metadata = payload.metadata
    return metadata.get("encoding") == b"json/protobuf" and metadata.get("messageType") == _MESSAGE_TYPE
