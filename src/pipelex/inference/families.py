"""The families of models, with their names in backend files and in messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pipelex.language.blueprints import ModelFamily


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """The names of one family of models."""

    words: str
    """The family as messages name it, for example in `no default for language models`."""
    model_type: str
    """The `model_type` of its models in backend files."""


FAMILIES: Final[Mapping[ModelFamily, FamilyFacts]] = {
    "llm": FamilyFacts("language models", "llm"),
    "extract": FamilyFacts("text extraction", "text_extractor"),
    "img_gen": FamilyFacts("image generation", "img_gen"),
    "search": FamilyFacts("search", "search"),
    "judgment": FamilyFacts("judgment", "judgment"),
    "doc_gen": FamilyFacts("documents", "doc_gen"),
}
"""Every family of models."""

if TYPE_CHECKING:
    ModelType = str
else:
    ModelType = Literal[tuple(facts.model_type for facts in FAMILIES.values())]

FAMILY_OF: Final[Mapping[str, ModelFamily]] = {facts.model_type: family for family, facts in FAMILIES.items()}
"""The family of each `model_type`."""
