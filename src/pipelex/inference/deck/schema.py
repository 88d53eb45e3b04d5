"""The shapes of the files under `.pipelex/inference/`, and of model settings.

Source: the model configuration reference, sections 2, 4, 5, 6 and 7. Every table is closed, except a backend's own
extra configuration.
"""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pipelex.pipes.models import Family

ModelType = Literal["llm", "text_extractor", "img_gen", "search", "doc_gen", "judgment"]

MODEL_TYPES: dict[Family, ModelType] = {
    "llm": "llm",
    "extract": "text_extractor",
    "img_gen": "img_gen",
    "search": "search",
    "judgment": "judgment",
    "doc_gen": "doc_gen",
}
"""The type in backend files of each family's models."""

NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Table(BaseModel):
    """A closed table of a TOML file: an unknown key is an error, and values are never converted to another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), defer_build=True)


# --- backends.toml ----------------------------------------------------------------------------------------------------

ListedConstraint = Literal[
    "temperature_must_be_multiplied_by_2",
    "temperature_unsupported",
    "max_tokens_must_be_high_enough",
    "thinking_cannot_be_disabled",
]


class ValuedConstraints(_Table):
    """Constraints with a value."""

    fixed_temperature: float | None = None
    min_thinking_budget: int | None = Field(default=None, gt=0)
    max_thinking_budget: int | None = Field(default=None, gt=0)


class BackendTable(_Table):
    """One table of `backends.toml`; keys it does not name are kept for the backend's client."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, protected_namespaces=(), defer_build=True)

    enabled: bool = True
    display_name: str | None = None
    endpoint: str | None = None
    api_key: str | None = None
    listed_constraints: list[ListedConstraint] = []
    valued_constraints: ValuedConstraints = ValuedConstraints()


# --- backends/<backend>.toml ------------------------------------------------------------------------------------------

ModelInput = Literal[
    "text", "images", "pdf",
    "image", "web_page", "docx", "pptx", "xlsx", "html", "md", "csv", "txt", "vtt", "eml",
    "layout", "template_file",
]  # fmt: skip

ModelOutput = Literal[
    "text", "structured", "image", "pages", "sourced-answers", "judgments", "pdf", "xlsx", "docx", "pptx"
]

Price = Annotated[float, Field(ge=0)]


class Costs(_Table):
    """USD per million tokens; per unit for search and extraction. An empty table means free."""

    input: Price | None = None
    output: Price | None = None
    input_cached: Price | None = None
    input_non_cached: Price | None = None
    input_joined: Price | None = None
    input_audio: Price | None = None
    output_audio: Price | None = None
    output_reasoning: Price | None = None
    output_accepted_prediction: Price | None = None
    output_rejected_prediction: Price | None = None


class ImageRules(_Table):
    """Which request arguments an image model takes: names of mappings."""

    model_choice: str | None = None
    prompt: str | None = None
    num_images: str | None = None
    aspect_ratio: str | None = None
    inference: str | None = None
    safety_checker: str | None = None
    background: str | None = None
    output_format: str | None = None
    output_compression: str | None = None
    specific: str | None = None
    input_images: str | None = None
    input_fidelity: str | None = None


