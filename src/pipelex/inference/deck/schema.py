"""The shapes of the files under `.pipelex/inference/`, and of model settings.

Source: the model configuration reference, sections 2, 4, 5, 6 and 7. Every table is closed, except a backend's own
extra configuration.
"""

import re
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from pipelex.inference.families import ModelType
from pipelex.language.blueprints import ModelFamily

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
    """The only temperature the model works at; others are replaced by it, with a warning."""
    min_thinking_budget: int | None = Field(default=None, gt=0)
    """The fewest tokens of thinking the model takes."""
    max_thinking_budget: int | None = Field(default=None, gt=0)
    """The most tokens of thinking the model takes."""


class BackendTable(_Table):
    """One table of `backends.toml`; keys it does not name are kept for the backend's client."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, protected_namespaces=(), defer_build=True)

    enabled: bool = True
    """Whether the backend serves its models."""
    display_name: str | None = None
    """The backend's name for people."""
    endpoint: str | None = None
    """The base address of its API; the client's own when absent."""
    endpoint_variables: dict[NonEmpty, str] = {}
    """Environment variables that name another address, the first one that is set winning: name → the path to add where
    the address has none."""
    api_key: str | None = None
    """The key, usually `"${NAME}"`: an environment variable."""
    models: list[NonEmpty] = []
    """Names of language models it serves besides those of its file, as the provider calls them."""
    sdk: NonEmpty | None = None
    """The client that the models of `models` are called through; `openai` when absent, for whatever speaks its
    protocol."""
    is_default: bool = False
    """Whether its first model stands for every standard name: presets, aliases, waterfalls and defaults."""
    headers: dict[NonEmpty, str] = {}
    """Headers of every request, besides those of a model."""
    verify: bool = True
    """Whether the server's certificate is checked."""
    ca_bundle: NonEmpty | None = None
    """A file with the certificates to check the server's against, instead of the usual ones; a relative path starts
    at the folder of this file."""
    token_parameter: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The name of a request's limit of tokens; `max_tokens` when absent, which most endpoints know."""
    listed_constraints: list[ListedConstraint] = []
    """Constraints of all its models."""
    valued_constraints: ValuedConstraints = ValuedConstraints()
    """Constraints of all its models that have a value."""

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            _check_header(name, value, known=set())
        return headers


# --- backends/<backend>.toml ------------------------------------------------------------------------------------------

ModelInput = Literal[
    "text", "images", "pdf", "video", "audio",
    "image", "web_page", "docx", "pptx", "xlsx", "html", "md", "csv", "txt", "vtt", "eml",
    "layout", "template_file",
]  # fmt: skip

ModelOutput = Literal[
    "text", "structured", "image", "video", "audio", "pages", "sourced-answers", "judgments", "pdf", "xlsx", "docx",
    "pptx",
]  # fmt: skip

Price = Annotated[float, Field(ge=0)]


class Costs(_Table):
    """USD per million tokens; per unit for search and extraction. An empty table means free."""

    input: Price | None = None
    """The price of what is sent."""
    output: Price | None = None
    """The price of what is answered."""
    input_cached: Price | None = None
    """The price of what is sent and was in the provider's cache."""
    input_non_cached: Price | None = None
    """The price of what is sent and was in no cache."""
    input_joined: Price | None = None
    """The price of what is sent, cached or not, where the provider does not tell them apart."""
    input_audio: Price | None = None
    """The price of sound that is sent."""
    output_audio: Price | None = None
    """The price of sound that is answered."""
    output_reasoning: Price | None = None
    """The price of thinking."""
    output_accepted_prediction: Price | None = None
    """Tokens of a prediction that the answer took over."""
    output_rejected_prediction: Price | None = None
    """Tokens of a prediction that the answer did not take over."""
    input_captioned: Price | None = None
    """The price of a page whose pictures are described, where it is another one."""
    input_rendered: Price | None = None
    """The price of a web page whose JavaScript is run, where it is another one."""

    @property
    def is_free(self) -> bool:
        """Whether the table is empty."""
        return not self.model_dump(exclude_none=True)


class ImageRules(_Table):
    """The request arguments that an image model takes: names of mappings."""

    model_choice: str | None = None
    """The mapping for the name of the model."""
    prompt: str | None = None
    """The mapping for the prompt."""
    num_images: str | None = None
    """The mapping for the number of images."""
    aspect_ratio: str | None = None
    """The mapping for the aspect ratio."""
    inference: str | None = None
    """The mapping for steps and guidance."""
    safety_checker: str | None = None
    """The mapping for the safety checker."""
    background: str | None = None
    """The mapping for the background."""
    output_format: str | None = None
    """The mapping for the file format."""
    output_compression: str | None = None
    """The mapping for the compression."""
    specific: str | None = None
    """The mapping for further arguments of this kind of model."""
    input_images: str | None = None
    """The mapping for reference images."""
    input_fidelity: str | None = None
    """The mapping for how close the result stays to the reference images."""


