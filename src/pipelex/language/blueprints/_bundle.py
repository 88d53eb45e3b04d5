"""One bundle file."""

from pydantic import Field, SerializeAsAny

from pipelex.language.blueprints._base import Blueprint
from pipelex.language.blueprints._concept import ConceptBlueprint
from pipelex.language.blueprints._pipe import PipeBlueprint


class BundleBlueprint(Blueprint):
    """One bundle file. Built by `pipelex.language.parse_bundle`, which checks each concept and pipe on its own."""

    domain: str
    """The namespace of every concept and pipe of the file: snake_case, dotted if need be."""
    description: str | None = None
    """The subject of the bundle."""
    system_prompt: str | None = None
    """The system prompt of every PipeLLM of the bundle that has none of its own."""
    main_pipe: str | None = None
    """The code of the entry pipe, which is one of this file."""
    concepts: dict[str, ConceptBlueprint] = Field(default_factory=dict[str, ConceptBlueprint])
    """Concepts by their codes, in PascalCase: a description alone, or a table."""
    pipes: dict[str, SerializeAsAny[PipeBlueprint]] = Field(default_factory=dict[str, PipeBlueprint])
    """Pipes by their codes, in snake_case."""
