"""Schemas for a model that must stop by itself: a grammar made of a bounded schema cannot run on for ever."""

from collections.abc import Mapping
from typing import cast

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.schema import Schema, followed

MAX_STRING = 160
MAX_ITEMS = 4

_MEANS_ITSELF = ("enum", "const", "format", "pattern", "maxLength")
_SHAPES = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "properties")


def bounded(schema: Schema) -> Schema:
    """The schema with a limit on every string and array that has none, and every open object as a list of pairs.

    A grammar only allows what the limits allow, so the answer ends before the limit of tokens does. `restored` turns
    an answer back; the result satisfies the given schema.
    """
    return cast("Schema", _bounded(schema))


def restored(value: Json, schema: Schema) -> Json:
    """An answer to the bounded schema as an answer to the given one: lists of pairs become objects again."""
    return _restored(value, schema, schema)


def _bounded(schema: Json) -> Json:
    if not isinstance(schema, Mapping):
        return schema
    result = dict(cast("Mapping[str, Json]", schema))
    if not any(key in result for key in _SHAPES):
        return {**result, "type": "string", "maxLength": MAX_STRING}
    if is_open(result):
        return _pairs(_value_schema(result))
    kinds = result.get("type")
    types = cast("list[str]", kinds) if isinstance(kinds, list) else [kinds]
    if "string" in types and not any(key in result for key in _MEANS_ITSELF):
        result["maxLength"] = max(MAX_STRING, result.get("minLength", 0))
    if "array" in types and "maxItems" not in result:
        result["maxItems"] = max(MAX_ITEMS, result.get("minItems", 0))
    if "properties" in result:
        result["additionalProperties"] = False
    for key in ("properties", "$defs"):
        if isinstance(result.get(key), Mapping):
            result[key] = {name: _bounded(inner) for name, inner in result[key].items()}
    if "items" in result:
        result["items"] = _bounded(result["items"])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in result:
            result[key] = [_bounded(inner) for inner in result[key]]
    return result


def is_open(schema: Mapping[str, Json]) -> bool:
    """Whether the schema is of an object whose keys are free."""
    return (
        schema.get("type") == "object"
        and not schema.get("properties")
        and (schema.get("additionalProperties", True) is not False)
    )


def _value_schema(schema: Mapping[str, Json]) -> Schema:
    values = schema.get("additionalProperties", True)
    return cast("Schema", values) if isinstance(values, dict) else {}


def _pairs(values: Schema) -> Schema:
    return {
        "type": "array",
        "maxItems": MAX_ITEMS,
        "items": {
            "type": "object",
            "properties": {"key": {"type": "string", "maxLength": 40}, "value": _bounded(values)},
            "required": ["key", "value"],
            "additionalProperties": False,
        },
    }


def _restored(value: Json, schema: Schema, root: Schema) -> Json:
    schema = followed(schema, root)
    if is_open(schema) and isinstance(value, list):
        values = _value_schema(schema)
        pairs = cast("list[dict[str, Json]]", value)
        return {pair["key"]: _restored(pair["value"], values, root) for pair in pairs}
    if isinstance(value, dict):
        properties: dict[str, Schema] = schema.get("properties", {})
        members = cast("dict[str, Json]", value)
        return {key: _restored(inner, properties.get(key, {}), root) for key, inner in members.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_restored(inner, schema["items"], root) for inner in cast("list[Json]", value)]
    return cast("Json", value)
