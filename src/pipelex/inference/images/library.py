"""The code that image providers based on pydantic-ai share."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.usage import priced
from pipelex.inference.chat.library import silence
from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.images.provider import DrawnImages
from pipelex.inference.members import whole
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    from pydantic_ai.images import ImageGenerationResult
    from pydantic_ai.messages import BinaryImage


def references(wanted: ImageAsk) -> "list[BinaryImage]":
    """The reference images as pydantic-ai takes them."""
    from pydantic_ai.messages import BinaryImage

    return [BinaryImage(data=one.data, media_type=one.mime_type) for one in wanted.references]


async def asked(call: ModelCall, work: "Awaitable[ImageGenerationResult]") -> "ImageGenerationResult":
    """Make one request. A client library's exception is replaced, not chained, because its text may hold a key."""
    silence()
    try:
        return await work
    except Exception as error:
        failure = call.failure(error)
    raise failure


def drawn(call: ModelCall, wanted: ImageAsk, results: "list[ImageGenerationResult]") -> DrawnImages:
    """The images of the answers, with their usage."""
    images = [(image.content.data, image.content.media_type) for result in results for image in result.images]
    tokens_in = sum(whole(result.usage.input_tokens) or 0 for result in results)
    tokens_out = sum(whole(result.usage.output_tokens) or 0 for result in results)
    usage = ModelUsage(
        handle=call.entry.handle,
        backend=call.entry.backend,
        calls=len(results),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=_cost(call, results, tokens_in, tokens_out),
    )
    return DrawnImages(images[: wanted.count], usage)


def _cost(call: ModelCall, results: "list[ImageGenerationResult]", tokens_in: int, tokens_out: int) -> float | None:
    if call.entry.table.costs is not None:
        return priced(call.entry.table.costs, tokens_in, tokens_out, 0)
    try:
        return sum(float(result.cost().total_price) for result in results)
    except (LookupError, ValueError, TypeError, AssertionError):
        return None
