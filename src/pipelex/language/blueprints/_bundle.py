"""The pipe types by name, and one bundle file."""

from typing import Any, TypeAlias

from pydantic import Field

from pipelex.language.blueprints._base import Blueprint
from pipelex.language.blueprints._compose import PipeComposeBlueprint
from pipelex.language.blueprints._concept import ConceptBlueprint
from pipelex.language.blueprints._controllers import (
    PipeBatchBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
)
from pipelex.language.blueprints._judge import PipeJudgeBlueprint
from pipelex.language.blueprints._operators import (
    PipeDocGenBlueprint,
    PipeExtractBlueprint,
    PipeFuncBlueprint,
    PipeImgGenBlueprint,
    PipeLLMBlueprint,
    PipeSearchBlueprint,
    PipeStructureBlueprint,
)
from pipelex.language.blueprints._pipe import PipeBlueprintBase, PipeSignatureBlueprint

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
