"""OpenAI's image models, through pydantic-ai."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelex.inference.calls.logical import OPENAI_HEADER, request_headers
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.openai import OpenAIClient
from pipelex.inference.images.ask import ImageAsk, nearest
from pipelex.inference.images.library import asked, drawn, references
from pipelex.inference.images.options import ImageArguments
from pipelex.inference.images.provider import DrawnImages, Fetch

if TYPE_CHECKING:
    from pydantic_ai.images.openai import OpenAIImageGenerationSettings

_MOST_AT_ONCE = 10
_FEW_SHAPES = ((1024, 1024), (1536, 1024), (1024, 1536))
_OLD = ("gpt-image-1",)
"""The prefixes of the ids of models that draw only the shapes of `_FEW_SHAPES`."""
_LONGEST_EDGE, _STEEPEST = 3840, 3


@dataclass(frozen=True)
class OpenAIImages:
    """Draws images with OpenAI, or with an endpoint that speaks its images API."""

    call: ModelCall

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """See `ImageProvider.draw`."""
        del fetch
        from pydantic_ai.images.openai import OpenAIImageGenerationModel

        client = OpenAIClient(self.call.backend)
        try:
            model = OpenAIImageGenerationModel(self.call.entry.model_id, provider=client.library_provider(self.call))
            counts = [min(_MOST_AT_ONCE, wanted.count - at) for at in range(0, wanted.count, _MOST_AT_ONCE)]
            images = references(wanted)
            results = [
                await asked(
                    self.call,
                    model.generate(
                        wanted.full_prompt, images=images, settings=_settings(self.call, wanted, count, rank)
                    ),
                )
                for rank, count in enumerate(counts)
            ]
        finally:
            await client.aclose()
        return drawn(self.call, wanted, results)


def _settings(call: ModelCall, wanted: ImageAsk, count: int, rank: int) -> "OpenAIImageGenerationSettings":
    rules = ImageArguments(call.entry)
    settings: OpenAIImageGenerationSettings = {"openai_n": count}
    if rules.takes("aspect_ratio"):
        settings["openai_size"] = _size(call, wanted)
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
    key = request_headers(call.backend, call.entry.handle, str(rank), default=OPENAI_HEADER)
    if call.entry.table.headers or key:
        settings["extra_headers"] = {**call.entry.table.headers, **key}
    return settings


def _size(call: ModelCall, wanted: ImageAsk) -> str:
    """The given size, or one that the model draws: any within limits for newer models, the nearest of three for old."""
    width, height = wanted.pixels()
    if wanted.size is None:
        if call.entry.model_id.startswith(_OLD):
            width, height = nearest((width, height), _FEW_SHAPES)
        else:
            width, height = min(width, _STEEPEST * height), min(height, _STEEPEST * width)
            shrink = min(_LONGEST_EDGE / max(width, height), 1.0)
            width, height = (int(length * shrink) // 16 * 16 for length in (width, height))
    return f"{width}x{height}"
