import datetime
import json
import re
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelex.content import (
    NATIVE_CONCEPTS,
    AnyShape,
    ChoiceShape,
    ContentError,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarShape,
    Shape,
    declared_field,
    example,
    json_schema,
    reach,
    refined,
    shape_from_json,
    shape_to_json,
    validate,
)
from pipelex.content.structure import ScalarKind
from pipelex.errors import PipelexError
from tests.support.untyped import untyped

CRANE = ObjectShape(
    "docks.Crane",
    "A crane",
    (
        declared_field("name", "Name", type="text", required=True),
        declared_field("tonnes", "Load", type="number"),
    ),
)
BERTH = ObjectShape(
    "docks.Berth",
    "A berth",
    (
        declared_field("code", "Code of the berth", type="text", required=True),
        declared_field("length_m", "Length", type="integer", required=True),
        declared_field("kind", "Kind", type=None, choices=["container", "bulk"]),
        declared_field("opened", "Opening day", type="date"),
        declared_field("checked", "Last check", type="datetime"),
        declared_field("gate", "Gate opens", type="time"),
        declared_field("is_free", "Free", type="boolean", default_value=True),
        declared_field("tags", "Tags", type="list", item_type="text"),
        declared_field("anything", "Unspecified", type="list"),
        declared_field("prices", "Prices", type="dict", key_type="text", value_type="number"),
        declared_field("crane", "Its crane", type="concept", concept=CRANE),
        declared_field("spare", "Spare cranes", type="list", item_type="concept", concept=CRANE),
        declared_field("photo", "A photo", type="concept", concept=NATIVE_CONCEPTS["Image"].shape),
    ),
)
LEAST = {"code": "B4", "length_m": 200}


def faults(shape: Shape, value: Any) -> dict[str, str]:
    with pytest.raises(ContentError) as caught:
        validate(shape, value, where="berth")
    return dict(caught.value.faults)


def test_fields_come_in_declared_order_with_defaults() -> None:
    assert list(untyped(validate(BERTH, {"length_m": 200, "code": "B4"}))) == ["code", "length_m", "is_free"]
    assert untyped(validate(BERTH, LEAST))["is_free"] is True


def test_null_of_an_optional_field_is_dropped() -> None:
    assert validate(BERTH, {**LEAST, "opened": None, "crane": None}) == {**LEAST, "is_free": True}


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("length_m", 3.0, 3),
        ("opened", "2024-01-15", "2024-01-15"),
        ("opened", "2024-01-15T00:00:00", "2024-01-15"),
        ("opened", datetime.date(2024, 1, 15), "2024-01-15"),
        ("opened", {"date": "2024-01-15", "__class__": "date", "__module__": "datetime"}, "2024-01-15"),
        ("checked", "2024-01-15 10:30:00+02:00", "2024-01-15T10:30:00+02:00"),
        ("checked", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"),
        ("checked", datetime.datetime(2024, 1, 15, 10), "2024-01-15T10:00:00"),
        ("gate", "10:30", "10:30"),
        ("gate", datetime.time(10, 30), "10:30:00"),
        ("tags", ["a", ""], ["a", ""]),
        ("anything", [1, None, {"a": [True]}], [1, None, {"a": [True]}]),
        ("prices", {"day": 3}, {"day": 3}),
        ("crane", {"name": "C1"}, {"name": "C1"}),
        ("spare", [{"name": "C1", "tonnes": 4.5}], [{"name": "C1", "tonnes": 4.5}]),
        ("kind", "bulk", "bulk"),
    ],
)
def test_accepted_and_normalised(field: str, given: Any, kept: Any) -> None:
    assert untyped(validate(BERTH, {**LEAST, field: given}))[field] == kept


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"code": 4}, "berth.code", "must be a text, not the number 4"),
        ({"code": None}, "berth.code", "is required, not null"),
        ({"length_m": 3.5}, "berth.length_m", "must be a whole number, not the number 3.5"),
        ({"length_m": True}, "berth.length_m", "must be a whole number, not true"),
        ({"length_m": "200"}, "berth.length_m", "must be a whole number, not the text '200'"),
        ({"kind": "bulks"}, "berth.kind", "must be one of 'container', 'bulk', not the text 'bulks' (did you mean 'bulk'?)"),
        ({"opened": "15/01/2024"}, "berth.opened", "must be a date written YYYY-MM-DD, not the text '15/01/2024'"),
        ({"opened": "2024-02-30"}, "berth.opened", "must be a date written YYYY-MM-DD, not the text '2024-02-30'"),
        ({"opened": "2024-01-15T08:00:00"}, "berth.opened", "must be a date written YYYY-MM-DD, not the text '2024-01-15T08:00:00'"),
        ({"checked": "2024-01-15"}, "berth.checked", "must be a date and time written YYYY-MM-DDTHH:MM:SS, not the text '2024-01-15'"),
        ({"gate": "25:00"}, "berth.gate", "must be a time written HH:MM:SS, not the text '25:00'"),
        ({"is_free": "yes"}, "berth.is_free", "must be true or false, not the text 'yes'"),
        ({"tags": "a"}, "berth.tags", "must be a list, not the text 'a'"),
        ({"tags": ["a", 1]}, "berth.tags[1]", "must be a text, not the number 1"),
        ({"prices": {"day": "3"}}, "berth.prices.day", "must be a number, not the text '3'"),
        ({"prices": {"day": float("inf")}}, "berth.prices.day", "must be a number, not the number inf"),
        ({"crane": {}}, "berth.crane.name", "is required"),
        ({"crane": "C1"}, "berth.crane", "must be an object with the fields of Crane, not the text 'C1'"),
        ({"lenght_m": 3}, "berth.lenght_m", "is not a field of Berth; did you mean 'length_m'?"),
        ({"photo": {"url": "u", "width": 3}}, "berth.photo", "width and height go together: give both or neither"),
        ({"anything": [float("nan")]}, "berth.anything[0]", "must be a finite number"),
    ],
)  # fmt: skip
def test_refused(change: dict[str, Any], path: str, message: str) -> None:
    assert faults(BERTH, {**LEAST, **change}) == {path: message}


