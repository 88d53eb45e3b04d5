"""Schemas are sent as pydantic-ai sends them, whose rules for OpenAI's strict mode are well tried."""

import copy
import random
from typing import Any

import pytest
from pydantic_ai.profiles.openai import OpenAIJsonSchemaTransformer

from pipelex.inference.chat.structured.strict import as_sent

KINDS = ("string", "number", "integer", "object", "array", "any", "ref", "enum", "one")


def schema(chance: random.Random, depth: int) -> dict[str, Any]:
    """A made-up schema."""

    def inner() -> dict[str, Any]:
        return schema(chance, depth - 1) if depth else {"type": "string"}

    made: dict[str, Any]
    match chance.choice(KINDS):
        case "string":
            extra = [{"minLength": 2}, {"format": "date"}, {"format": "uri"}, {"pattern": "(?=a)b"}, {}, {}]
            made = {"type": "string", **chance.choice(extra)}
        case "number":
            made = {"type": "number", "minimum": 0}
        case "integer":
            made = {"type": "integer", "default": 1}
        case "enum":
            made = {"enum": ["a", "b"]}
        case "ref":
            made = {"$ref": "#/$defs/X"}
        case "array":
            made = {"type": "array", "items": inner()}
        case "any":
            made = {"anyOf": [inner(), {"type": "null"}]}
        case "one":
            made = {"oneOf": [{"type": "string"}, {"type": "null"}]}
        case _:
            names = [f"p{number}" for number in range(chance.randint(0, 3))]
            made = {"type": "object", "properties": {name: inner() for name in names}}
            if chance.random() < 0.7:
                made["required"] = [name for name in names if chance.random() < 0.8]
            if chance.random() < 0.3:
                made["additionalProperties"] = chance.choice([True, False, {"type": "string"}])
    for key, value in (("description", "d"), ("title", "t")):
        if chance.random() < 0.3:
            made[key] = value
    return made


@pytest.mark.parametrize("is_strict", [None, True])
def test_schemas_are_those_of_the_library(is_strict: bool | None) -> None:
    chance = random.Random(5)
    for _ in range(300):
        properties = {"a": schema(chance, 3), "b": schema(chance, 2)}
        root = {"type": "object", "properties": properties, "required": ["a"], "$defs": {"X": schema(chance, 1)}}
        known = OpenAIJsonSchemaTransformer(copy.deepcopy(root), strict=is_strict)
        try:
            wanted = known.walk()
        except Exception:  # an array without items, which no schema of ours has
            continue
        assert as_sent(root, is_strict=is_strict) == (wanted, True if is_strict else known.is_strict_compatible)
