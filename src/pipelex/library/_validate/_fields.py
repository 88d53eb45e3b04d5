from pipelex.content.structure import AnyShape, ChoiceShape, DictShape, ListShape, ObjectShape, ScalarShape, Shape
from pipelex.language.references import Slot
from pipelex.library._library import DYNAMIC, Library

_NATIVES_FOR = {
    "text": ("Text", "Markdown", "Choice"),
    "url": ("Text", "Markdown"),
    "integer": ("Number",),
    "number": ("Number",),
    "boolean": ("YesNo",),
    "date": ("Date", "Text", "Markdown"),
    "datetime": ("Date", "Text", "Markdown"),
    "time": ("Time", "Text", "Markdown"),
}
"""Native concepts whose bare values plain fields accept. Only the run shows whether a text is a date or one of the
choices."""


def suits(library: Library, shape: Shape, slot: Slot) -> bool:
    """Whether a value may fill a field of that shape: plain fields take bare values, concept fields whole contents."""
    if isinstance(shape, AnyShape) or slot.concept == DYNAMIC:
        return True
    if isinstance(shape, ListShape):
        return slot.is_list and suits(library, shape.items, Slot(slot.concept))
    if slot.is_list:
        return False
    match shape:
        case ObjectShape():
            return library.is_compatible(slot.concept, shape.concept)
        case ScalarShape():
            return library.native_base(slot.concept) in _NATIVES_FOR[shape.kind]
        case ChoiceShape():
            return library.native_base(slot.concept) in _NATIVES_FOR["text"]
        case DictShape():
            return True
