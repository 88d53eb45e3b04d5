"""Working with the schema of an object that a model is asked for."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.reading import as_json

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema. Its values are checked before they are used, because an author's schema may contain anything."""

ITEMS = "items"
"""The property with the list, in the object that a model is asked for to get a list of objects."""


def list_schema(item: Schema, count: int | None) -> Schema:
    """The schema of `{"items": [...]}`: exactly `count` items, or any number."""
    inner, definitions = dict(item), dict(item.get("$defs", {}))
    inner.pop("$defs", None)
    if _refers_to_root(item):
        name = _free_name(str(item.get("title", "Item")), definitions)
        definitions = {key: _with_root(value, name) for key, value in definitions.items()}
        definitions[name] = _with_root(inner, name)
        inner = {"$ref": f"#/$defs/{name}"}
    array: Schema = {"type": "array", "items": inner}
    if count is not None:
        array |= {"minItems": count, "maxItems": count}
    schema: Schema = {
        "type": "object",
        "properties": {ITEMS: array},
        "required": [ITEMS],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _refers_to_root(value: Json) -> bool:
    if isinstance(value, dict):
        return value.get("$ref") == "#" or any(_refers_to_root(inner) for inner in value.values())
    return isinstance(value, list) and any(_refers_to_root(inner) for inner in value)


def _with_root(value: Json, name: str) -> Json:
    if isinstance(value, dict):
        if value.get("$ref") == "#":
            return {**value, "$ref": f"#/$defs/{name}"}
        return {key: _with_root(inner, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_root(inner, name) for inner in value]
    return value


def _free_name(name: str, taken: Mapping[str, Json]) -> str:
    plain = re.sub(r"\W", "_", name)
    while plain in taken:
        plain += "_"
    return plain


def mended(value: Json, schema: Schema) -> Json:
    """The value, with harmless deviations from the schema repaired.

    - A null for an optional property that does not allow null is left out.
    - An object or a list written as JSON text is parsed.
    - A bare list is wrapped if the schema wants an object whose only property is a list.
    """
    if isinstance(value, list):
        name = _only_list(schema)
        return _mended({name: value} if name is not None else value, schema, schema)
    return _mended(value, schema, schema)


def _only_list(schema: Schema) -> str | None:
    properties: dict[str, Schema] = schema.get("properties", {})
    lists = [name for name, inner in properties.items() if inner.get("type") == "array"]
    return lists[0] if len(lists) == len(properties) == 1 else None


def _mended(value: Json, schema: Schema, root: Schema) -> Json:
    schema = followed(schema, root)
    if isinstance(value, str) and schema.get("type") in ("object", "array"):
        read = as_json(value)
        value = value if read is None else read
    if isinstance(value, dict):
        properties: dict[str, Schema] = schema.get("properties", {})
        required: list[str] = schema.get("required", [])
        kept: Schema = {}
        for key, inner in value.items():
            known = properties.get(key)
            if inner is None and known is not None and key not in required and not admits_null(known, root):
                continue
            kept[key] = inner if known is None else _mended(inner, known, root)
        return kept
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_mended(inner, schema["items"], root) for inner in value]
    return value


def followed(schema: Schema, root: Schema) -> Schema:
    """The schema that `$ref` refers to, or the only alternative to null in an `anyOf`."""
    seen: set[str] = set()
    while True:
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            schema = _lookup(reference, root)
            continue
        branches = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        if len(branches) == 1 and "anyOf" in schema:
            schema = branches[0]
            continue
        return schema


def _lookup(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
    return found


def admits_null(schema: Schema, root: Schema) -> bool:
    """Whether a schema allows null."""
    if "$ref" in schema:
        schema = _lookup(schema["$ref"], root) if schema["$ref"] != "#" else {"type": "object"}
    kind = schema.get("type")
    if kind is None and not schema.keys() & {"anyOf", "oneOf", "enum", "const", "properties", "$ref"}:
        return True
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    in_enum = None in schema.get("enum", []) or ("const" in schema and schema["const"] is None)
    in_type = kind == "null" or (isinstance(kind, list) and "null" in kind)
    return in_enum or in_type or any(admits_null(branch, root) for branch in branches)
