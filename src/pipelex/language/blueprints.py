"""Blueprints: the content of a bundle file as frozen pydantic models, before anything is linked.

They hold what the author wrote and check what one table alone can tell: closed keys, types, patterns and exclusive
keys. References are strings here; the library resolves them, and its crates carry the same models with every
reference domain-qualified.

Source: MTHDS 8.0.0, sections 1, 2 and 5 to 7 of the language reference.
"""

import datetime
import re
from typing import Annotated, Any, ClassVar, Literal, LiteralString, Self, TypeAlias, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pipelex.language.references import Slot

FieldType = Literal["text", "integer", "number", "boolean", "date", "datetime", "time", "list", "dict", "concept"]

PipeType = Literal[
    "PipeLLM",
    "PipeStructure",
    "PipeExtract",
    "PipeImgGen",
    "PipeSearch",
    "PipeJudge",
    "PipeCompose",
    "PipeFunc",
    "PipeDocGen",
    "PipeSequence",
    "PipeParallel",
    "PipeCondition",
    "PipeBatch",
]

TextFormat = Literal["plain", "markdown", "html", "json"]
TagStyle = Literal["no_tag", "ticks", "xml", "square_brackets"]
TemplateCategory = Literal["basic", "expression", "html", "markdown", "mermaid", "llm_prompt", "img_gen_prompt"]

SPECIAL_OUTCOMES = frozenset({"fail", "continue"})

PlainName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
DottedPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$")]
PipeReference = Annotated[str, StringConstraints(min_length=1)]

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
_ALIASED: ConfigDict = {**_STRICT, "validate_by_name": True, "validate_by_alias": True, "serialize_by_alias": True}
"""For tables with a key that is no Python name, or one pydantic uses itself: written and read under the key."""


def refuse(kind: str, message: str) -> PydanticCustomError:
    """A finding of a blueprint's own rule. `kind` becomes the error's type; the language layer maps it to a code."""
    return PydanticCustomError(cast("LiteralString", kind), cast("LiteralString", message))


def _check_slot(text: str) -> str:
    try:
        Slot.parse(text)
    except ValueError as wrong:
        raise refuse("slot", str(wrong)) from None
    return text


SlotText = Annotated[str, AfterValidator(_check_slot)]


class Blueprint(BaseModel):
    """Base of every table of a bundle: closed keys, strict types, immutable."""

    model_config = _STRICT


# --- concepts ---------------------------------------------------------------------------------------------------------


class FieldBlueprint(Blueprint):
    """One field of a concept's structure."""

    description: str
    type: FieldType | None = None
    required: bool = False
    default_value: Any = None
    choices: tuple[str, ...] | None = Field(default=None, strict=False)
    key_type: str | None = None
    value_type: str | None = None
    item_type: str | None = None
    concept_ref: str | None = None
    item_concept_ref: str | None = None
    hints: dict[str, str] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.type is None and self.choices is None:
            raise refuse("field_type_missing", "a field needs 'type', or 'choices' for an enumeration")
        if self.choices is not None:
            self._check_choices(self.choices)
        self._check_companions()
        self._check_default()
        return self

    def _check_choices(self, choices: tuple[str, ...]) -> None:
        if not choices:
            raise refuse("choices_empty", "'choices' must list at least one word")
        if len(set(choices)) != len(choices):
            raise refuse("choices_repeated", "'choices' must not repeat a word")
        if self.type not in (None, "text"):
            raise refuse("choices_type", f"'choices' makes a text enumeration; it does not go with type '{self.type}'")

    def _check_companions(self) -> None:
        if self.type == "dict" and not (self.key_type and self.value_type):
            raise refuse("dict_types", "a 'dict' field needs 'key_type' and 'value_type'")
        if self.type != "dict" and (self.key_type is not None or self.value_type is not None):
            raise refuse("dict_types", "'key_type' and 'value_type' belong to type 'dict'")
        if self.type != "list" and (self.item_type is not None or self.item_concept_ref is not None):
            raise refuse("item_type", "'item_type' and 'item_concept_ref' belong to type 'list'")
        if (self.type == "concept") != (self.concept_ref is not None):
            raise refuse("concept_ref", "'concept_ref' is required for type 'concept', and only there")
        if (self.item_type == "concept") != (self.item_concept_ref is not None):
            raise refuse("item_concept_ref", "'item_concept_ref' is required for item_type 'concept', and only there")

    def _check_default(self) -> None:
        if self.default_value is None:
            return
        if self.required:
            raise refuse("default_required", "a field with a 'default_value' is never required: drop one of the two")
        if self.type == "concept":
            raise refuse("default_concept", "a field of type 'concept' takes no 'default_value'")
        if self.choices is not None:
            if self.default_value not in self.choices:
                raise refuse("default_choice", f"the default '{self.default_value}' is not among the choices")
            return
        if self.type is not None and not _is_of_type(self.default_value, self.type):
            raise refuse("default_type", f"the default value does not match type '{self.type}'")


