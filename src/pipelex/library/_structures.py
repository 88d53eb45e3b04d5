"""Makes shapes from the blueprints of concepts."""

from collections.abc import Callable, Iterator

from pipelex.content.natives import NATIVE_CONCEPTS
from pipelex.content.structure import AnyShape, ObjectShape, Shape, declared_field, refined
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.language.blueprints import ConceptBlueprint

BlueprintOf = Callable[[str], ConceptBlueprint | None]
"""Returns the declaration of a qualified concept reference, or None for a native concept. Raises if there is no such
concept."""


def shape_of(ref: str, blueprint_of: BlueprintOf, known: dict[str, Shape]) -> Shape:
    """The shape of one content of a concept.

    Args:
        ref: qualified reference.
        blueprint_of: returns the declarations, in which references are qualified.
        known: the shapes made so far, by reference; every shape that is made here is added.

    Raises:
        PipelexError: the concept contains itself (`method.cycle`), or one it needs is missing.
    """
    # An explicit stack, because a chain of a thousand concepts would exceed Python's recursion limit.
    path: list[str] = [ref]
    on_path: set[str] = {ref}
    while path:
        current = path[-1]
        blueprint = blueprint_of(current)
        missing = next((part for part in parts_of(blueprint) if part not in known), None)
        if missing is None:
            known[current] = _made(current, blueprint, known)
            on_path.discard(path.pop())
        elif missing in on_path:
            cycle = [*path[path.index(missing) :], missing]
            raise PipelexError(
                "method.cycle",
                f"the concept '{missing}' contains itself: {' → '.join(cycle)}",
                category=ErrorCategory.CONTENT,
                params={"kind": "structure", "cycle": cycle},
            )
        else:
            path.append(missing)
            on_path.add(missing)
    return known[ref]


def parts_of(blueprint: ConceptBlueprint | None) -> Iterator[str]:
    """The concepts that a declaration names: the one that it refines, and those of its fields."""
    if blueprint is None:
        return
    if blueprint.refines is not None:
        yield blueprint.refines
    if isinstance(blueprint.structure, dict):
        for entry in blueprint.structure.values():
            if entry.concept_ref is not None:
                yield entry.concept_ref
            if entry.item_concept_ref is not None:
                yield entry.item_concept_ref


def _made(ref: str, blueprint: ConceptBlueprint | None, known: dict[str, Shape]) -> Shape:
    if blueprint is None:
        return NATIVE_CONCEPTS[ref.rpartition(".")[2]].shape
    if blueprint.refines is not None:
        return refined(known[blueprint.refines], ref, blueprint.description)
    if blueprint.structure is None:
        return refined(NATIVE_CONCEPTS["Text"].shape, ref, blueprint.description)
    if isinstance(blueprint.structure, str):  # a class of a host program: nothing is known of its fields
        return AnyShape()
    fields = tuple(
        declared_field(
            name,
            entry.description,
            type=entry.type,
            required=entry.required,
            default_value=entry.default_value,
            choices=entry.choices,
            key_type=entry.key_type,
            value_type=entry.value_type,
            item_type=entry.item_type,
            concept=known.get(entry.concept_ref or entry.item_concept_ref or ""),
        )
        for name, entry in blueprint.structure.items()
    )
    return ObjectShape(ref, blueprint.description, fields)
