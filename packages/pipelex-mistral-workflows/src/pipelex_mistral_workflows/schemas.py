"""The JSON Schema of an exposed pipe's inputs, as Mistral's console and clients read it."""

from collections.abc import Mapping
from typing import Any, cast

from pipelex.content.structure import LIGHT_FIELDS, ObjectShape, Shape, json_schema
from pipelex.errors.json import Json
from pipelex.language.references import Slot
from pipelex.library import Library
from pipelex_mistral_workflows.deployment import ExposedPipe

Schema = dict[str, Any]

_REFERENCE = "#/$defs/"


def input_schema(exposed: ExposedPipe) -> Schema:
    """The JSON Schema of a pipe's inputs: an object with a property for each input.

    An input of a native concept may also be a bare value: a string for a Text, an address for an Image.
    """
    slots = exposed.pipe.inputs
    definitions: Schema = {}
    properties = {name: _of_slot(exposed.library, slot, name, definitions) for name, slot in slots.items()}
    schema: Schema = {
        "type": "object",
        "title": exposed.pipe.code,
        "properties": properties,
        "required": [name for name, slot in slots.items() if slot.presence != "optional"],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _of_slot(library: Library, slot: Slot, name: str, definitions: Schema) -> Schema:
    shape = library.shape(slot.concept)
    one = _or_bare(_hoisted(json_schema(shape), name, definitions), shape)
    if not slot.is_list:
        return one
    counts = {} if slot.count is None else {"minItems": slot.count, "maxItems": slot.count}
    return {"type": "array", "items": one, **counts}


def _or_bare(schema: Schema, shape: Shape) -> Schema:
    """The schema of a content, or of the bare value that stands for it."""
    native = shape.native if isinstance(shape, ObjectShape) else None
    bare = schema.get("properties", {}).get(LIGHT_FIELDS.get(native or ""))
    if bare is None:
        return schema
    told = {name: schema[name] for name in ("title", "description") if name in schema}
    return {**told, "anyOf": [bare, schema]}


def _hoisted(schema: Schema, name: str, definitions: Schema) -> Schema:
    """A schema without definitions of its own, which go to those of the whole schema: references start at its root.

    Args:
        schema: the schema of one input.
        name: the input, which tells definitions of one name apart.
        definitions: those of the whole schema, which are added to.
    """
    own = cast("Mapping[str, Json]", schema.get("$defs", {}))
    renamed = {key: key if definitions.get(key, value) == value else f"{name}_{key}" for key, value in own.items()}
    definitions |= {renamed[key]: _with_names(value, renamed) for key, value in own.items()}
    return _with_names({key: value for key, value in schema.items() if key != "$defs"}, renamed)


def _with_names(value: Any, renamed: Mapping[str, str]) -> Any:
    """A part of a schema whose references lead to other names."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {
            key: _REFERENCE + renamed.get(each.removeprefix(_REFERENCE), each.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(each, str)
            else _with_names(each, renamed)
            for key, each in members.items()
        }
    if isinstance(value, list):
        return [_with_names(each, renamed) for each in cast("list[Any]", value)]
    return value