class ModelTable(_Table):
    """One model of a backend file, the file's defaults filled in.

    A key with a hyphen is a request header: `headers` collects them.
    """

    enabled: bool = True
    """Whether the model is served."""
    handle: NonEmpty | None = None
    """The name methods use, where it is not that of the table."""
    variant: NonEmpty | None = None
    """The word that tells two entries with one handle apart."""
    model_type: ModelType = "llm"
    """The family of the model."""
    sdk: NonEmpty
    """The client the model is called through."""
    model_id: NonEmpty | None = None
    """The provider's own name of the model; the handle when absent."""
    inputs: list[ModelInput] = ["text"]
    """The kinds of input that the model takes."""
    outputs: list[ModelOutput] = ["text", "structured"]
    """The kinds of output that the model gives."""
    costs: Costs | None = None
    """The prices; unknown when absent, free when empty."""
    structure_method: NonEmpty | None = None
    """The method of asking for a structured answer, for example `instructor/openai_tools`."""
    thinking_mode: Literal["none", "manual", "adaptive"] = "none"
    """Whether the model thinks before it answers, and who says how much."""
    max_tokens: int | None = Field(default=None, gt=0)
    """The most tokens of one answer."""
    max_prompt_images: int | None = Field(default=None, ge=0)
    """The most images of one prompt; `inference.llm.default_max_images` when absent."""
    listed_constraints: list[ListedConstraint] = []
    """The settings that the model does not take, or takes only in its own way."""
    valued_constraints: ValuedConstraints = ValuedConstraints()
    """Constraints that have a value."""
    rules: ImageRules = ImageRules()
    """The request arguments that an image model takes."""
    prompting_target: str | None = None
    """A key of earlier releases, without effect."""
    call_timeout: float | None = Field(default=None, gt=0, strict=False)
    """The longest time of one request, in seconds; `inference.call_timeout` when absent. A durable call ends with its
    activity's time-out, too."""
    endpoint_path: NonEmpty | None = None
    """The path below the backend's endpoint, where it is unusual."""
    headers: dict[str, str] = {}
    """The headers of its requests, gathered from keys with a hyphen."""

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
    """The choice of a backend for each model."""

    description: str
    """The purpose of the profile."""
    default: NonEmpty | None = None
    """The backend asked first for models that no route matches."""
    routes: dict[NonEmpty, NonEmpty] = {}
    """Handle or pattern (`prefix-*`, `*-suffix`) → the backend that serves it, which must be enabled."""
    optional_routes: dict[NonEmpty, NonEmpty] = {}
    """Routes like `routes`, without effect while the backend is not enabled."""
    fallback_order: list[NonEmpty] = []
    """The backends tried in turn: the first enabled one that serves the model."""


class RoutingFile(_Table):
    """`routing_profiles.toml`."""

    active: NonEmpty | None = None
    """The name of the profile in force; that of the files below when absent."""
    profiles: dict[NonEmpty, RoutingProfile] = {}
    """Profiles by name, besides those of the files below; a profile of the same name replaces theirs."""


# --- model settings ---------------------------------------------------------------------------------------------------

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class ModelPreset(_Table):
    """A model with its settings, as a preset of the deck or as an inline table of a pipe: what every family has."""

    model: NonEmpty
    """The model: a handle, an alias (`@name`) or a waterfall (`~name`)."""
    description: str | None = None
    """The purpose of the settings."""

    @model_validator(mode="after")
    def _exclude(self) -> "ModelPreset":
        for one, other in (("reasoning_effort", "reasoning_budget"), ("quality", "nb_steps")):
            if getattr(self, one, None) is not None and getattr(self, other, None) is not None:
                raise ValueError(f"{one!r} and {other!r} cannot be used together")
        return self


class ChatPreset(ModelPreset):
    """A language model with its settings."""

    temperature: float = Field(ge=0, le=1)
    """The freedom of the answer, from 0 to 1; 0 is the most even."""
    max_tokens: Annotated[int, Field(gt=0)] | Literal["auto"] | None = None
    """The most tokens of an answer; `auto` leaves it to the provider."""
    image_detail: Literal["high", "low", "auto"] | None = None
    """The detail in which images are looked at."""
    reasoning_effort: ReasoningEffort | None = None
    """The amount of thinking; excludes `reasoning_budget`."""
    reasoning_budget: int | None = Field(default=None, gt=0)
    """The tokens of thinking; excludes `reasoning_effort`."""


class ExtractPreset(ModelPreset):
    """A text extractor with its settings."""

    max_nb_images: int | None = Field(default=None, ge=0)
    """The most pictures taken out of a document."""
    image_min_size: int | None = Field(default=None, ge=0)
    """The shortest side of a picture that is taken out, in pixels."""


