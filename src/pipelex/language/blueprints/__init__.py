"""Blueprints: the content of a bundle file as frozen pydantic models, before anything is linked.

They hold what the author wrote and check what one table alone can tell: closed keys, types, patterns and exclusive
keys. References are strings here; the library resolves them, and its crates carry the same models with every
reference domain-qualified.

Source: MTHDS 8.0.0, sections 1, 2 and 5 to 7 of the language reference.
"""

from pipelex.language.blueprints._base import (
    SPECIAL_OUTCOMES,
    Blueprint,
    DottedPath,
    FieldType,
    PipeReference,
    PipeType,
    PlainName,
    SlotText,
    TagStyle,
    TemplateCategory,
    TextFormat,
    refuse,
)
from pipelex.language.blueprints._bundle import PIPE_BLUEPRINTS, BundleBlueprint, PipeBlueprint
from pipelex.language.blueprints._compose import (
    ConstructFrom,
    ConstructTable,
    ConstructTemplate,
    ConstructValue,
    PipeComposeBlueprint,
    TemplateBlueprint,
    parse_construct,
)
from pipelex.language.blueprints._concept import ConceptBlueprint, FieldBlueprint, FieldEntry
from pipelex.language.blueprints._controllers import (
    BindingStep,
    BranchEntry,
    PipeBatchBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
    PipeStep,
    StepEntry,
    parse_step,
)
from pipelex.language.blueprints._judge import (
    JudgeCriteria,
    JudgeKind,
    JudgeLevel,
    JudgeQuestion,
    PipeJudgeBlueprint,
    check_judge_kind,
)
from pipelex.language.blueprints._operators import (
    AspectRatio,
    ImageSize,
    IsoDate,
    PipeDocGenBlueprint,
    PipeExtractBlueprint,
    PipeFuncBlueprint,
    PipeImgGenBlueprint,
    PipeLLMBlueprint,
    PipeSearchBlueprint,
    PipeStructureBlueprint,
)
from pipelex.language.blueprints._pipe import InputBlueprint, InputEntry, PipeBlueprintBase, PipeSignatureBlueprint
from pipelex.language.blueprints._settings import (
    ExtractSettings,
    ImageSettings,
    LLMSettings,
    PlainSettings,
    SearchSettings,
    TemplatingStyle,
)

__all__ = [
    "PIPE_BLUEPRINTS",
    "SPECIAL_OUTCOMES",
    "AspectRatio",
    "BindingStep",
    "Blueprint",
    "BranchEntry",
    "BundleBlueprint",
    "ConceptBlueprint",
    "ConstructFrom",
    "ConstructTable",
    "ConstructTemplate",
    "ConstructValue",
    "DottedPath",
    "ExtractSettings",
    "FieldBlueprint",
    "FieldEntry",
    "FieldType",
    "ImageSettings",
    "ImageSize",
    "InputBlueprint",
    "InputEntry",
    "IsoDate",
    "JudgeCriteria",
    "JudgeKind",
    "JudgeLevel",
    "JudgeQuestion",
    "LLMSettings",
    "PipeBatchBlueprint",
    "PipeBlueprint",
    "PipeBlueprintBase",
    "PipeComposeBlueprint",
    "PipeConditionBlueprint",
    "PipeDocGenBlueprint",
    "PipeExtractBlueprint",
    "PipeFuncBlueprint",
    "PipeImgGenBlueprint",
    "PipeJudgeBlueprint",
    "PipeLLMBlueprint",
    "PipeParallelBlueprint",
    "PipeReference",
    "PipeSearchBlueprint",
    "PipeSequenceBlueprint",
    "PipeSignatureBlueprint",
    "PipeStep",
    "PipeStructureBlueprint",
    "PipeType",
    "PlainName",
    "PlainSettings",
    "SearchSettings",
    "SlotText",
    "StepEntry",
    "TagStyle",
    "TemplateBlueprint",
    "TemplateCategory",
    "TemplatingStyle",
    "TextFormat",
    "check_judge_kind",
    "parse_construct",
    "parse_step",
    "refuse",
]
