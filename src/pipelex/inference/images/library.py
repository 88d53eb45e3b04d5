"""The code that image providers based on pydantic-ai share."""

import asyncio
from collections.abc import Awaitable
from functools import reduce
from typing import TYPE_CHECKING

from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.asking.usage import paying_for_unread
from pipelex.inference.chat.library import silence
from pipelex.inference.deck.prices import priced
from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.images.provider import DrawnImages
from pipelex.inference.members import whole
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import add_usage

if TYPE_CHECKING:
    from pydantic_ai.images import ImageGenerationResult
    from pydantic_ai.messages import BinaryImage


def references(wanted: ImageAsk) -> "list[BinaryImage]":
    """The reference images as pydantic-ai takes them."""
    from pydantic_ai.messages import BinaryImage

    return [BinaryImage(data=one.data, media_type=one.media_type) for one in wanted.references]


async def asked(call: ModelCall, work: "Awaitable[ImageGenerationResult]") -> "ImageGenerationResult":
    """Make one request within the call's time, and count its usage in the ledger, even if its answer cannot be read.

    A client library's exception is replaced, not chained, because its text may hold a key.
    """
    silence()
    try:
        # The client's own limit applies to each read: an answer that drips in would hold the call for ever.
        with paying_for_unread(call.entry):
            async with asyncio.timeout(call.seconds):
                result = await work
        current_ledger().spend(_usage(call, result))
        return result
    except Exception as error:
        failure = call.failure(error)
    raise failure


def drawn(call: ModelCall, wanted: ImageAsk, results: "list[ImageGenerationResult]") -> DrawnImages:
    """The images of the answers, with their usage."""
    images = [(image.content.data, image.content.media_type) for result in results for image in result.images]
    return DrawnImages(images[: wanted.count], reduce(add_usage, [_usage(call, result) for result in results]))


def _usage(call: ModelCall, result: "ImageGenerationResult") -> ModelUsage:
    """The usage of one request."""
    tokens_in, tokens_out = whole(result.usage.input_tokens) or 0, whole(result.usage.output_tokens) or 0
    return ModelUsage(
        handle=call.entry.handle,
        backend=call.entry.backend,
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=_cost(call, result, tokens_in, tokens_out),
    )


def _cost(call: ModelCall, result: "ImageGenerationResult", tokens_in: int, tokens_out: int) -> float | None:
    if call.entry.table.costs is not None:
        return priced(call.entry.table.costs, tokens_in, tokens_out, 0)
    try:
        return float(result.cost().total_price)
    except (LookupError, ValueError, TypeError, AssertionError):
        return None