def _is_of_type(value: Any, type_name: FieldType) -> bool:
    if isinstance(value, bool):
        return type_name == "boolean"
    # ISO strings are accepted for the three date types because a crate carries them as JSON.
    accepted: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "date": (datetime.date, str),
        "datetime": (datetime.datetime, str),
        "time": (datetime.time, str),
        "list": (list,),
        "dict": (dict,),
    }
    return isinstance(value, accepted[type_name])


def _expand_field(value: Any) -> Any:
    """A bare string is a required text field with that description."""
    if isinstance(value, str):
        return {"description": value, "type": "text", "required": True}
    return value


FieldEntry = Annotated[FieldBlueprint, BeforeValidator(_expand_field)]


class ConceptBlueprint(Blueprint):
    """A concept declaration. A string structure names a class of the host program (an older form)."""

    description: str
    structure: dict[str, FieldEntry] | str | None = None
    refines: str | None = None
    hints: dict[str, str] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.refines is not None and self.structure is not None:
            raise refuse("refines_structure", "'refines' and 'structure' exclude each other")
        return self


# --- pipes ------------------------------------------------------------------------------------------------------------


class InputBlueprint(Blueprint):
    """An input slot in its table form."""

    concept: SlotText
    hints: dict[str, str] | None = None


def _expand_input(value: Any) -> Any:
    if isinstance(value, str):
        return {"concept": value}
    return value


InputEntry = Annotated[InputBlueprint, BeforeValidator(_expand_input)]


