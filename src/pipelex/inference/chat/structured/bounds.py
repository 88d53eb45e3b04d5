"""Bounded schemas, for models whose answers follow a grammar: from these schemas, no answer can run on for ever."""

from collections.abc import Mapping
from typing import cast

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.pairs import is_open, is_unspecified, pairs_of, value_schema
from pipelex.inference.chat.structured.schema import Schema

MAX_STRING = 160
"""The maximum length of a string that has no limit of its own."""
MAX_ITEMS = 4
"""The maximum number of items in an array that has no limit of its own."""

_MEANS_ITSELF = ("enum", "const", "format", "pattern", "maxLength")


def bounded(schema: Schema) -> Schema:
    """The schema, with a limit for every string and array that has none, and with open objects as lists of pairs.

    A grammar enforces these limits, so that an answer ends before it reaches the limit of tokens. `pairs.restored`
    turns an answer into one that satisfies the given schema.
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
