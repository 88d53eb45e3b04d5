"""Preparing schemas for OpenAI's protocol, whose strict mode supports only some of JSON Schema.

Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas

The rules are those of pydantic-ai's transformer, which takes longer to import than a whole short run. A test compares
the two.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.schema import Schema

_UNKNOWN: Final = (
    "minLength", "maxLength", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties",
    "maxProperties", "unevaluatedItems", "contains", "minContains", "maxContains", "uniqueItems",
)  # fmt: skip
"""The keywords that strict mode refuses; the description mentions them instead."""
_FORMATS: Final = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_LOOKAROUND: Final = re.compile(r"(?<!\\)\(\?<?[=!]")
_NEEDLESS: Final = ("title", "$schema", "discriminator")
_TYPES: Final = ("type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const")
_DEFINITION: Final = re.compile(r"#(/(\$defs|definitions)/[^/]+)?")
_DEEPEST: Final = 10
_MOST_PROPERTIES: Final = 5000
_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions")
_LISTS: Final = ("prefixItems", "allOf", "anyOf", "oneOf")
_SINGLE: Final = ("items", "additionalProperties")


def as_sent(schema: Schema, *, is_strict: bool | None) -> tuple[Schema, bool]:
    """The schema in the form that is sent, and whether it is sent as strict.

    Args:
        schema: the schema, which is not modified.
        is_strict: whether it must be strict; None makes it strict if strict mode takes it without a change of meaning.
    """
    writer = _StrictWriter(is_strict is True)
    sent = cast("Schema", writer.node(schema))
    if is_strict is not None:
        return sent, is_strict
    return sent, writer.is_compatible and not _is_too_large(sent)


class _StrictWriter:
    def __init__(self, is_strict: bool) -> None:
        self._is_strict = is_strict
        self.is_compatible = True
        """Whether strict mode takes the schema without a change of meaning."""

    def node(self, value: Json) -> Json:
        if not isinstance(value, Mapping):
            return value
        schema: dict[str, Any] = {key: item for key, item in value.items() if key not in _NEEDLESS}
        for key in _MAPS:
            if isinstance(schema.get(key), Mapping):
                schema[key] = {name: self.node(inner) for name, inner in schema[key].items()}
        for key in _LISTS:
            if isinstance(schema.get(key), list):
                schema[key] = [self.node(inner) for inner in schema[key]]
        for key in _SINGLE:
            if isinstance(schema.get(key), Mapping):
                schema[key] = self.node(schema[key])
        return self._mended(schema)

    def _mended(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "default" in schema:
            self.is_compatible = False
            if self._is_strict:
                del schema["default"]
        self._refer(schema)
        self._leave_out_unknown(schema)
        if "oneOf" in schema:
            self.is_compatible = False
            if self._is_strict:
                schema["anyOf"] = schema.pop("oneOf")
        if schema.get("type") == "object":
            self._close(schema)
        if schema.get("type") == "array":
            items = schema.get("items")
            if not (isinstance(items, dict) and any(key in items for key in _TYPES)):
                self.is_compatible = False
        return schema

    def _refer(self, schema: dict[str, Any]) -> None:
        """Wrap a reference that has other keywords beside it, because strict mode takes only a lone `$ref`."""
        found = schema.get("$ref")
        if not isinstance(found, str):
            return
        if not _DEFINITION.fullmatch(found):
            self.is_compatible = False
        if len(schema) > 1:
            schema["anyOf"] = [{"$ref": schema.pop("$ref")}]

    def _leave_out_unknown(self, schema: dict[str, Any]) -> None:
        unknown = {key: schema[key] for key in _UNKNOWN if key in schema}
        if schema.get("format") is not None and schema["format"] not in _FORMATS:
            unknown["format"] = schema["format"]
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and _LOOKAROUND.search(pattern):
            unknown["pattern"] = pattern
        if not unknown:
            return
        self.is_compatible = False
        if self._is_strict:
            for key in unknown:
                del schema[key]
            note, told = ", ".join(f"{key}={value}" for key, value in unknown.items()), schema.get("description")
            schema["description"] = f"{told} ({note})" if told else note

    def _close(self, schema: dict[str, Any]) -> None:
        properties = schema.setdefault("properties", {})
        if self._is_strict:
            schema |= {"additionalProperties": False, "required": list(properties)}
            return
        if schema.get("additionalProperties") not in (None, False):
            self.is_compatible = False
        else:
            schema["additionalProperties"] = False
        if any(name not in schema.get("required", ()) for name in properties) or "required" not in schema:
            self.is_compatible = False


def _is_too_large(schema: Schema) -> bool:
    """Whether the schema itself or a definition is deeper or larger than strict mode allows."""
    parts = [schema, *schema.get("$defs", {}).values()]
    for part in parts:
        objects = list(_objects(part, 1))
        if max((depth for depth, _ in objects), default=0) > _DEEPEST:
            return True
        if sum(count for _, count in objects) > _MOST_PROPERTIES:
            return True
    return False


def _objects(value: Json, depth: int) -> Iterator[tuple[int, int]]:
    """The depth and the number of properties of each object in a schema, without its definitions."""
    if isinstance(value, list):
        for inner in value:
            yield from _objects(inner, depth)
    if not isinstance(value, Mapping):
        return
    table = cast("Mapping[str, Json]", value)
    properties = table.get("properties")
    if isinstance(properties, Mapping):
        inside = cast("Mapping[str, Json]", properties)
        yield depth, len(inside)
        for inner in inside.values():
            yield from _objects(inner, depth + 1)
    for key, inner in table.items():
        if key not in (*_MAPS, "default", "enum", "const"):
            yield from _objects(inner, depth)