def test_every_fault_is_reported() -> None:
    found = faults(BERTH, {"kind": "x", "tags": [1, 2], "nothing": 1})
    assert list(found) == [
        "berth.code",
        "berth.length_m",
        "berth.kind",
        "berth.tags[0]",
        "berth.tags[1]",
        "berth.nothing",
    ]


def test_a_default_is_not_shared() -> None:
    shape = ObjectShape("d.X", "", (declared_field("tags", "", type="list", default_value=["a"]),))
    untyped(validate(shape, {}))["tags"].append("b")
    assert validate(shape, {}) == {"tags": ["a"]}


def test_deep_open_values_are_refused_not_followed() -> None:
    value: Any = 1
    for _ in range(10_000):
        value = [value]
    assert "nested" in next(iter(faults(AnyShape(), value).values()))


def test_schema_says_what_validation_says() -> None:
    schema = untyped(json_schema(BERTH))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["code", "length_m"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["code"] == {"type": "string", "description": "Code of the berth"}
    assert schema["properties"]["kind"]["anyOf"][0] == {"type": "string", "enum": ["container", "bulk"]}
    assert schema["properties"]["is_free"]["description"] == "Free. Default: True."
    assert list(schema["$defs"]) == ["Crane"]
    assert schema["properties"]["spare"]["anyOf"][0]["items"] == {"$ref": "#/$defs/Crane"}


def test_two_domains_may_share_a_code() -> None:
    twin = refined(CRANE, "yard.Crane", "Another")
    fields = [FieldShape(f"f{rank}", "", shape) for rank, shape in enumerate([CRANE, twin, CRANE, twin])]
    schema = untyped(json_schema(ObjectShape("d.Both", "", tuple(fields))))
    assert sorted(schema["$defs"]) == ["docks_Crane", "yard_Crane"]


def wide_chain(levels: int) -> Shape:
    shape: Shape = CRANE
    for level in range(levels):
        fields = (FieldShape("left", "", shape, True), FieldShape("right", "", shape, True))
        shape = ObjectShape(f"d.L{level}", "", fields)
    return shape


def test_shared_parts_stay_small_in_schema_and_wire_form() -> None:
    assert len(json.dumps(json_schema(wide_chain(25)))) < 20_000
    assert len(json.dumps(shape_to_json(wide_chain(25)))) < 20_000


def test_a_structure_that_unfolds_too_far_has_no_example() -> None:
    with pytest.raises(PipelexError) as caught:
        example(wide_chain(25))
    assert caught.value.code == "method.mock_unsatisfiable"


def test_examples_differ_by_name() -> None:
    assert example(NATIVE_CONCEPTS["Text"].shape, seed_text="note") == {"text": "note_value"}
    assert example(NATIVE_CONCEPTS["Text"].shape, light=True, seed_text="note") == "note_value"
    assert example(NATIVE_CONCEPTS["Image"].shape, light=True) == "https://mock.invalid/url"
    assert untyped(example(BERTH))["spare"][0]["name"] == "name_value"
    assert untyped(example(BERTH))["photo"] == {"url": "https://mock.invalid/photo"}
    assert untyped(example(BERTH))["kind"] == "container"
    assert untyped(example(BERTH))["opened"] == "2024-01-15"


@pytest.mark.parametrize("native", NATIVE_CONCEPTS.values(), ids=lambda native: native.code)
def test_natives_hold_together(native: Any) -> None:
    value = example(native.shape)
    assert validate(native.shape, value) == value
    assert shape_from_json(json.loads(json.dumps(shape_to_json(native.shape)))) == native.shape
    jsonschema.validate(value, json_schema(native.shape))


def test_paths() -> None:
    page = NATIVE_CONCEPTS["Page"].shape
    assert reach(page, ["page_view"]) == NATIVE_CONCEPTS["Image"].shape
    assert reach(page, ["text_and_images", "images", "url"]) == ScalarShape("url")
    assert reach(page, ["nothing"]) is None
    assert reach(page, ["page_view", "url", "deeper"]) is None
    assert reach(NATIVE_CONCEPTS["Composite"].shape, ["any", "thing"]) == AnyShape()


# --- properties -------------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
SCALARS = st.sampled_from(["text", "integer", "number", "boolean", "date", "datetime", "time"]).map(
    lambda kind: ScalarShape(cast("ScalarKind", kind))
)
CHOICES = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(lambda words: ChoiceShape(tuple(words)))
COUNTER = iter(range(10**9))


def objects(inner: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    field = st.tuples(NAMES, inner, st.booleans())
    return st.lists(field, min_size=1, max_size=5, unique_by=lambda one: one[0]).map(
        lambda fields: ObjectShape(
            f"d.C{next(COUNTER)}", "x", tuple(FieldShape(name, "x", shape, needed) for name, shape, needed in fields)
        )
    )


SHAPES: st.SearchStrategy[Shape] = st.recursive(
    SCALARS | CHOICES | st.just(AnyShape()),
    lambda inner: objects(inner) | inner.map(ListShape) | inner.map(DictShape),
    max_leaves=8,
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.slow
@given(SHAPES)
@settings(deadline=None, derandomize=True)
def test_the_example_of_any_shape_is_valid(shape: Shape) -> None:
    value = example(shape)
    assert validate(shape, value) == value
    jsonschema.validate(value, json_schema(shape))
    assert shape_from_json(json.loads(json.dumps(shape_to_json(shape)))) == shape


@pytest.mark.slow
@given(SHAPES, JSON_VALUES)
@settings(deadline=None, derandomize=True)
def test_validation_is_idempotent_and_raises_nothing_else(shape: Shape, value: Any) -> None:
    try:
        once = validate(shape, value)
    except ContentError:
        return
    assert validate(shape, once) == once


@pytest.mark.slow
@given(JSON_VALUES)
@settings(deadline=None, derandomize=True)
def test_any_json_value_is_kept_by_an_open_shape(value: Any) -> None:
    assert validate(AnyShape(), json.loads(json.dumps(value))) == value


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("shape", "value", "says"),
    [
        (AnyShape(), {1: 2}, "the key 1 must be a text"),
        (AnyShape(), {"a": {1}}, "a: a set is not a JSON value"),
        (AnyShape(), nested(500), "levels deep"),
        (AnyShape(), float("nan"), "must be a finite number"),
        (ScalarShape("text"), (1,), "must be a text, not a list"),
        (ScalarShape("text"), {}, "must be a text, not an object"),
        (ScalarShape("text"), datetime.datetime(2026, 1, 2, 3), "not the date and time 2026-01-02T03:00:00"),
        (ScalarShape("text"), datetime.date(2026, 1, 2), "not the date 2026-01-02"),
        (ScalarShape("text"), datetime.time(2), "not the time 02:00:00"),
        (ScalarShape("text"), 10**50, "not a very large number"),
        (ScalarShape("text"), {1}, "must be a text, not a set"),
        (ScalarShape("integer"), 2.5, "must be a whole number, not the number 2.5"),
        (ScalarShape("integer", minimum=3), 2, "must be 3 or more, not the number 2"),
        (ScalarShape("number", maximum=3), 3.5, "must be 3 or less, not the number 3.5"),
    ],
)
def test_a_wrong_value_is_named_in_the_error(shape: Shape, value: Any, says: str) -> None:
    with pytest.raises(ContentError, match=re.escape(says)):
        validate(shape, value)


@pytest.mark.parametrize(
    ("shape", "value", "read"),
    [
        (AnyShape(), datetime.date(2026, 1, 2), "2026-01-02"),
        (AnyShape(), {"at": datetime.time(2, 30)}, {"at": "02:30:00"}),
        (ScalarShape("date"), datetime.datetime(2026, 1, 2, 3), "2026-01-02"),
    ],
)
def test_dates_and_times_of_python_are_written_as_texts(shape: Shape, value: Any, read: Any) -> None:
    assert validate(shape, value) == read
