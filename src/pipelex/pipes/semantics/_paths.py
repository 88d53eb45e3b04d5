"""Follows dotted paths through values (sections 6.7 and 7.1 of the language reference)."""

from collections.abc import Sequence

from pipelex.content.structure import AnyShape, ChoiceShape, DictShape, ListShape, ObjectShape, ScalarShape, Shape
from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, as_array, as_object
from pipelex.library import Library

_NATIVE_OF_SCALAR = {
    "text": "Text",
    "url": "Text",
    "integer": "Number",
    "number": "Number",
    "boolean": "YesNo",
    "date": "Date",
    "datetime": "Date",
    "time": "Time",
}

VALUE_FIELDS = {
    "Text": "text",
    "Markdown": "text",
    "Number": "number",
    "YesNo": "yes_no",
    "Time": "time",
    "JSON": "json_obj",
    "Choice": "choice",
}
"""Native concept → the only field, which holds its value."""


def reach(library: Library, value: Stuff, fields: Sequence[str]) -> Stuff | None:
    """The value at the end of a path of fields; None if a single value on the path is absent.

    A list on the path is mapped over and flattened, and items in which a segment is absent are dropped. A leaf is
    wrapped in its native concept.

    Raises:
        PipelexError: the path leaves the value's structure (`method.field_path_unresolved`).
    """
    if not fields:
        return value
    shape: Shape = library.shape(value.concept)
    contents: list[Json] = value.items if value.is_list else [value.content]
    many = value.is_list
    for name in fields:
        field = shape.field(name) if isinstance(shape, ObjectShape) else None
        if field is None:
            available = [known.name for known in shape.fields] if isinstance(shape, ObjectShape) else []
            listed = f"; its fields are {', '.join(available)}" if available else ""
            raise PipelexError(
                "method.field_path_unresolved",
                f"'{'.'.join(fields)}': '{name}' is not a field at this point of {value.concept}{listed}",
                category=ErrorCategory.CONTENT,
                params={"path": ".".join(fields), "segment": name, "available_fields": available},
            )
        shape = field.shape
        contents = [inner for outer in contents if (inner := as_object(outer).get(name)) is not None]
        while isinstance(shape, ListShape):
            many = True
            shape = shape.items
            contents = [inner for outer in contents for inner in as_array(outer) if inner is not None]
    concept = _concept_of(shape)
    wrapped = [_wrap(shape, content) for content in contents]
    if many:
        return Stuff.of_list(concept, wrapped)
    return Stuff(concept, wrapped[0]) if wrapped else None


def _concept_of(shape: Shape) -> str:
    match shape:
        case ObjectShape():
            return shape.concept
        case ScalarShape():
            return f"native.{_NATIVE_OF_SCALAR[shape.kind]}"
        case ChoiceShape():
            return "native.Text"
        case DictShape():
            return "native.JSON"
        case AnyShape() | ListShape():
            return "native.Anything"


def _wrap(shape: Shape, content: Json) -> Json:
    if isinstance(shape, ScalarShape) and shape.kind in ("date", "datetime"):
        date, _, time = str(content).partition("T")
        return {"date": date, "time": time} if time else {"date": date}
    concept = _concept_of(shape).removeprefix("native.")
    if isinstance(shape, ScalarShape | ChoiceShape | DictShape):
        return {VALUE_FIELDS[concept]: content}
    return content
