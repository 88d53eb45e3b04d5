"""Values that are payloads inside a payload: each has its own place in the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import DecodeError
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload, Payloads

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.workflow.failures import without_store
from pipelex.temporal.workflow.large_inputs import NAME, PARTS, joined_payload
from pipelex.temporal.workflow.references import StoredPayload

Recode = Callable[[Payload], Awaitable[Payload]]
"""Compresses and encrypts a payload, or undoes it."""

_WHAT: Final = "the inputs of a pipe"


def has_parts(payload: Payload) -> bool:
    """Whether a payload holds others."""
    return payload.metadata.get("encoding") == PARTS


async def stored_parts(payload: Payload, store: PayloadStore | None, encode: Recode) -> Payload:
    """The payload with its parts in the store, each encoded by itself; they stay where they are when there is none."""
    if store is None:
        return payload

    async def stored(part: Payload) -> Payload:
        bare = Payload(metadata={key: value for key, value in part.metadata.items() if key != NAME}, data=part.data)
        reference = (await store.put(await encode(bare))).payload()
        reference.metadata[NAME] = part.metadata[NAME]
        return reference

    parts = await asyncio.gather(*map(stored, _parts(payload)))
    return Payload(metadata={"encoding": PARTS}, data=Payloads(payloads=parts).SerializeToString(deterministic=True))


async def fetched_parts(
    payload: Payload, store: PayloadStore | None, decode: Recode, *, most: int | None = None
) -> Payload:
    """The values themselves, as JSON.

    Args:
        payload: what `stored_parts` gave.
        store: where they are.
        decode: the inverse of what they were encoded with.
        most: bytes of a value that is fetched; of a larger one only its place is told. None: all are.

    Raises:
        PipelexError: there is no store here, or it does not have them.
    """

    async def fetched(part: Payload) -> bytes:
        stored = StoredPayload.of_payload(part)
        if stored is None:
            return part.data
        if most is not None and stored.size > most:
            return to_json({"stored": stored.model_dump()})
        if store is None:
            raise without_store(_WHAT)
        return (await decode(await store.get(stored))).data

    parts = _parts(payload)
    values = await asyncio.gather(*map(fetched, parts))
    return joined_payload({part.metadata[NAME].decode(): value for part, value in zip(parts, values, strict=True)})


def _parts(payload: Payload) -> list[Payload]:
    try:
        return list(Payloads.FromString(payload.data).payloads)
    except DecodeError as damaged:
        raise PipelexError(
            "runtime.misconfigured",
            f"a payload of {_WHAT} is damaged: {damaged}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "payload_storage"},
        ) from None
