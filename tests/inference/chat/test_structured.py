from typing import Any

import pytest

from pipelex.content.structure import DictShape, FieldShape, ListShape, ObjectShape, ScalarShape, shape_to_json
from pipelex.inference.chat.structured import WantedObject, read_candidates
from pipelex.inference.chat.structured.bounds import MAX_ITEMS, MAX_STRING, bounded
from pipelex.inference.chat.structured.check import SchemaCheck
from pipelex.inference.chat.structured.pairs import closed, restored
from pipelex.inference.chat.structured.schema import list_schema, mended
from pipelex.pipes.effects.requests import ObjectSpec
from tests.support.untyped import untyped

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
    assert SchemaCheck(bounded(NODE)).faults(answer) == []
    value = untyped(restored(answer, NODE))
    assert value["scores"] == {"x": {"why": "b"}, "y": {"why": "c"}}
    assert SchemaCheck(NODE).faults(value) == []


def test_definitions_of_an_item_serve_its_list():
    schema = list_schema(NODE, 1)
    check = SchemaCheck(schema)
    assert check.faults({"items": [{"name": "a", "maybe": {"why": "b"}}]}) == []
    assert check.faults({"items": [{"name": "a", "maybe": {"why": 3}}]}) != []
    assert check.faults({"items": []}) != []


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
    assert SchemaCheck(schema).faults(good) == []
    assert len(SchemaCheck(schema).faults(bad)) == 1


def test_nulls_go_only_where_the_schema_admits_none():
    value = {"name": None, "size": None, "free": None, "maybe": None, "scores": None}
    assert mended(value, NODE) == {"name": None, "free": None, "maybe": None}


FENCE = "```"
OBJECT = '{"a": "x ```json y``` z"}'


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"{FENCE}json\n{OBJECT}\n{FENCE}",
        f"{FENCE}JSON\n{OBJECT}\n{FENCE}",
        f"{FENCE}json {OBJECT} {FENCE}",
        f"{FENCE}{OBJECT}{FENCE}",
        f"Well:\n{FENCE}\n{OBJECT}\n{FENCE}\nThere.",
        f"First {FENCE}python\nprint({{1: 2}})\n{FENCE} then {FENCE}json\n{OBJECT}\n{FENCE}",
        f"Here you are: {OBJECT} Anything else?",
        f"\ufeff{OBJECT}",
        f"<think>Perhaps {{1}} or [2 {OBJECT}",
        f'<think>{{"a": "thought"}}</think>{OBJECT}',
    ],
)
def test_json_in_whatever_a_model_wraps_it(text: str):
    assert next(read_candidates(text)) == {"a": "x ```json y``` z"}


def test_json_as_a_json_string_and_with_line_breaks_in_strings():
    assert next(read_candidates('"{\\"a\\": 1}"')) == {"a": 1}
    assert next(read_candidates('{"a": "one\ntwo"}')) == {"a": "one\ntwo"}


@pytest.mark.parametrize("text", ["", "none at all", "{'a': 1}", "[" * 50_000, '{"a": ' * 2_000, "17", "null"])
def test_no_json_is_none(text: str):
    assert list(read_candidates(text)) == []


BERTH = ObjectShape(
    "harbour.Berth",
    "A berth.",
    (
        FieldShape("name", "Its name.", ScalarShape("text"), required=True),
        FieldShape("from", "Since when.", ScalarShape("datetime")),
        FieldShape("opens", "When it opens.", ScalarShape("time")),
        FieldShape("depths", "Depth by month.", DictShape(ScalarShape("number"), "integer")),
    ),
)
SPEC = ObjectSpec(concept="harbour.Berth", shape=shape_to_json(BERTH))


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        ('"from": "soon"', "from: must be a date and time"),
        ('"opens": "25:00"', "opens: must be a time"),
        ('"depths": {"May": 3}', "depths.May: the key must be a whole number"),
        ('"depths": {"5": NaN}', "depths.5: must be a number"),
        ('"depths": {"5": Infinity}', "depths.5: must be a number"),
        ('"depths": {"5": 1e999}', "depths.5: must be a number"),
        ('"deep": 1', "deep: is not a field"),
    ],
)
def test_everything_that_makes_a_value_unfit_makes_an_answer_unfit(member: str, fault: str):
    answer = read_candidates(f'{{"name": "North", {member}}}')
    value, faults = WantedObject.single(SPEC).taken(answer)
    assert value is None
    assert faults[0].startswith(fault)


