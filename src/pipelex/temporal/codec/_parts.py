"""Stores and fetches the large inputs of a pipe, which are payloads inside a payload, each on its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import DecodeError
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload, Payloads

from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.codec._limits import Allowance
from pipelex.temporal.workflow.failures import without_store
from pipelex.temporal.workflow.large_inputs import NAME, PARTS, joined_payload
from pipelex.temporal.workflow.references import of_reference, reference_payload
from pipelex.temporal.workflow.refusals import malformed

Recode = Callable[[Payload], Awaitable[Payload]]
"""A function that compresses and encrypts a payload, or undoes it."""

_WHAT: Final = "the inputs of a pipe"


def has_parts(payload: Payload) -> bool:
    """Whether a payload has other payloads as its parts."""
    return payload.metadata.get("encoding") == PARTS


async def stored_parts(payload: Payload, store: PayloadStore | None, encode: Recode) -> Payload:
    """The payload with each part encoded and stored separately; unchanged if there is no store."""
    if store is None:
        return payload

    async def stored(part: Payload) -> Payload:
        bare = Payload(metadata={key: value for key, value in part.metadata.items() if key != NAME}, data=part.data)
        reference = reference_payload(await store.put(await encode(bare)))
        reference.metadata[NAME] = part.metadata[NAME]
        return reference

    parts = await asyncio.gather(*map(stored, _parts(payload)))
    return Payload(metadata={"encoding": PARTS}, data=Payloads(payloads=parts).SerializeToString(deterministic=True))


async def fetched_parts(
    payload: Payload, store: PayloadStore | None, decode: Recode, *, allowance: Allowance, most: int | None = None
) -> Payload:
    """The payload with the values of all parts, as JSON.

    Parts are fetched one after the other, because a single part may be as large as the allowance for all of them.

    Args:
        payload: the payload that `stored_parts` returned.
        store: the store that has the parts; None if there is none here.
        decode: the inverse of the function that encoded the parts.
        allowance: the bytes that all parts may take together. A blob counts each time it is named.
        most: the maximum size in bytes of a part that is fetched; for a larger one, the result has only its reference.
            None fetches all.

    Raises:
        PipelexError: there is no store here, it does not have a part, or the parts are too large together.
    """

    async def fetched(part: Payload) -> bytes:
        data = await read(part)
        allowance.take(len(data))
        return data

    async def read(part: Payload) -> bytes:
        stored = of_reference(part)
        if stored is None:
            return part.data
        if most is not None and stored.size > most:
            return to_json({"stored": stored.model_dump()})
        if store is None:
            raise without_store(_WHAT)
        return (await decode(await store.get(stored))).data

    parts = _parts(payload)
    return joined_payload({part.metadata[NAME].decode(errors="replace"): await fetched(part) for part in parts})


def _parts(payload: Payload) -> list[Payload]:
    try:
        return list(Payloads.FromString(payload.data).payloads)
    except DecodeError as damaged:
        raise malformed(f"a payload of {_WHAT} is damaged: {damaged}", "not_json") from None
