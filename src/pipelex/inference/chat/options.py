"""Options of calls to language models."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChatOptions:
    """The options of calls to language models."""

    schema_reask_max_attempts: int = 2
    """The number of times that a model is asked again when its object does not fit the schema."""
    is_structure_prompt_enabled: bool = False
    """Whether the prompt also describes the structure when the provider is sent the schema anyway."""
    effort_budgets: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    """The tokens of each reasoning effort, by provider (`anthropic`, `gemini`), if they differ from the defaults."""
    default_max_images: int = 100
    """The maximum number of images in one prompt to a model that does not say how many it takes."""
