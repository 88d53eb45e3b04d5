"""Reading JSON values as what they are expected to be."""

import pytest

from pipelex.errors.json import Json, UnexpectedJson, as_array, as_object, as_objects, as_texts, exactly, maybe


def test_what_is_as_expected_is_given_back() -> None:
    value: dict[str, Json] = {"words": ["a"], "rows": ({"n": 1},)}
    assert as_object(value) is value
    assert as_array(value["words"]) is value["words"]
    assert as_texts(value["words"]) == ("a",)
    assert as_objects(value["rows"]) == [{"n": 1}]
    assert (exactly("a", str), exactly(True, bool), exactly(2, int), maybe(None, str)) == ("a", True, 2, None)


def test_a_whole_number_is_a_float_and_stays_whole() -> None:
    assert repr(exactly(2, float)) == "2"
    assert maybe(2.5, float) == 2.5


@pytest.mark.parametrize("value", ["abc", 1, None, True, {"a": 1}])
def test_a_text_is_no_array(value: Json) -> None:
    with pytest.raises(UnexpectedJson, match="an array is expected here"):
        as_array(value)


@pytest.mark.parametrize("value", ["abc", 1, None, ["a"]])
def test_what_has_no_keys_is_no_object(value: Json) -> None:
    with pytest.raises(UnexpectedJson, match="an object is expected here"):
        as_object(value)


@pytest.mark.parametrize(
    ("value", "kind"), [(1, str), ("1", int), (1.5, int), ("yes", bool), ("1.5", float), (True, int)]
)
def test_scalars_are_not_turned_into_one_another(value: Json, kind: type[int]) -> None:
    with pytest.raises(UnexpectedJson, match=f"{kind.__name__} is expected here, not {type(value).__name__}"):
        maybe(value, kind)
