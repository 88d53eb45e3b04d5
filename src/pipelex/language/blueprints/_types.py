"""The table of pipe types, the only place that names all of them.

A blueprint holds the facts about its own type (see `PipeBlueprint`). `pipelex.pipes.semantics` registers by type name
what a pipe does when it runs, and `pipelex.library._validate` the rules that need more than the pipe's own table.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from pipelex.language.blueprints._base import Keys
from pipelex.language.blueprints._compose import PipeComposeBlueprint
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
from pipelex.language.blueprints._pipe import PipeBlueprint
from pipelex.language.templates import TemplateSite

_TYPES: Final[tuple[type[PipeBlueprint], ...]] = (
    PipeLLMBlueprint,
    PipeStructureBlueprint,
    PipeExtractBlueprint,
    PipeImgGenBlueprint,
    PipeSearchBlueprint,
    PipeJudgeBlueprint,
    PipeComposeBlueprint,
    PipeFuncBlueprint,
    PipeDocGenBlueprint,
    PipeSequenceBlueprint,
    PipeParallelBlueprint,
    PipeConditionBlueprint,
    PipeBatchBlueprint,
)

PIPE_TYPES: Final[Mapping[str, type[PipeBlueprint]]] = {model.type_name(): model for model in _TYPES}
"""Name of a pipe type → its blueprint."""

CONTROLLERS: Final = frozenset(name for name, model in PIPE_TYPES.items() if model.is_controller)
"""The pipe types that run other pipes."""

if TYPE_CHECKING:
    PipeType = str
else:
    PipeType = Literal[tuple(PIPE_TYPES)]


class PipeSignatureBlueprint(PipeBlueprint):
    """A pipe's contract without an implementation: no `type`."""

    is_signature = True

    signature_for: PipeType | None = None
    """The type that the pipe is to have once it is written."""


def template_sites(table: Mapping[str, Any]) -> tuple[TemplateSite, ...]:
    """The templates in a pipe's table as its file has it, valid or not."""
    model = PIPE_TYPES.get(str(table.get("type")))
    return () if model is None else tuple(model.sites_in(table))


def input_paths(table: Mapping[str, Any]) -> tuple[tuple[Keys, str], ...]:
    """The dotted paths to inputs in a pipe's table as its file has it, valid or not, each with its keys."""
    model = PIPE_TYPES.get(str(table.get("type")))
    return () if model is None else tuple(model.paths_in(table))