class ModelTable(_Table):
    """One model of a backend file, the file's defaults filled in.

    A key with a hyphen is a request header: `headers` collects them.
    """

    enabled: bool = True
    handle: NonEmpty | None = None
    variant: NonEmpty | None = None
    model_type: ModelType = "llm"
    sdk: NonEmpty
    model_id: NonEmpty | None = None
    inputs: list[ModelInput] = ["text"]
    outputs: list[ModelOutput] = ["text", "structured"]
    costs: Costs | None = None
    structure_method: NonEmpty | None = None
    thinking_mode: Literal["none", "manual", "adaptive"] = "none"
    max_tokens: int | None = Field(default=None, gt=0)
    max_prompt_images: int | None = Field(default=None, ge=0)
    listed_constraints: list[ListedConstraint] = []
    valued_constraints: ValuedConstraints = ValuedConstraints()
    rules: ImageRules = ImageRules()
    endpoint_path: NonEmpty | None = None
    headers: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_headers(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        table = cast("dict[str, Any]", data)
        if "headers" in table:
            raise ValueError("unknown key 'headers': write a header as a key with a hyphen, x-team = \"blue\"")
        headers = {key: value for key, value in table.items() if "-" in key}
        for name, value in headers.items():
            _check_header(name, value, known=set(cls.model_fields))
        rest = {key: value for key, value in table.items() if key not in headers}
        return {**rest, "headers": headers}


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _check_header(name: str, value: Any, *, known: set[str]) -> None:
    spelled = name.replace("-", "_")
    if spelled in known:
        raise ValueError(f"unknown key {name!r}: write {spelled!r}")
    if not isinstance(value, str):
        raise ValueError(f"the header {name!r} must be a string")
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid header name")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"the header {name!r} must be printable ASCII")


# --- routing_profiles.toml --------------------------------------------------------------------------------------------


class RoutingProfile(_Table):
    """Which backend serves which model."""

    description: str
    default: NonEmpty | None = None
    routes: dict[NonEmpty, NonEmpty] = {}
    optional_routes: dict[NonEmpty, NonEmpty] = {}
    fallback_order: list[NonEmpty] = []


class RoutingFile(_Table):
    """`routing_profiles.toml`."""

    active: NonEmpty
    profiles: dict[NonEmpty, RoutingProfile]


# --- model settings ---------------------------------------------------------------------------------------------------

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ModelSettingsTable(_Table):
    """What the settings of every family share."""

    model: NonEmpty
    description: str | None = None

    @model_validator(mode="after")
    def _exclude(self) -> "ModelSettingsTable":
        for one, other in (("reasoning_effort", "reasoning_budget"), ("quality", "nb_steps")):
            if getattr(self, one, None) is not None and getattr(self, other, None) is not None:
                raise ValueError(f"{one!r} and {other!r} exclude each other")
        return self


class LLMSettings(ModelSettingsTable):
    """Settings of a language model."""

    temperature: float = Field(ge=0, le=1)
    max_tokens: Annotated[int, Field(gt=0)] | Literal["auto"] | None = None
    image_detail: Literal["high", "low", "auto"] | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget: int | None = Field(default=None, gt=0)


class ExtractSettings(ModelSettingsTable):
    """Settings of a text extractor."""

    max_nb_images: int | None = Field(default=None, ge=0)
    image_min_size: int | None = Field(default=None, ge=0)


class ImgGenSettings(ModelSettingsTable):
    """Settings of an image model."""

    quality: Literal["low", "medium", "high"] | None = None
    nb_steps: int | None = Field(default=None, gt=0)
    guidance_scale: float | None = Field(default=None, gt=0)
    is_moderated: bool | None = None
    safety_tolerance: int | None = Field(default=None, ge=1, le=6)


class SearchSettings(ModelSettingsTable):
    """Settings of a search."""

    include_images: bool = False
    include_inline_citations: bool = True
    max_results: int | None = Field(default=None, ge=1)


class PlainSettings(ModelSettingsTable):
    """Settings of a family that has none of its own: judgment, documents."""


SETTINGS: dict[Family, type[ModelSettingsTable]] = {
    "llm": LLMSettings,
    "extract": ExtractSettings,
    "img_gen": ImgGenSettings,
    "search": SearchSettings,
    "judgment": PlainSettings,
    "doc_gen": PlainSettings,
}


# --- deck/*.toml ------------------------------------------------------------------------------------------------------


class DeckSection(_Table):
    """What the sections of every family share."""

    aliases: dict[NonEmpty, NonEmpty] = {}
    waterfalls: dict[NonEmpty, Annotated[list[NonEmpty], Field(min_length=1)]] = {}

    def preset(self, name: str) -> ModelSettingsTable | None:
        presets: dict[str, ModelSettingsTable] = getattr(self, "presets", {})
        return presets.get(name)

    def preset_names(self) -> list[str]:
        return list(getattr(self, "presets", {}))


class LLMDefaults(_Table):
    """What a pipe that names no model gets."""

    for_text: NonEmpty | LLMSettings | None = None
    for_object: NonEmpty | LLMSettings | None = None
    default_temperature: float = Field(default=0.5, ge=0, le=1)


class LLMOverrides(_Table):
    """What replaces the defaults; `disabled` means nothing does."""

    for_text: NonEmpty = "disabled"
    for_object: NonEmpty = "disabled"


class LLMSection(DeckSection):
    """`[llm]` of the deck."""

    presets: dict[NonEmpty, LLMSettings] = {}
    choice_defaults: LLMDefaults = LLMDefaults()
    choice_overrides: LLMOverrides = LLMOverrides()


class ExtractSection(DeckSection):
    """`[extract]` of the deck."""

    presets: dict[NonEmpty, ExtractSettings] = {}
    choice_default: NonEmpty | ExtractSettings | None = None


class ImgGenSection(DeckSection):
    """`[img_gen]` of the deck."""

    presets: dict[NonEmpty, ImgGenSettings] = {}
    choice_default: NonEmpty | ImgGenSettings | None = None
    default_quality: Literal["low", "medium", "high"] | None = None


class SearchSection(DeckSection):
    """`[search]` of the deck."""

    presets: dict[NonEmpty, SearchSettings] = {}
    choice_default: NonEmpty | SearchSettings | None = None


class JudgmentSection(DeckSection):
    """`[judgment]` of the deck."""

    presets: dict[NonEmpty, PlainSettings] = {}
    choice_default: NonEmpty | PlainSettings | None = None


class DocGenSection(DeckSection):
    """`[doc_gen]` of the deck; defaults are keyed `<format>.<source>`."""

    presets: dict[NonEmpty, PlainSettings] = {}
    choice_defaults: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z]+\.(layout|html|template_file)$")], NonEmpty
    ] = {}


class DeckTables(_Table):
    """All deck files merged."""

    llm: LLMSection = LLMSection()
    extract: ExtractSection = ExtractSection()
    img_gen: ImgGenSection = ImgGenSection()
    search: SearchSection = SearchSection()
    judgment: JudgmentSection = JudgmentSection()
    doc_gen: DocGenSection = DocGenSection()

    def section(self, family: Family) -> DeckSection:
        section: DeckSection = getattr(self, family)
        return section
