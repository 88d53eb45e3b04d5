"""JSON Schemas made from shapes, for models that answer with an object."""

from collections import Counter

from pipelex.content._shapes import (
    AnyShape,
    ChoiceShape,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
    nested_objects,
)
from pipelex.content.stuff import Json

# `format` is left out for times: grammars built from it demand a UTC offset, and a model would have to invent one.
_SCALARS: dict[ScalarKind, dict[str, Json]] = {
    "text": {"type": "string"},
    "url": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string"},
    "time": {"type": "string"},
}

_WRITTEN_AS: dict[ScalarKind, str] = {
    "datetime": "ISO 8601 date and time, YYYY-MM-DDTHH:MM:SS, with a UTC offset only when one is stated.",
    "time": "ISO 8601 time, HH:MM:SS, with a UTC offset only when one is stated.",
}


def json_schema(shape: Shape) -> dict[str, Json]:
    """The JSON Schema (2020-12) that a model's answer must satisfy.

    Only the required fields are `required`; an optional one may also be null. Objects are closed. An object that is
    used once is written in place; one that is used several times goes to `$defs`. The schema uses only keywords that
    schema-to-grammar converters and the strict modes of providers understand.
    """
    uses = Counter[str]()
    for found in nested_objects(shape):
        uses.update(part.concept for field in found.fields if (part := _object_in(field.shape)) is not None)
    shared = {found.concept for found in nested_objects(shape) if uses[found.concept] > 1}
    names = _definition_names([found for found in nested_objects(shape) if found.concept in shared])
    writer = _SchemaWriter(names)
    schema = writer.write(shape, is_root=True)
    if names:
        schema["$defs"] = {
            names[found.concept]: writer.write(found, is_root=True)
            for found in nested_objects(shape)
            if found.concept in names
        }
    return schema


def _object_in(shape: Shape) -> ObjectShape | None:
    while isinstance(shape, ListShape | DictShape):
        shape = shape.items if isinstance(shape, ListShape) else shape.values
    return shape if isinstance(shape, ObjectShape) else None


def _definition_names(objects: list[ObjectShape]) -> dict[str, str]:
    """Concept → key in `$defs`: the code alone, or the whole reference where two domains share a code."""
    codes = Counter(found.title for found in objects)
    return {
        found.concept: found.title if codes[found.title] == 1 else found.concept.replace(".", "_").replace(":", "_")
        for found in objects
    }


class _SchemaWriter:
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def write(self, shape: Shape, *, is_root: bool = False) -> dict[str, Json]:
        if isinstance(shape, ObjectShape):
            if shape.concept in self._names and not is_root:
                return {"$ref": f"#/$defs/{self._names[shape.concept]}"}
            return self._object(shape)
        if isinstance(shape, ListShape):
            return {"type": "array", "items": self.write(shape.items)}
        if isinstance(shape, DictShape):
            return {"type": "object", "additionalProperties": self.write(shape.values)}
        if isinstance(shape, ChoiceShape):
            return {"type": "string", "enum": list(shape.choices)}
        if isinstance(shape, ScalarShape):
            bounds = {"minimum": shape.minimum, "maximum": shape.maximum}
            return _SCALARS[shape.kind] | {name: bound for name, bound in bounds.items() if bound is not None}
        return {}

    def _object(self, shape: ObjectShape) -> dict[str, Json]:
        return {
            "title": shape.title,
            "description": shape.description,
            "type": "object",
            "properties": {field.name: self._field(field) for field in shape.fields},
            "required": [field.name for field in shape.fields if field.required],
            "additionalProperties": False,
        }

    def _field(self, field: FieldShape) -> dict[str, Json]:
        schema = self.write(field.shape)
        if not field.required and not isinstance(field.shape, AnyShape):
            schema = {"anyOf": [schema, {"type": "null"}]}
        elif "$ref" in schema:  # strict modes refuse a description beside a reference
            schema = {"anyOf": [schema]}
        description = field.description
        if isinstance(field.shape, ScalarShape) and field.shape.kind in _WRITTEN_AS:
            description = f"{description.rstrip('.')}. {_WRITTEN_AS[field.shape.kind]}"
        if field.default is not None:
            description = f"{description.rstrip('.')}. Default: {field.default}."
        return {**schema, "description": description}
