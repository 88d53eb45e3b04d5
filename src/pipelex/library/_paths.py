"""Follows dotted paths through declared structures to the slot at their end, or to the reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelex.content.structure import AnyShape, ChoiceShape, DictShape, ListShape, ObjectShape, ScalarShape, Shape
from pipelex.language.references import NATIVE_DOMAIN, Slot
from pipelex.library._library import Library

NATIVE_OF_SCALAR = {
    "text": "Text",
    "url": "Text",
    "integer": "Number",
    "number": "Number",
    "boolean": "YesNo",
    "date": "Date",
    "datetime": "Date",
    "time": "Time",
}


@dataclass(frozen=True)
class PathFault:
    """The reason why a dotted path leads nowhere."""

    segment: str
    detail: str
    available: tuple[str, ...] = ()
    """The fields at the point of failure."""


@dataclass(frozen=True)
class Reached:
    """The target of a dotted path."""

    slot: Slot
    crosses_list: bool = False
    """Whether a segment of the path, or the root itself, is a list."""


def walk_path(library: Library, root: Slot, fields: Sequence[str]) -> Reached | PathFault:
    """Follow a dotted path through the declared structures (section 7.1 of the language reference).

    Args:
        library: the library that has the root's concept.
        root: the slot of the value that the path starts from. Its presence says whether the value may be absent.
        fields: the segments after the root; none leads to the root itself.

    Returns:
        The concept, multiplicity and presence of the value at the end, or the fault at the segment that cannot be
        followed.
    """
    if not fields:
        return Reached(root, root.is_list)
    shape = library.shape(root.concept)
    is_list, may_lack = root.is_list, root.presence == "optional"
    concept = root.concept
    ended: str | None = None
    """The reason why the path must end here, once it has reached a value without fields."""
    for name in fields:
        if ended is not None:
            return PathFault(name, f"the path cannot go on to '{name}': {ended}")
        if not isinstance(shape, ObjectShape):
            return PathFault(name, f"'{name}' is unknown: {_short(concept)} declares no fields")
        field = shape.field(name)
        if field is None:
            available = tuple(known.name for known in shape.fields)
            return PathFault(
                name, f"{_short(concept)} has no field '{name}'; its fields are {', '.join(available)}", available
            )
        may_lack = may_lack or (not field.required and field.default is None)
        shape = field.shape
        if isinstance(shape, ListShape):
            is_list = True
            shape = shape.items
        concept, ended = _landing(shape, name)
        if concept is None:
            return PathFault(name, f"'{name}' is a list whose items have no declared type: a path cannot end there")
    return Reached(Slot(concept, is_list, presence="optional" if may_lack and not is_list else "plain"), is_list)


def _landing(shape: Shape, name: str) -> tuple[str | None, str | None]:
    """The concept of a segment's value, and the reason why the path must end there; None if it may continue."""
    match shape:
        case ObjectShape():
            return shape.concept, None
        case ScalarShape():
            return f"{NATIVE_DOMAIN}.{NATIVE_OF_SCALAR[shape.kind]}", f"'{name}' is a plain {shape.kind}"
        case ChoiceShape():
            return f"{NATIVE_DOMAIN}.Text", f"'{name}' is an enumeration"
        case DictShape():
            return f"{NATIVE_DOMAIN}.JSON", f"'{name}' is a dict: its keys are not known before the run"
        case ListShape():
            return f"{NATIVE_DOMAIN}.JSON", f"'{name}' holds lists of lists"
        case AnyShape():
            return None, None


def _short(concept: str) -> str:
    return concept.rpartition(".")[2]