class ImagePreset(ModelPreset):
    """An image model with its settings."""

    quality: Literal["low", "medium", "high"] | None = None
    """The quality asked for; excludes `nb_steps`."""
    nb_steps: int | None = Field(default=None, gt=0)
    """The steps of inference; excludes `quality`."""
    guidance_scale: float | None = Field(default=None, gt=0)
    """The weight of the prompt: a higher value follows it more closely."""
    is_moderated: bool | None = None
    """Whether the provider's safety checker is on."""
    safety_tolerance: int | None = Field(default=None, ge=1, le=6)
    """The tolerance of the safety checker, from 1 (the strictest) to 6."""


class SearchPreset(ModelPreset):
    """A search with its settings."""

    include_images: bool = False
    """Whether pictures are looked for, too."""
    include_inline_citations: bool = True
    """Whether the answer names its sources in the text."""
    max_results: int | None = Field(default=None, ge=1)
    """The most sources."""


class PlainPreset(ModelPreset):
    """A model of a family without settings of its own: judgment, documents."""


PRESETS: dict[ModelFamily, type[ModelPreset]] = {
    "llm": ChatPreset,
    "extract": ExtractPreset,
    "img_gen": ImagePreset,
    "search": SearchPreset,
    "judgment": PlainPreset,
    "doc_gen": PlainPreset,
}


# --- deck/*.toml ------------------------------------------------------------------------------------------------------


class DeckSection(_Table):
    """The part that the sections of every family share."""

    aliases: dict[NonEmpty, NonEmpty] = {}
    """The aliases: name → a handle, another alias (`@name`) or a waterfall (`~name`)."""
    waterfalls: dict[NonEmpty, Annotated[list[NonEmpty], Field(min_length=1)]] = {}
    """The waterfalls: name → handles, of which the first one that is served is taken."""

    def preset(self, name: str) -> ModelPreset | None:
        presets: dict[str, ModelPreset] = getattr(self, "presets", {})
        return presets.get(name)

    def preset_names(self) -> list[str]:
        return list(getattr(self, "presets", {}))


class LLMDefaults(_Table):
    """The models of a pipe that names none."""

    for_text: NonEmpty | ChatPreset | None = None
    """The model of texts: a reference or a table of settings."""
    for_object: NonEmpty | ChatPreset | None = None
    """The model of structured answers: a reference or a table of settings."""
    default_temperature: float = Field(default=0.5, ge=0, le=1)
    """The temperature of a model that is named outside of a preset."""


class LLMOverrides(_Table):
    """The models that replace the defaults; `disabled` means that nothing does."""

    for_text: NonEmpty = "disabled"
    """The model of texts, or `disabled`."""
    for_object: NonEmpty = "disabled"
    """The model of structured answers, or `disabled`."""


class LLMSection(DeckSection):
    """Names of language models."""

    presets: dict[NonEmpty, ChatPreset] = {}
    """Name → a model with its settings."""
    choice_defaults: LLMDefaults = LLMDefaults()
    choice_overrides: LLMOverrides = LLMOverrides()


class ExtractSection(DeckSection):
    """Names of text extractors."""

    presets: dict[NonEmpty, ExtractPreset] = {}
    """Name → a model with its settings."""
    choice_default: NonEmpty | ExtractPreset | None = None
    """The model of a pipe that names none: a reference or a table of settings."""


class ImgGenSection(DeckSection):
    """Names of image models."""

    presets: dict[NonEmpty, ImagePreset] = {}
    """Name → a model with its settings."""
    choice_default: NonEmpty | ImagePreset | None = None
    """The model of a pipe that names none: a reference or a table of settings."""
    default_quality: Literal["low", "medium", "high"] | None = None
    """The quality of settings that say neither `quality` nor `nb_steps`."""


class SearchSection(DeckSection):
    """Names of search models."""

    presets: dict[NonEmpty, SearchPreset] = {}
    """Name → a model with its settings."""
    choice_default: NonEmpty | SearchPreset | None = None
    """The model of a pipe that names none: a reference or a table of settings."""


class JudgmentSection(DeckSection):
    """Names of judgment models."""

    presets: dict[NonEmpty, PlainPreset] = {}
    """Name → a model with its settings."""
    choice_default: NonEmpty | PlainPreset | None = None
    """The model of a pipe that names none: a reference or a table of settings."""


class DocGenSection(DeckSection):
    """Names of document engines."""

    presets: dict[NonEmpty, PlainPreset] = {}
    """Name → a model with its settings."""
    choice_defaults: dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z]+\.(layout|html|template_file)$")], NonEmpty
    ] = {}
    """`<format>.<source>` → the engine of a pipe that names none."""


class DeckTables(_Table):
    """All deck files merged."""

    llm: LLMSection = LLMSection()
    extract: ExtractSection = ExtractSection()
    img_gen: ImgGenSection = ImgGenSection()
    search: SearchSection = SearchSection()
    judgment: JudgmentSection = JudgmentSection()
    doc_gen: DocGenSection = DocGenSection()

    def section(self, family: ModelFamily) -> DeckSection:
        section: DeckSection = getattr(self, family)
        return section
