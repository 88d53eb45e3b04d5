"""Gemini's image models, through pydantic-ai."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.google import Google
from pipelex.inference.images.ask import ImageAsk, nearest
from pipelex.inference.images.library import asked, drawn, references
from pipelex.inference.images.options import ImageArguments
from pipelex.inference.images.provider import DrawnImages, Fetch

if TYPE_CHECKING:
    from pydantic_ai.images.google import GoogleImageGenerationSettings

_RATIOS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9), (21, 9))
_EXTREME_RATIOS = ((1, 4), (4, 1), (1, 8), (8, 1))


@dataclass(frozen=True)
class GoogleImages:
    """Draws images with Gemini, one per request."""

    call: ModelCall

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """See `ImageProvider.draw`."""
        del fetch
        from pydantic_ai.images.google import GoogleImageGenerationModel

        client = Google(self.call.backend)
        try:
            model = GoogleImageGenerationModel(self.call.entry.model_id, provider=client.library_provider(self.call))
            settings, images = _settings(self.call, wanted), references(wanted)
            efforts = [
                asked(self.call, model.generate(wanted.full_prompt, images=images, settings=settings))
                for _ in range(wanted.count)
            ]
            results = await asyncio.gather(*efforts)
        finally:
            await client.aclose()
        return drawn(self.call, wanted, results)


def _settings(call: ModelCall, wanted: ImageAsk) -> "GoogleImageGenerationSettings":
    rules = ImageArguments(call.entry)
    config: dict[str, Any] = {}
    if rules.takes("aspect_ratio") and (wanted.is_shape_given or not wanted.references):
        wide, high = nearest(wanted.ratio, (*_RATIOS, *_EXTREME_RATIOS))
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
