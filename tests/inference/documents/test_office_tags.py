"""The tags of Office templates: found wherever Word has split them, in time that grows with the text alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelex.errors import PipelexError
from pipelex.inference.documents.templates import check_cell, tag_groups, up_to_last, whole_tags

BEGINS, ENDS = ("{{", "{%", "{#"), ("}}", "%}", "#}")


def is_open(text: str) -> bool:
    """Whether a text has the beginning of a tag behind the last end of one, or may have half of a beginning."""
    return max(map(text.rfind, BEGINS)) > max(map(text.rfind, ENDS)) or text.endswith("{")


@given(st.lists(st.text(st.sampled_from("{}%#a"), max_size=4), max_size=12))
def test_no_group_ends_within_a_tag(pieces: list[str]) -> None:
    groups = list(tag_groups(pieces))
    assert [piece for group in groups for piece in group] == pieces
    for group in groups:
        assert all(is_open("".join(group[:length])) for length in range(1, len(group)))
    assert not any(is_open("".join(group)) for group in groups[:-1])


@pytest.mark.parametrize(
    ("text", "ends", "found"),
    [
        ("a {{ b }} c", ("}}",), "a {{ b }}"),
        ("a %} b }} c", ("}}", "%}"), "a %} b }}"),
        ("a }} b %} c", ("}}", "%}"), "a }} b %}"),
        ("{{ a", ("}}", "%}"), ""),
        ("", ("}}",), ""),
    ],
)
def test_what_follows_the_last_tag_is_left_out(text: str, ends: tuple[str, ...], found: str) -> None:
    assert up_to_last(text, *ends) == found


def test_tags_of_rows_and_paragraphs() -> None:
    assert whole_tags("{%tr for a in b %}{{ c }}{%p if d\n%} {%tr e") == [("tr", "for a in b "), ("p", "if d\n")]
    with pytest.raises(PipelexError, match=r"the cell A1 has \{% for a in b %\}, which ends in another cell"):
        check_cell("{% for a in b %}{{ a }} {% if", "the cell A1")
    check_cell("{% for a in b %}{{ a }}{% endfor %} {% if", "the cell A1")


def test_tags_without_an_end_are_passed_over_in_one_go() -> None:
    """Looking for the end of each tag anew, as it was done, would take hours."""
    check_cell("{%if " * 1_000_000, "a cell")
    assert whole_tags("{%tr a%}" + "{%tr " * 1_000_000) == [("tr", "a")]
    assert [len(group) for group in tag_groups(["{{", *"ab" * 500_000])] == [1_000_001]
    assert [len(group) for group in tag_groups("{" * 1_000_000)] == [1_000_000]
