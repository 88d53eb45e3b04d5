"""The configured defaults for images, and the arguments that a model takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelex.inference.deck.catalog import ModelEntry

ImageFormat = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True)
class ImageOptions:
    """The defaults, from `[inference.img_gen]`, for what neither the pipe nor the model's settings specify."""

    aspect_ratio: str = "square"
    background: Literal["transparent", "opaque", "auto"] = "auto"
    quality: Literal["low", "medium", "high"] = "low"
    nb_steps: int = 28
    guidance_scale: float = 2.5
    is_moderated: bool = True
    safety_tolerance: int = 5
    is_raw: bool = False
    output_format: ImageFormat = "jpeg"
    seed: int | Literal["auto"] = "auto"
    quality_to_steps: Mapping[str, Mapping[str, int]] = field(
        default_factory=lambda: {"flux": {"low": 14, "medium": 28, "high": 56}}
    )
    """Family of models → quality → steps."""


@dataclass(frozen=True)
class ImageArguments:
    """The arguments that a model takes, from the `rules` of its entry; `none` means that it does not take one.

    - `prompt`: `positive_and_negative` sends the negative prompt separately; otherwise it is added to the prompt
    - `num_images`: `one` asks for images one at a time
    - `inference`: `steps`, `guidance`, `steps_and_guidance` or `none`
    - `safety_checker`: `enable`, `tolerance` or `none`
    - `specific`: `raw` sends `is_raw`
    - `aspect_ratio`, `background`, `output_format`, `input_images`: `none` leaves them out
    """

    entry: ModelEntry
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    def get(self, name: str) -> str:
        """The rule for an argument, or an empty string."""
        return getattr(self.entry.table.rules, name) or self.defaults.get(name, "")

    def takes(self, name: str) -> bool:
        return self.get(name) != "none"
