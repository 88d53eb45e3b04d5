"""The request for an image, made from the pipe's options, the model's settings and the configured defaults."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, cast

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, exactly, maybe
from pipelex.inference.chat.messages import AttachedFile
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.images.options import ImageFormat, ImageOptions
from pipelex.pipes.effects.requests import ImageRequest

logger = logging.getLogger("pipelex.images")

_MEGAPIXEL = 1024 * 1024
_TIERS = {"0.5k": 0.5, "1k": 1.0, "2k": 2.0, "4k": 4.0}
_told: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class ImageAsk:
    """The request to an image model."""

    entry: ModelEntry
    prompt: str
    negative_prompt: str | None
    count: int
    references: tuple[AttachedFile, ...]
    ratio: tuple[int, int]
    size: tuple[int, int] | None
    """The size in pixels, when the pipe gives one."""
    tier: float
    """The side of a square, as a multiple of 1024 pixels."""
    is_tier_given: bool
    is_shape_given: bool
    quality: str | None
    nb_steps: int | None
    guidance_scale: float
    is_moderated: bool
    safety_tolerance: int
    is_raw: bool
    seed: int | None
    background: str
    output_format: ImageFormat
    is_format_given: bool
    defaults: ImageOptions

    @property
    def full_prompt(self) -> str:
        """The prompt, followed by what the image must not show."""
        if self.negative_prompt is None:
            return self.prompt
        return f"{self.prompt}\n\nThe image must not show: {self.negative_prompt}"

    def pixels(self, multiple: int = 16) -> tuple[int, int]:
        """Width and height in pixels: the given size, or one with the ratio and about the area of the tier."""
        if self.size is not None:
            return self.size
        wide, high = self.ratio
        side = sqrt(self.tier**2 * _MEGAPIXEL / (wide * high))
        return _rounded(side * wide, multiple), _rounded(side * high, multiple)

    def leave_out(self, what: str) -> None:
        """Warn once per model that an option is left out because the model has no argument for it."""
        key = (f"{self.entry.backend}/{self.entry.handle}", what)
        if key not in _told:
            _told.add(key)
            logger.warning(
                "The model %r of %r takes no %s; it is left out.", self.entry.handle, self.entry.backend, what
            )


def image_ask(
    entry: ModelEntry,
    request: ImageRequest,
    settings: Mapping[str, Json],
    references: tuple[AttachedFile, ...],
    defaults: ImageOptions,
) -> ImageAsk:
    """The request with settings and defaults filled in."""
    options = request.options
    size, tier = _size(entry, options.get("size"))
    seed: Any = options.get("seed", defaults.seed)
    ratio_name = str(options.get("aspect_ratio", defaults.aspect_ratio))
    return ImageAsk(
        entry=entry,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        count=request.count,
        references=references,
        ratio=size if size is not None else ratio_of(ratio_name),
        size=size,
        tier=tier,
        is_tier_given=size is None and options.get("size") is not None,
        is_shape_given=size is not None or "aspect_ratio" in options,
        quality=maybe(settings.get("quality", None if "nb_steps" in settings else defaults.quality), str),
        nb_steps=maybe(settings.get("nb_steps"), int),
        guidance_scale=exactly(settings.get("guidance_scale", defaults.guidance_scale), float),
        is_moderated=exactly(settings.get("is_moderated", defaults.is_moderated), bool),
        safety_tolerance=exactly(settings.get("safety_tolerance", defaults.safety_tolerance), int),
        is_raw=exactly(options.get("is_raw", defaults.is_raw), bool),
        seed=None if seed == "auto" else seed,
        background=exactly(options.get("background", defaults.background), str),
        output_format=cast("ImageFormat", options.get("output_format", defaults.output_format)),
        is_format_given="output_format" in options,
        defaults=defaults,
    )


def ratio_of(name: str) -> tuple[int, int]:
    """`landscape_16_9` → (16, 9)."""
    if name == "square":
        return 1, 1
    _, wide, high = name.split("_")
    return int(wide), int(high)


def _size(entry: ModelEntry, size: Json) -> tuple[tuple[int, int] | None, float]:
    if size is None:
        return None, 1.0
    if isinstance(size, str) and size in _TIERS:
        return None, _TIERS[size]
    width, _, height = str(size).partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise PipelexError(
            "method.model_setting_invalid",
            f"{size!r} is not an image size",
            category=ErrorCategory.CONTENT,
            params={"field": "size", "finding": "size"},
            model=entry.handle,
        )
    return (int(width), int(height)), 1.0


def _rounded(length: float, multiple: int) -> int:
    return max(round(length / multiple), 1) * multiple


def nearest(ratio: tuple[int, int], known: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """The known shape that is nearest to a ratio."""
    wide, high = ratio
    return min(known, key=lambda one: max(wide * one[1], one[0] * high) / min(wide * one[1], one[0] * high))
