"""One bundle file."""

from pydantic import Field, SerializeAsAny

from pipelex.language.blueprints._base import Blueprint
from pipelex.language.blueprints._concept import ConceptBlueprint
from pipelex.language.blueprints._pipe import PipeBlueprint


class BundleBlueprint(Blueprint):
    """One bundle file. Built by `pipelex.language.parse_bundle`, which checks each concept and pipe on its own."""

    domain: str
    description: str | None = None
    system_prompt: str | None = None
    main_pipe: str | None = None
    concepts: dict[str, ConceptBlueprint] = Field(default_factory=dict[str, ConceptBlueprint])
    pipes: dict[str, SerializeAsAny[PipeBlueprint]] = Field(default_factory=dict[str, PipeBlueprint])
