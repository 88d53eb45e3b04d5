"""Sizes of values."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from pipelex.content.measure import json_bound, json_size, text_size
from pipelex.content.stuff import Json

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(lambda key: '"' not in key), inner),
)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("four", 4),
        (None, 8),
        ([1, True, "ab"], 18),
        ({"a long key": "xyz", "b": {"c": ["d", "e"]}}, 5),
        ([], 0),
    ],
)
def test_text_is_counted_without_keys(value: Json, size: int) -> None:
    assert text_size([value]) == size


def test_counting_ends_beyond_the_most() -> None:
    assert text_size(["abc", "def"], most=6) == 6
    assert 6 < text_size(["x" * 5] * 1000, most=6) <= 10


def containers(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(containers, cast("dict[str, Any]", value).values()))
    return 1 + sum(map(containers, cast("list[Any]", value))) if isinstance(value, list) else 0


@pytest.mark.slow
@given(TREES)
def test_the_bound_is_never_below_the_characters_of_the_json(value: Json) -> None:
    brackets = 3 * containers(value)  # with the comma after them
    assert json_bound([value]) + brackets >= len(to_json(value).decode())


def test_the_size_is_that_of_the_json_in_bytes() -> None:
    assert json_size({"é": [1, "ü"]}) == len('{"é":[1,"ü"]}'.encode())


def test_objects_are_opened_where_they_stand() -> None:
    class Box:
        value: Json = "inside"

    opened = json_bound([{"box": Box()}], lambda found: [found.value] if isinstance(found, Box) else None)
    assert opened == json_bound([{"box": "inside"}])


def test_depth_does_not_matter() -> None:
    deep: Json = "x"
    for _ in range(100_000):
        deep = [deep]
    assert text_size([deep]) == 1
    assert json_bound([deep]) == 6