@pytest.mark.parametrize(
    "text",
    [
        '{"final_result": {"name": "a"}}',
        '{"Berth": {"name": "a"}}',
        '{"data": {"result": {"name": "a"}}}',
        '{"output": "{\\"name\\": \\"a\\"}"}',
    ],
)
def test_an_object_in_a_wrapper_is_read(text: str):
    assert WantedObject.single(SPEC).taken(read_candidates(text)) == ({"name": "a"}, [])


@pytest.mark.parametrize("text", ['{"depths": {"name": "a"}}', '{"a": {"b": {"c": {"name": "a"}}}}', '{"x": "a"}'])
def test_a_field_is_no_wrapper(text: str):
    assert WantedObject.single(SPEC).taken(read_candidates(text))[0] is None


def test_a_schema_alone_admits_no_infinite_number_either():
    spec = ObjectSpec(concept="harbour.Berth", json_schema=NODE)
    value, faults = WantedObject.single(spec).taken(read_candidates('{"name": "a", "free": [1e999]}'))
    assert value is None
    assert "finite" in faults[0]


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"name": "a"}]}',
        '{"berths": [{"name": "a"}]}',
        '{"data": {"items": [{"name": "a"}]}}',
        '[{"name": "a"}]',
        '{"items": "[{\\"name\\": \\"a\\"}]"}',
        'An example: {"name": "x"}. The answer: [{"name": "a"}]',
        '{"name": "a"}',
        '{"berth": {"name": "a"}}',
        '[{"name": "a"},]',
        'So:\n```json\n{"items": [{"name": "a",\n}, ],}\n```',
        '{"items": "[{\\"name\\": \\"a\\"},]"}',
    ],
)
def test_lists_as_models_write_them(text: str):
    assert WantedObject.listed(SPEC, 1).taken(read_candidates(text)) == ({"items": [{"name": "a"}]}, [])


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a"}\n{"name": "b,]"}',
        '```jsonl\n{"name": "a"}\n\n{"name": "b,]"}\n```\nThat is all.',
        'Two:\n{"name": "a"},\n{"name": "b,]",}',
    ],
)
def test_json_lines_are_a_list(text: str):
    assert WantedObject.listed(SPEC, None).taken(read_candidates(text)) == (
        {"items": [{"name": "a"}, {"name": "b,]"}]},
        [],
    )


@pytest.mark.parametrize("text", ['{"name": "x"} or {"name": "a"}', "{}", '{"name": 3}', '{"items": 3}', "[,]", "{,}"])
def test_what_may_be_no_list_is_none(text: str):
    assert WantedObject.listed(SPEC, None).taken(read_candidates(text))[0] is None


def test_an_outer_object_with_a_comma_too_many_comes_before_its_members():
    assert next(read_candidates('It is {"name": "a, }", "in": {"name": "b"}, } then.')) == {
        "name": "a, }",
        "in": {"name": "b"},
    }
    assert list(read_candidates('{"a": [1,,]}')) == []


def test_a_list_of_another_length_does_not_fit():
    value, faults = WantedObject.listed(SPEC, 2).taken(read_candidates('[{"name": "a"}]'))
    assert (value, faults) == (None, ["items: must have 2 items, not 1"])


def test_a_closed_schema_has_required_and_nullable_properties_only():
    shape = ObjectShape("a.B", "", (*BERTH.fields, FieldShape("lists", "", ListShape(BERTH), required=True)))
    found = closed(WantedObject.single(ObjectSpec(concept="a.B", shape=shape_to_json(shape))).schema)
    assert found is not None
    assert found["required"] == list(found["properties"])
    assert found["additionalProperties"] is False
    assert {"type": "null"} in found["properties"]["depths"]["anyOf"]
    assert found["properties"]["depths"]["anyOf"][0]["type"] == "array"
    assert closed(NODE) is None  # it has a member that may be anything


def test_faults_are_few_and_short():
    schema = {"type": "array", "items": {"type": "integer"}}
    faults = SchemaCheck(schema).faults(["x" * 5000] * 50)
    assert len(faults) == 10
    assert max(map(len, faults)) < 320