class PipeBlueprintBase(Blueprint):
    """Keys every pipe has."""

    description: str
    inputs: dict[str, InputEntry] = Field(default_factory=dict[str, InputEntry])
    output: SlotText

    @model_validator(mode="before")
    @classmethod
    def _null_inputs(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("inputs", 0) is None:  # type: ignore[reportUnknownMemberType]
            return {key: value for key, value in data.items() if key != "inputs"}  # type: ignore[reportUnknownVariableType]
        return data  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _check_output_marker(self) -> Self:
        if Slot.parse(self.output).presence == "forced":
            raise refuse("output_forced", "'!' is for inputs; an output is 'X', 'X?' or a list")
        return self

    @property
    def input_slots(self) -> dict[str, Slot]:
        """The declared inputs, in order."""
        return {name: Slot.parse(entry.concept) for name, entry in self.inputs.items()}

    @property
    def output_slot(self) -> Slot:
        return Slot.parse(self.output)


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


class PipeLLMBlueprint(PipeBlueprintBase):
    """One call of a language model."""

    type: Literal["PipeLLM"]
    prompt: str | None = None
    system_prompt: str | None = None
    model: str | LLMSettings | None = None
    model_to_structure: str | LLMSettings | None = None
    structuring_method: Literal["direct", "preliminary_text"] | None = None
    templating_style: TagStyle | TemplatingStyle | None = None

    @model_validator(mode="after")
    def _check_prompt(self) -> Self:
        if self.prompt is None and self.inputs:
            raise refuse("prompt_missing", "a PipeLLM with inputs needs a 'prompt' that reads them")
        return self


class PipeStructureBlueprint(PipeBlueprintBase):
    """Turns a text into an object."""

    type: Literal["PipeStructure"]
    model: str | LLMSettings | None = None

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if len(self.inputs) != 1:
            raise refuse("one_input", f"a PipeStructure has exactly one input, a Text; this one has {len(self.inputs)}")
        return self


class PipeExtractBlueprint(PipeBlueprintBase):
    """Pages out of a document or an image."""

    type: Literal["PipeExtract"]
    model: str | ExtractSettings | None = None
    max_page_images: int | None = Field(default=None, ge=0)
    page_image_captions: bool | None = None
    page_views: bool | None = None
    page_views_dpi: int | None = Field(default=None, gt=0)
    render_js: bool | None = None
    include_raw_html: bool | None = None

    @model_validator(mode="after")
    def _check_slots(self) -> Self:
        if len(self.inputs) != 1:
            raise refuse(
                "one_input",
                f"a PipeExtract has exactly one input, a Document or an Image; this one has {len(self.inputs)}",
            )
        output = self.output_slot
        if output.concept not in ("Page", "native.Page") or not output.is_list or output.count is not None:
            raise refuse("extract_output", f"a PipeExtract gives 'Page[]', not '{self.output}'")
        return self


AspectRatio = Literal[
    "square",
    "landscape_4_3",
    "landscape_3_2",
    "landscape_16_9",
    "landscape_21_9",
    "landscape_4_1",
    "landscape_8_1",
    "portrait_3_4",
    "portrait_2_3",
    "portrait_9_16",
    "portrait_9_21",
    "portrait_1_4",
    "portrait_1_8",
]


class ImageSize(Blueprint):
    """An image's size in pixels."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)


def _check_size(text: str) -> str:
    if text not in ("0.5k", "1k", "2k", "4k") and re.fullmatch(r"[1-9][0-9]*x[1-9][0-9]*", text) is None:
        raise refuse("image_size", f"'{text}' is not a size: write '0.5k', '1k', '2k', '4k' or 'WIDTHxHEIGHT'")
    return text


class PipeImgGenBlueprint(PipeBlueprintBase):
    """Images out of a prompt."""

    type: Literal["PipeImgGen"]
    prompt: str
    negative_prompt: str | None = None
    model: str | ImageSettings | None = None
    aspect_ratio: AspectRatio | None = None
    size: Annotated[str, AfterValidator(_check_size)] | ImageSize | None = None
    is_raw: bool | None = None
    seed: int | Literal["auto"] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None


def _check_date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise refuse("iso_date", f"'{text}' is not a date: write YYYY-MM-DD") from None
    if len(text) != len("YYYY-MM-DD"):
        raise refuse("iso_date", f"'{text}' is not a date: write YYYY-MM-DD")
    return text


IsoDate = Annotated[str, AfterValidator(_check_date)]


class PipeSearchBlueprint(PipeBlueprintBase):
    """An answer with sources from a search service."""

    type: Literal["PipeSearch"]
    prompt: str
    model: str | SearchSettings | None = None
    include_images: bool | None = None
    max_results: int | None = Field(default=None, ge=1)
    from_date: IsoDate | None = None
    to_date: IsoDate | None = None
    include_domains: tuple[str, ...] | None = Field(default=None, strict=False)
    exclude_domains: tuple[str, ...] | None = Field(default=None, strict=False)


class JudgeLevel(Blueprint):
    """One step of a rating scale."""

    label: str | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.label is None and self.description is None:
            raise refuse("level_empty", "a level needs a 'label' or a 'description'")
        return self


class JudgeCriteria(Blueprint):
    """What makes the answer yes, and what makes it no."""

    yes: str = Field(min_length=1)
    no: str = Field(min_length=1)


JudgeKind = Literal["yes_no", "choice", "rating"]


class JudgeQuestion(Blueprint):
    """One closed question: yes or no, a choice among options, or a rating on levels."""

    question: str = Field(min_length=1)
    options: dict[str, str] | None = None
    levels: tuple[str | JudgeLevel, ...] | None = Field(default=None, strict=False)
    criteria: JudgeCriteria | None = None
    threshold: float | None = Field(default=None, gt=0, lt=1)

    @property
    def kind(self) -> JudgeKind:
        if self.options is not None:
            return "choice"
        return "yes_no" if self.levels is None else "rating"

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_judge_kind(self.options, self.levels, self.criteria, self.threshold)
        return self


def check_judge_kind(
    options: dict[str, str] | None,
    levels: tuple[str | JudgeLevel, ...] | None,
    criteria: JudgeCriteria | None,
    threshold: float | None,
) -> None:
    """Refuse kind keys that exclude each other or that are too few to choose from."""
    if options is not None and levels is not None:
        raise refuse("judge_kind", "'options' and 'levels' exclude each other")
    if options is not None and len(options) < 2:
        raise refuse("judge_options", "'options' needs at least two entries")
    if levels is not None:
        if len(levels) < 2:
            raise refuse("judge_levels", "'levels' needs at least two entries")
        labels = [level if isinstance(level, str) else level.label for level in levels]
        present = [label for label in labels if label is not None]
        if present and len(present) != len(labels):
            raise refuse("judge_levels", "label every level, or none")
        if len(set(present)) != len(present):
            raise refuse("judge_levels", "the labels of the levels must differ")
    if (options is not None or levels is not None) and (criteria is not None or threshold is not None):
        raise refuse("judge_kind", "'criteria' and 'threshold' belong to yes/no questions")


class PipeJudgeBlueprint(PipeBlueprintBase):
    """Closed questions about evidence, asked of a judgment model."""

    type: Literal["PipeJudge"]
    prompt: str = Field(min_length=1)
    question: str | None = Field(default=None, min_length=1)
    questions: dict[str, JudgeQuestion] | None = None
    options: dict[str, str] | None = None
    levels: tuple[str | JudgeLevel, ...] | None = Field(default=None, strict=False)
    criteria: JudgeCriteria | None = None
    threshold: float | None = Field(default=None, gt=0, lt=1)
    model: str | PlainSettings | None = None

    @model_validator(mode="after")
    def _check_questions(self) -> Self:
        if (self.question is None) == (self.questions is None):
            raise refuse("judge_question", "write exactly one of 'question' and 'questions'")
        if self.questions is not None:
            if not self.questions:
                raise refuse("judge_question", "'questions' needs at least one entry")
            if any(key is not None for key in (self.options, self.levels, self.criteria, self.threshold)):
                raise refuse(
                    "judge_kind", "with 'questions', put options, levels, criteria and threshold on each of them"
                )
        check_judge_kind(self.options, self.levels, self.criteria, self.threshold)
        output = self.output_slot
        if output.is_list:
            raise refuse("judge_output", "the output of a PipeJudge takes no brackets")
        return self

    @property
    def all_questions(self) -> dict[str | None, JudgeQuestion]:
        """Every question by its name; a single one under None."""
        if self.questions is not None:
            return {**self.questions}
        assert self.question is not None
        return {
            None: JudgeQuestion(
                question=self.question,
                options=self.options,
                levels=self.levels,
                criteria=self.criteria,
                threshold=self.threshold,
            )
        }


class TemplateBlueprint(Blueprint):
    """A template in its table form."""

    template: str
    category: TemplateCategory
    templating_style: TagStyle | TemplatingStyle | None = None
    extra_context: dict[str, Any] | None = None


class ConstructFrom(Blueprint):
    """A construct field copied from a dotted path."""

    from_path: str = Field(alias="from")
    list_to_dict_keyed_by: str | None = None

    model_config: ClassVar[ConfigDict] = _ALIASED


class ConstructTemplate(Blueprint):
    """A construct field rendered from a template."""

    template: str


ConstructValue: TypeAlias = "str | bool | int | float | list[Any] | ConstructFrom | ConstructTemplate | ConstructTable"


def parse_construct(value: Any) -> Any:
    """Tell the kinds of construct values apart by their keys, so that a wrong one gets one message."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if not table:
        raise refuse("construct_empty", "a nested construct needs at least one field")
    if "from" in table and "template" in table:
        raise refuse("construct_keys", "'from' and 'template' exclude each other")
    # A table stands for a method (`from`, `template`) only with a string there: a nested concept may have such fields.
    if isinstance(table.get("from"), str):
        if extra := sorted(table.keys() - {"from", "list_to_dict_keyed_by"}):
            raise refuse(
                "construct_keys", f"'from' goes with 'list_to_dict_keyed_by' only, not with {', '.join(extra)}"
            )
        return ConstructFrom.model_validate(table)
    if isinstance(table.get("template"), str):
        if extra := sorted(table.keys() - {"template"}):
            raise refuse("construct_keys", f"'template' stands alone in a construct field, not with {', '.join(extra)}")
        return ConstructTemplate.model_validate(table)
    return ConstructTable(fields={name: parse_construct(entry) for name, entry in table.items()})


class ConstructTable(BaseModel):
    """A nested construct: one value for each field of a concept."""

    model_config = ConfigDict(frozen=True)

    fields: dict[str, Any]
    """Each a literal, a `ConstructFrom`, a `ConstructTemplate` or another `ConstructTable`."""


class PipeComposeBlueprint(PipeBlueprintBase):
    """A text from a template, or an object built field by field; calls no model."""

    type: Literal["PipeCompose"]
    template: str | TemplateBlueprint | None = None
    construct_table: dict[str, Any] | None = Field(default=None, alias="construct")

    model_config: ClassVar[ConfigDict] = _ALIASED

    @model_validator(mode="after")
    def _check_modes(self) -> Self:
        if (self.template is None) == (self.construct_table is None):
            raise refuse("compose_mode", "write exactly one of 'template' and 'construct'")
        if self.construct_table is not None:
            if not self.construct_table:
                raise refuse("construct_empty", "'construct' needs at least one field")
            _ = self.construct_fields  # its own rules speak here, once, when the file is read
        if self.output_slot.is_list:
            raise refuse("compose_output", "a PipeCompose gives one value: no brackets on its output")
        return self

    @property
    def construct_fields(self) -> dict[str, Any]:
        """The construct with its kinds told apart (see `ConstructTable.fields`); empty in template mode."""
        return {name: parse_construct(value) for name, value in (self.construct_table or {}).items()}

    @property
    def template_text(self) -> str | None:
        return self.template.template if isinstance(self.template, TemplateBlueprint) else self.template

    @property
    def category(self) -> TemplateCategory:
        return self.template.category if isinstance(self.template, TemplateBlueprint) else "basic"


class PipeFuncBlueprint(PipeBlueprintBase):
    """A call of a Python function of the method tree."""

    type: Literal["PipeFunc"]
    function_name: Annotated[str, StringConstraints(pattern=r"^[^.]+(\.[^.]+)+$")]


class PipeDocGenBlueprint(PipeBlueprintBase):
    """Prints a file from values; calls no model."""

    type: Literal["PipeDocGen"]
    format: Literal["pdf", "xlsx", "docx", "pptx"]
    template: str | None = None
    template_file: str | None = None
    filename: str | None = None
    model: str | PlainSettings | None = None

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        if self.template is not None and self.template_file is not None:
            raise refuse("docgen_template", "'template' and 'template_file' exclude each other")
        if self.template is not None and self.format != "pdf":
            raise refuse(
                "docgen_template", f"an inline 'template' prints pdf only; for {self.format} use 'template_file'"
            )
        if self.format == "pptx" and self.template_file is None:
            raise refuse("docgen_template", "format 'pptx' needs a 'template_file'")
        suffix = ".html" if self.format == "pdf" else f".{self.format}"
        if self.template_file is not None and not self.template_file.endswith(suffix):
            raise refuse("docgen_template", f"the 'template_file' of format '{self.format}' ends in '{suffix}'")
        if self.output_slot.is_list:
            raise refuse("docgen_output", "a PipeDocGen gives one document: no brackets on its output")
        return self


# --- controllers ------------------------------------------------------------------------------------------------------


class PipeStep(Blueprint):
    """A step or a branch that runs a pipe."""

    pipe: PipeReference
    result: PlainName | None = None
    nb_output: int | None = Field(default=None, ge=1)
    multiple_output: bool | None = None
    batch_over: DottedPath | None = None
    batch_as: PlainName | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.nb_output is not None and self.multiple_output is not None:
            raise refuse("step_multiplicity", "'nb_output' and 'multiple_output' exclude each other")
        if (self.batch_over is None) != (self.batch_as is None):
            raise refuse("step_batch", "'batch_over' and 'batch_as' come together")
        if self.batch_over is not None and self.batch_over == self.batch_as:
            raise refuse("batch_item", f"'batch_as' must differ from the list's own name '{self.batch_over}'")
        return self


class BindingStep(Blueprint):
    """A step that copies a value reached by a dotted path under a new name."""

    from_path: DottedPath = Field(alias="from")
    result: PlainName

    model_config: ClassVar[ConfigDict] = _ALIASED


def parse_step(value: Any) -> Any:
    """Tell a pipe step from a binding step by its keys."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if "pipe" in table and "from" in table:
        raise refuse("binding_step", "a step either runs a 'pipe' or binds a value 'from' a path, not both")
    if "pipe" in table:
        return PipeStep.model_validate(table)
    if "from" in table:
        return BindingStep.model_validate(table)
    raise refuse("step_kind", "a step needs 'pipe', or 'from' to bind a value")


StepEntry = Annotated[PipeStep | BindingStep, BeforeValidator(parse_step)]


class PipeSequenceBlueprint(PipeBlueprintBase):
    """Pipes one after another."""

    type: Literal["PipeSequence"]
    steps: tuple[StepEntry, ...] = Field(min_length=1, strict=False)


def _parse_branch(value: Any) -> Any:
    if isinstance(value, dict) and "from" in value:
        raise refuse("binding_step", "a branch runs a pipe; a binding step ('from') belongs to a PipeSequence")
    return value  # type: ignore[reportUnknownVariableType]


BranchEntry = Annotated[PipeStep, BeforeValidator(_parse_branch)]


class PipeParallelBlueprint(PipeBlueprintBase):
    """Pipes side by side, their results combined."""

    type: Literal["PipeParallel"]
    branches: tuple[BranchEntry, ...] = Field(min_length=1, strict=False)
    add_each_output: bool = False

    @model_validator(mode="after")
    def _check_branches(self) -> Self:
        names = [branch.result for branch in self.branches]
        if any(name is None for name in names):
            raise refuse("branch_result", "every branch of a PipeParallel needs a 'result'")
        if len(set(names)) != len(names):
            raise refuse("branch_result", "the branches of a PipeParallel need different 'result' names")
        if any(branch.batch_over is not None and "." in branch.batch_over for branch in self.branches):
            raise refuse("branch_batch", "in a branch, 'batch_over' is a plain name")
        if self.output_slot.is_list:
            raise refuse("parallel_output", "a PipeParallel gives one combined value: no brackets on its output")
        return self


class PipeConditionBlueprint(PipeBlueprintBase):
    """Chooses a pipe by an expression's value."""

    type: Literal["PipeCondition"]
    expression: str | None = None
    expression_template: str | None = None
    outcomes: dict[str, PipeReference] = Field(min_length=1)
    default_outcome: PipeReference
    add_alias_from_expression_to: str | None = None

    @model_validator(mode="after")
    def _check_expression(self) -> Self:
        if (self.expression is None) == (self.expression_template is None):
            raise refuse("condition_expression", "write exactly one of 'expression' and 'expression_template'")
        return self

    @property
    def template_text(self) -> str:
        """The condition as a template: `x` is `{{ x }}`."""
        if self.expression_template is not None:
            return self.expression_template
        return "{{ " + (self.expression or "") + " }}"

    @property
    def can_continue(self) -> bool:
        return "continue" in self.outcomes.values() or self.default_outcome == "continue"


class PipeBatchBlueprint(PipeBlueprintBase):
    """Runs one pipe on every item of a list."""

    type: Literal["PipeBatch"]
    branch_pipe_code: PipeReference
    input_list_name: PlainName
    input_item_name: PlainName

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.input_item_name == self.input_list_name or self.input_item_name in self.inputs:
            raise refuse(
                "batch_item",
                f"'{self.input_item_name}' names the item: it must differ from the list and from every input",
            )
        if self.input_list_name not in self.inputs:
            raise refuse("batch_list", f"'input_list_name' must be one of the inputs; '{self.input_list_name}' is not")
        if not self.input_slots[self.input_list_name].is_list:
            raise refuse("batch_list", f"input '{self.input_list_name}' must be a list: write '…[]'")
        if not self.output_slot.is_list:
            raise refuse("batch_output", "a PipeBatch gives a list: write '…[]' on its output")
        return self


class PipeSignatureBlueprint(PipeBlueprintBase):
    """A pipe's contract without an implementation: no `type`."""

    signature_for: PipeType | None = None


PipeBlueprint: TypeAlias = (
    PipeLLMBlueprint
    | PipeStructureBlueprint
    | PipeExtractBlueprint
    | PipeImgGenBlueprint
    | PipeSearchBlueprint
    | PipeJudgeBlueprint
    | PipeComposeBlueprint
    | PipeFuncBlueprint
    | PipeDocGenBlueprint
    | PipeSequenceBlueprint
    | PipeParallelBlueprint
    | PipeConditionBlueprint
    | PipeBatchBlueprint
    | PipeSignatureBlueprint
)

PIPE_BLUEPRINTS: dict[str, type[PipeBlueprintBase]] = {
    "PipeLLM": PipeLLMBlueprint,
    "PipeStructure": PipeStructureBlueprint,
    "PipeExtract": PipeExtractBlueprint,
    "PipeImgGen": PipeImgGenBlueprint,
    "PipeSearch": PipeSearchBlueprint,
    "PipeJudge": PipeJudgeBlueprint,
    "PipeCompose": PipeComposeBlueprint,
    "PipeFunc": PipeFuncBlueprint,
    "PipeDocGen": PipeDocGenBlueprint,
    "PipeSequence": PipeSequenceBlueprint,
    "PipeParallel": PipeParallelBlueprint,
    "PipeCondition": PipeConditionBlueprint,
    "PipeBatch": PipeBatchBlueprint,
}
"""The thirteen pipe types by name."""


class BundleBlueprint(Blueprint):
    """One bundle file. Built by `pipelex.language.parse_bundle`, which checks each concept and pipe on its own."""

    domain: str
    description: str | None = None
    system_prompt: str | None = None
    main_pipe: str | None = None
    concepts: dict[str, ConceptBlueprint] = Field(default_factory=dict[str, ConceptBlueprint])
    pipes: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Each a `PipeBlueprint`."""
