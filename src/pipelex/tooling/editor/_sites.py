"""The kinds of strings at the places of a bundle: concepts, pipes, names, paths, templates."""

from collections.abc import Mapping
from typing import Final, Literal

from pipelex.language.blueprints import PIPE_TYPES, Blueprint, ConceptBlueprint, PipeSignatureBlueprint
from pipelex.tooling.editor._sketch import Path, Sketch

SiteKind = Literal["concept", "slot", "pipe", "outcome", "name", "path", "new_name", "template", "expression"]

_OF_STEPS: Final[Mapping[str, SiteKind]] = {
    "pipe": "pipe",
    "result": "new_name",
    "batch_over": "path",
    "batch_as": "new_name",
    "from": "path",
}
_OF_PIPES: Final[Mapping[str, SiteKind]] = {
    "output": "slot",
    "branch_pipe_code": "pipe",
    "default_outcome": "outcome",
    "input_list_name": "name",
    "input_item_name": "new_name",
    "prompt": "template",
    "system_prompt": "template",
    "negative_prompt": "template",
    "question": "template",
    "template": "template",
    "filename": "template",
    "expression": "expression",
    "expression_template": "template",
}
_OF_CONCEPTS: Final[Mapping[str, SiteKind]] = {
    "refines": "concept",
    "concept_ref": "concept",
    "item_concept_ref": "concept",
}


def site_at(path: Path) -> SiteKind | None:
    """The kind of the string at a path of a bundle."""
    match path:
        case ("main_pipe",):
            return "pipe"
        case ("concept", _, *_, str(key)):
            return _OF_CONCEPTS.get(key)
        case ("pipe", _, "inputs", _) | ("pipe", _, "inputs", _, "concept"):
            return "slot"
        case ("pipe", _, "steps" | "branches", int(), str(key)):
            return _OF_STEPS.get(key)
        case ("pipe", _, "outcomes", _):
            return "outcome"
        case ("pipe", _, "construct", *_, "from"):
            return "path"
        case ("pipe", _, "construct", *_, "template") | ("pipe", _, "questions", _, "question"):
            return "template"
        case ("pipe", _, "template", "template"):
            return "template"
        case ("pipe", _, str(key)):
            return _OF_PIPES.get(key)
        case _:
            return None


def model_of(sketch: Sketch, path: Path) -> tuple[type[Blueprint], Path] | None:
    """The model of the concept or the pipe that a table belongs to, and the path inside it."""
    match path:
        case ("concept", str(), *inner):
            return ConceptBlueprint, tuple(inner)
        case ("pipe", str(code), *inner):
            written = sketch.string(("pipe", code, "type"))
            return PIPE_TYPES.get(written or "", PipeSignatureBlueprint), tuple(inner)
        case _:
            return None
