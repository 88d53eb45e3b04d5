from typing import Any

import pytest

from pipelex.inference.chat.structured import SchemaCheck, list_schema, pruned, read_json
from pipelex.inference.chat.structured.bounds import MAX_ITEMS, MAX_STRING, bounded, restored

NODE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "string", "enum": ["s", "l"]},
        "day": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "pair": {"type": "array", "items": {"type": "integer"}, "minItems": 6},
        "scores": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Score"}},
        "free": {},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Score"}, {"type": "null"}]},
    },
    "required": ["name"],
    "$defs": {"Score": {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}},
}


def test_every_open_end_is_bounded_and_nothing_else_changes():
    found = bounded(NODE)["properties"]
    assert found["name"] == {"type": "string", "maxLength": MAX_STRING}
    assert found["size"] == NODE["properties"]["size"]
    assert found["day"] == NODE["properties"]["day"]
    assert found["tags"]["maxItems"] == MAX_ITEMS
    assert found["pair"]["maxItems"] == 6
    assert found["scores"]["type"] == "array"
    assert found["free"]["maxLength"] == MAX_STRING
    assert bounded(NODE)["$defs"]["Score"]["properties"]["why"]["maxLength"] == MAX_STRING
    assert "maxLength" not in NODE["properties"]["name"]


def test_an_answer_to_the_bounded_schema_satisfies_the_original():
    answer = {
        "name": "a",
        "scores": [{"key": "x", "value": {"why": "b"}}, {"key": "y", "value": {"why": "c"}}],
        "free": "text",
        "maybe": None,
    }
    assert SchemaCheck(bounded(NODE)).findings(answer) == []
    value = restored(answer, NODE)
    assert value["scores"] == {"x": {"why": "b"}, "y": {"why": "c"}}
    assert SchemaCheck(NODE).findings(value) == []


def test_definitions_of_an_item_serve_its_list():
    schema = list_schema(NODE, 1)
    check = SchemaCheck(schema)
    assert check.findings({"items": [{"name": "a", "maybe": {"why": "b"}}]}) == []
    assert check.findings({"items": [{"name": "a", "maybe": {"why": 3}}]}) != []
    assert check.findings({"items": []}) != []


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "format": "date"}, "2024-02-29", "2023-02-29"),
        ({"type": "string", "format": "date-time"}, "2024-02-29T10:00:00Z", "2024-02-29"),
        ({"type": "string", "format": "time"}, "10:00:00", "25:00:00"),
        ({"type": "integer"}, 3, 3.5),
    ],
)
def test_values_and_formats(schema: dict[str, Any], good: Any, bad: Any):
    assert SchemaCheck(schema).findings(good) == []
    assert len(SchemaCheck(schema).findings(bad)) == 1


def test_nulls_go_only_where_the_schema_admits_none():
    value = {"name": None, "size": None, "free": None, "maybe": None, "scores": None}
    assert pruned(value, NODE) == {"name": None, "free": None, "maybe": None}


@pytest.mark.parametrize("text", ['{"a": 1}', '```json\n{"a": 1}\n```', 'Well:\n```\n{"a": 1}\n```\nThere.'])
def test_json_bare_or_fenced(text: str):
    assert read_json(text) == {"a": 1}


def test_findings_are_few_and_short():
    schema = {"type": "array", "items": {"type": "integer"}}
    findings = SchemaCheck(schema).findings(["x" * 5000] * 50)
    assert len(findings) == 10
    assert max(map(len, findings)) < 320
