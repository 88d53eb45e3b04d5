"""Objects with free keys, for providers that take only closed objects: they are requested as lists of pairs.

Strict modes and grammars do not support `additionalProperties`. With pydantic-ai's transformers, the answer would be an
empty object.
"""

from collections.abc import Mapping
from typing import cast

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.schema import Schema, admits_null, followed

_SAYS_WHAT = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "properties")


def is_unspecified(schema: Mapping[str, Json]) -> bool:
    """Whether the schema allows any value at all."""
    return not any(key in schema for key in _SAYS_WHAT)


def is_open(schema: Mapping[str, Json]) -> bool:
    """Whether the schema describes an object with free keys."""
    return (
        schema.get("type") == "object"
        and not schema.get("properties")
        and schema.get("additionalProperties", True) is not False
    )


def value_schema(schema: Mapping[str, Json]) -> Schema:
    """The schema of the values in an object with free keys."""
    values = schema.get("additionalProperties", True)
    return values if isinstance(values, dict) else {}


def pairs_of(values: Schema, key: Schema) -> Schema:
    """The schema of a list of pairs, from the schemas of their values and their keys."""
    return {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"key": key, "value": values},
            "required": ["key", "value"],
            "additionalProperties": False,
        },
    }


def closed(schema: Schema) -> Schema | None:
    """The schema with only closed objects. All properties are required, and the optional ones become nullable.

    It is None if some value may be anything, which no closed schema can describe. `restored` turns an answer into one
    that fits the given schema.
    """
    try:
        return cast("Schema", _closed(schema, schema))
    except _AnyValue:
        return None


class _AnyValue(Exception):
    """The schema contains a value that may be anything."""


def _closed(schema: Json, root: Schema) -> Json:
    if not isinstance(schema, Mapping):
        return schema
    result: Schema = dict(schema)
    if is_unspecified(result):
        raise _AnyValue
    if is_open(result):
        pairs = pairs_of(cast("Schema", _closed(value_schema(result), root)), {"type": "string"})
        return {**pairs, **({"description": result["description"]} if "description" in result else {})}
    if "properties" in result:
        required: list[str] = result.get("required", [])
        result["properties"] = {
            name: _closed(inner if name in required else _nullable(inner, root), root)
            for name, inner in result["properties"].items()
        }
        result |= {"required": list(result["properties"]), "additionalProperties": False}
    if isinstance(result.get("$defs"), Mapping):
        result["$defs"] = {name: _closed(inner, root) for name, inner in result["$defs"].items()}
    if "items" in result:
        result["items"] = _closed(result["items"], root)
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in result:
            result[key] = [_closed(inner, root) for inner in result[key]]
    return result


def _nullable(schema: Schema, root: Schema) -> Schema:
    if is_unspecified(schema) or admits_null(schema, root):
        return schema
    description = {"description": schema["description"]} if "description" in schema else {}
    inner = {key: value for key, value in schema.items() if key != "description"}
    return {"anyOf": [inner, {"type": "null"}], **description}


def restored(value: Json, schema: Schema) -> Json:
    """An answer to a closed or bounded schema, as an answer to the given one: lists of pairs become objects again."""
    return _restored(value, schema, schema)


def _restored(value: Json, schema: Schema, root: Schema) -> Json:
    schema = followed(schema, root)
    if is_open(schema) and isinstance(value, list):
        return _object_of(value, value_schema(schema), root)
    if isinstance(value, dict):
        properties: dict[str, Schema] = schema.get("properties", {})
        return {key: _restored(inner, properties.get(key, {}), root) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_restored(inner, schema["items"], root) for inner in value]
    return value


def _object_of(items: list[Json], values: Schema, root: Schema) -> Json:
    pairs = [item for item in items if isinstance(item, dict) and {"key", "value"} <= {*item}]
    if len(pairs) < len(items):
        return items
    return {str(pair["key"]): _restored(pair["value"], values, root) for pair in pairs}
