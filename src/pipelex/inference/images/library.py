"""OpenAI's and Google's image models, through pydantic-ai."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from pipelex.inference.calls.classify import classify_provider_error
from pipelex.inference.calls.idempotency import OPENAI_HEADER, request_headers
from pipelex.inference.images.made import Drawing, Made
from pipelex.inference.images.options import Rules, Wanted
from pipelex.inference.images.xai import nearest
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    from pydantic_ai.images import ImageGenerationResult
    from pydantic_ai.images.google import GoogleImageGenerationSettings
    from pydantic_ai.images.openai import OpenAIImageGenerationSettings
    from pydantic_ai.messages import BinaryImage

_MOST_AT_ONCE = 10
_FEW_SHAPES = ((1024, 1024), (1536, 1024), (1024, 1536))
_OLD = ("gpt-image-1",)
"""Models that draw a few shapes only, and those whose names go on from theirs."""
_LONGEST_EDGE, _STEEPEST = 3840, 3
_GOOGLE_RATIOS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9), (21, 9))
_EXTREME_RATIOS = ((1, 4), (4, 1), (1, 8), (8, 1))


async def draw_with_openai(drawing: Drawing, wanted: Wanted) -> Made:
    """Images of OpenAI, or of an endpoint that speaks its images API.

    Raises:
        PipelexError: it refused or failed.
    """
    from pydantic_ai.images.openai import OpenAIImageGenerationModel

    from pipelex.inference.chat.openai import OpenAICompatible

    client = OpenAICompatible(drawing.backend, drawing.timeout)
    try:
        model = OpenAIImageGenerationModel(
            drawing.entry.model_id, provider=client._provider(client._client(drawing.entry))
        )
        counts = [min(_MOST_AT_ONCE, wanted.count - at) for at in range(0, wanted.count, _MOST_AT_ONCE)]
        images = _references(wanted)
        results = [
            await _asked(
                drawing,
                model.generate(
                    wanted.full_prompt, images=images, settings=_openai_settings(drawing, wanted, count, rank)
                ),
            )
            for rank, count in enumerate(counts)
        ]
    finally:
        await client.aclose()
    return _made(drawing, wanted, results)


async def draw_with_google(drawing: Drawing, wanted: Wanted) -> Made:
    """Images of Gemini; it draws one at a time.

    Raises:
        PipelexError: it refused or failed.
    """
    from pydantic_ai.images.google import GoogleImageGenerationModel

    from pipelex.inference.chat.google import _PATHS, Google

    client = Google(drawing.backend, drawing.timeout)
    try:
        root = client._root(drawing.entry, "", without=_PATHS) or None
        provider = client._shared(root, lambda: client._connected(root))
        model = GoogleImageGenerationModel(drawing.entry.model_id, provider=provider)
        settings, images = _google_settings(drawing, wanted), _references(wanted)
        efforts = [
            _asked(drawing, model.generate(wanted.full_prompt, images=images, settings=settings))
            for _ in range(wanted.count)
        ]
        results = await asyncio.gather(*efforts)
    finally:
        await client.aclose()
    return _made(drawing, wanted, results)


def _openai_settings(drawing: Drawing, wanted: Wanted, count: int, rank: int) -> "OpenAIImageGenerationSettings":
    rules = Rules(drawing.entry)
    settings: OpenAIImageGenerationSettings = {"openai_n": count}
    if rules.takes("aspect_ratio"):
        settings["openai_size"] = _openai_size(drawing, wanted)
    if wanted.quality is not None and rules.takes("inference"):
        settings["openai_quality"] = wanted.quality  # pyright: ignore[reportGeneralTypeIssues] one of the three
    if wanted.background != "auto" and rules.takes("background"):
        settings["openai_background"] = wanted.background  # pyright: ignore[reportGeneralTypeIssues] one of the three
    if rules.takes("output_format"):
        is_clear = wanted.background == "transparent" and not wanted.is_format_given
        settings["openai_output_format"] = "png" if is_clear else wanted.output_format
    if not wanted.references and rules.takes("safety_checker"):
        settings["openai_moderation"] = "auto" if wanted.is_moderated else "low"
    if wanted.seed is not None:
        wanted.leave_out("seed")
    key = request_headers(drawing.backend, drawing.entry.handle, str(rank), default=OPENAI_HEADER)
    if drawing.entry.table.headers or key:
        settings["extra_headers"] = {**drawing.entry.table.headers, **key}
    return settings


def _openai_size(drawing: Drawing, wanted: Wanted) -> str:
    """A size the model draws: any for the newer ones within their limits, the nearest of three for the older."""
    width, height = wanted.pixels()
    if wanted.size is None:
        if drawing.entry.model_id.startswith(_OLD):
            width, height = nearest((width, height), _FEW_SHAPES)
        else:
            width, height = min(width, _STEEPEST * height), min(height, _STEEPEST * width)
            shrink = min(_LONGEST_EDGE / max(width, height), 1.0)
            width, height = (int(length * shrink) // 16 * 16 for length in (width, height))
    return f"{width}x{height}"


def _google_settings(drawing: Drawing, wanted: Wanted) -> "GoogleImageGenerationSettings":
    rules = Rules(drawing.entry)
    config: dict[str, Any] = {}
    if rules.takes("aspect_ratio") and (wanted.is_shape_given or not wanted.references):
        wide, high = nearest(wanted.ratio, (*_GOOGLE_RATIOS, *_EXTREME_RATIOS))
        config["aspect_ratio"] = f"{wide}:{high}"
    if wanted.is_tier_given:
        config["image_size"] = "512" if wanted.tier < 1 else f"{wanted.tier:g}K"
    for is_asked, what in (
        (wanted.seed is not None, "seed"),
        (wanted.background == "transparent", "transparent background"),
        (wanted.is_format_given, "'output_format'"),
    ):
        if is_asked:
            wanted.leave_out(what)
    settings: GoogleImageGenerationSettings = {}
    if config:
        settings["google_image_config"] = config  # pyright: ignore[reportGeneralTypeIssues] a typed dict of the SDK
    return settings


def _references(wanted: Wanted) -> "list[BinaryImage]":
    from pydantic_ai.messages import BinaryImage

    return [BinaryImage(data=one.data, media_type=one.mime_type) for one in wanted.references]


async def _asked(drawing: Drawing, work: "Awaitable[ImageGenerationResult]") -> "ImageGenerationResult":
    """One request. What the client library raises is replaced, not chained: its text may hold a key."""
    try:
        return await work
    except Exception as error:
        failure = classify_provider_error(
            error,
            provider=drawing.entry.backend,
            model=drawing.entry.handle,
            secrets=[drawing.backend.table.api_key or ""],
            variables=drawing.backend.variables,
        )
    raise failure


def _made(drawing: Drawing, wanted: Wanted, results: "list[ImageGenerationResult]") -> Made:
    images = [(image.content.data, image.content.media_type) for result in results for image in result.images]
    tokens_in = sum(result.usage.input_tokens for result in results)
    tokens_out = sum(result.usage.output_tokens for result in results)
    usage = ModelUsage(
        handle=drawing.entry.handle,
        backend=drawing.entry.backend,
        calls=len(results),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_usd=_cost(drawing, results, tokens_in, tokens_out),
    )
    return Made(images[: wanted.count], usage)


def _cost(drawing: Drawing, results: "list[ImageGenerationResult]", tokens_in: int, tokens_out: int) -> float | None:
    from pipelex.inference.calls.usage import priced

    if drawing.entry.table.costs is not None:
        return priced(drawing.entry.table.costs, tokens_in, tokens_out, 0)
    try:
        return sum(float(result.cost().total_price) for result in results)
    except (LookupError, ValueError, AssertionError):
        return None
