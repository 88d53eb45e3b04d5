"""Inline settings of models, and templating styles.

Source: MTHDS 8.0.0, section 6 of the language reference.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelex.language.blueprints._base import Blueprint, TagStyle, TextFormat, refuse


class LLMSettings(Blueprint):
    """An inline setting of a language model, or a preset's."""

    model: str
    """The model: an alias, a waterfall or a handle."""
    temperature: float = Field(ge=0, le=1)
    """The freedom of the model's choices, from 0 to 1."""
    max_tokens: int | Literal["auto"] | None = None
    """The maximum length of the answer, in tokens; `auto` leaves it to the model."""
    image_detail: Literal["high", "low", "auto"] | None = None
    """The detail in which the model looks at images."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    """The amount of reasoning; excludes `reasoning_budget`."""
    reasoning_budget: int | None = Field(default=None, gt=0)
    """The maximum number of tokens for reasoning. Instead of `reasoning_effort`."""
    description: str | None = None
    """The purpose of the setting."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reasoning_effort is not None and self.reasoning_budget is not None:
            raise refuse(
                "reasoning", "'reasoning_effort' and 'reasoning_budget' cannot be used together", "reasoning_budget"
            )
        return self


class ExtractSettings(Blueprint):
    """An inline setting of an extraction model."""

    model: str
    """The model: an alias, a waterfall or a handle."""
    max_nb_images: int | None = Field(default=None, ge=0)
    """The maximum number of images that are taken out."""
    image_min_size: int | None = Field(default=None, ge=0)
    """The size below which images are left out, in pixels."""
    description: str | None = None
    """The purpose of the setting."""


class ImageSettings(Blueprint):
    """An inline setting of an image model."""

    model: str
    """The model: an alias, a waterfall or a handle."""
    quality: Literal["low", "medium", "high"] | None = None
    """The quality of the image. Instead of `nb_steps`."""
    nb_steps: int | None = Field(default=None, gt=0)
    """The number of inference steps. Instead of `quality`."""
    guidance_scale: float | None = Field(default=None, gt=0)
    """The weight of the prompt: with a higher value, the model keeps to it more closely."""
    is_moderated: bool | None = None
    """Whether the provider moderates prompt and image."""
    safety_tolerance: int | None = Field(default=None, ge=1, le=6)
    """The tolerance of the provider's safety checker, from 1 (the strictest) to 6."""
    description: str | None = None
    """The purpose of the setting."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quality is not None and self.nb_steps is not None:
            raise refuse("quality_steps", "'quality' and 'nb_steps' cannot be used together", "nb_steps")
        return self


class SearchSettings(Blueprint):
    """An inline setting of a search model."""

    model: str
    """The model: an alias, a waterfall or a handle."""
    include_images: bool | None = None
    """Whether images are searched for, too. False by default."""
    include_inline_citations: bool | None = None
    """Whether the answer cites its sources where it uses them. True by default."""
    max_results: int | None = Field(default=None, ge=1)
    """The maximum number of results."""
    description: str | None = None
    """The purpose of the setting."""


class PlainSettings(Blueprint):
    """An inline setting of a judgment model or a document engine."""

    model: str
    """The model: an alias, a waterfall or a handle."""
    description: str | None = None
    """The purpose of the setting."""


class TemplatingStyle(Blueprint):
    """The tags and formats of values inside a template."""

    tag_style: TagStyle
    """The tags that `@name` puts around a value."""
    text_format: TextFormat = "plain"
    """The format in which `$name` and `format` write a value."""
