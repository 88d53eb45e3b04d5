"""The workflow definition of each pipe type.

By convention, `PipeImgGen` is run by `PipeImgGenWorkflow` in the module `workflows.pipe_img_gen`.
"""

import re
from importlib import import_module
from typing import Final

from pipelex.durable.jobs import SLICE_WORKFLOW
from pipelex.language.blueprints import PIPE_TYPES, PipeSignatureBlueprint


def _definition(name: str) -> type:
    module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    found: type = getattr(import_module(f"pipelex.temporal.workflows.{module}"), f"{name}Workflow")
    return found


WORKFLOWS: Final[dict[str, type]] = {name: _definition(name) for name in PIPE_TYPES}
"""Workflow type → class, for the pipe types."""

ALWAYS: Final[tuple[type, ...]] = tuple(map(_definition, (PipeSignatureBlueprint.type_name(), SLICE_WORKFLOW)))
"""The workflows that every worker with workflows has in addition to those of its scope."""


def workflow_classes(names: tuple[str, ...]) -> list[type]:
    """The workflow classes of some pipe types, with those in `ALWAYS`; empty without any pipe types."""
    return [*(WORKFLOWS[name] for name in names), *ALWAYS] if names else []
