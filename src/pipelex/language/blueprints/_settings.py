"""Inline settings of models, and templating styles.

Source: MTHDS 8.0.0, section 6 of the language reference.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelex.language.blueprints._base import Blueprint, TagStyle, TextFormat, refuse


class LLMSettings(Blueprint):
    """An inline setting of a language model, or a preset's."""

    model: str
    temperature: float = Field(ge=0, le=1)
    max_tokens: int | Literal["auto"] | None = None
    image_detail: Literal["high", "low", "auto"] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    reasoning_budget: int | None = Field(default=None, gt=0)
    description: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reasoning_effort is not None and self.reasoning_budget is not None:
            raise refuse("reasoning", "'reasoning_effort' and 'reasoning_budget' exclude each other")
        return self


class ExtractSettings(Blueprint):
    """An inline setting of an extraction model."""

    model: str
    max_nb_images: int | None = Field(default=None, ge=0)
    image_min_size: int | None = Field(default=None, ge=0)
    description: str | None = None


class ImageSettings(Blueprint):
    """An inline setting of an image model."""

    model: str
    quality: Literal["low", "medium", "high"] | None = None
    nb_steps: int | None = Field(default=None, gt=0)
    guidance_scale: float | None = Field(default=None, gt=0)
    is_moderated: bool | None = None
    safety_tolerance: int | None = Field(default=None, ge=1, le=6)
    description: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.quality is not None and self.nb_steps is not None:
            raise refuse("quality_steps", "'quality' and 'nb_steps' exclude each other")
        return self


class SearchSettings(Blueprint):
    """An inline setting of a search model."""

    model: str
    include_images: bool | None = None
    include_inline_citations: bool | None = None
    max_results: int | None = Field(default=None, ge=1)
    description: str | None = None


class PlainSettings(Blueprint):
    """An inline setting of a judgment model or a document engine."""

    model: str
    description: str | None = None


class TemplatingStyle(Blueprint):
    """How values are tagged and formatted inside a template."""

    tag_style: TagStyle
    text_format: TextFormat = "plain"
