"""Schemas for a model that must stop by itself: a grammar made of a bounded schema cannot run on for ever."""

from collections.abc import Mapping
from typing import cast

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.pairs import is_open, is_unspecified, pairs_of, value_schema
from pipelex.inference.chat.structured.schema import Schema

MAX_STRING = 160
MAX_ITEMS = 4

_MEANS_ITSELF = ("enum", "const", "format", "pattern", "maxLength")


def bounded(schema: Schema) -> Schema:
    """The schema with a limit on every string and array that has none, and every open object as a list of pairs.

    A grammar only allows what the limits allow, so the answer ends before the limit of tokens does. `pairs.restored`
    turns an answer back; the result satisfies the given schema.
    """
    return cast("Schema", _bounded(schema))


def _bounded(schema: Json) -> Json:
    if not isinstance(schema, Mapping):
        return schema
    result: Schema = dict(schema)
    if is_unspecified(result):
        return {**result, "type": "string", "maxLength": MAX_STRING}
    if is_open(result):
        values = cast("Schema", _bounded(value_schema(result)))
        return {**pairs_of(values, {"type": "string", "maxLength": 40}), "maxItems": MAX_ITEMS}
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
