"""Names and ids keep the platform's rules, and can be read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelex.mistral_workflows import names

TEXTS = st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab_-.:/[]>x")), max_size=40)
TAKEN = re.compile(r"[A-Za-z0-9_-]*")


@given(TEXTS)
def test_what_is_encoded_can_be_read_back(text: str) -> None:
    written = names.encoded(text)
    assert TAKEN.fullmatch(written)
    assert names.decoded(written) == text


@pytest.mark.slow
@given(TEXTS, TEXTS)
def test_two_texts_have_two_names(one: str, other: str) -> None:
    assert (names.encoded(one) == names.encoded(other)) == (one == other)


def test_names_are_readable() -> None:
    assert names.workflow_name("billing.read_invoice") == "pipe-billing--read_invoice"
    assert names.pipe_of("pipe-billing--read_invoice") == "billing.read_invoice"
    assert names.pipe_of("another-workflow") is None


@pytest.mark.parametrize("code", ["ffffffff", "f" * 5000, "110000", "d800", "61", "00e9", "E9", "2e", ""])
def test_what_nobody_encoded_is_left_as_it_is(code: str) -> None:
    """Workflows and runs of others may have any name: a list of runs shows them."""
    assert names.pipe_of(f"pipe--x{code}-") is None
    assert names.run_id_of(f"r---x{code}-") == f"r---x{code}-"


@pytest.mark.slow
@given(TEXTS.filter(bool))
def test_the_id_of_a_run_can_be_read_back(run_id: str) -> None:
    written = names.execution_id(run_id)
    assert TAKEN.fullmatch(written)
    assert names.run_id_of(written) == run_id


def test_a_run_keeps_the_id_that_pipelex_gives() -> None:
    assert names.execution_id("run-20260131-094501-9f3c2a7b") == "run-20260131-094501-9f3c2a7b"


@pytest.mark.slow
@given(st.lists(TEXTS.filter(lambda step: step and "/" not in step), min_size=1, max_size=4))
def test_the_id_of_a_child_tells_the_steps_to_it(steps: list[str]) -> None:
    id_ = names.child_id("run-1", tuple(steps))
    assert TAKEN.fullmatch(id_)
    assert len(id_) <= names.LONGEST_ID
    found = names.path_of("run-1", id_)
    assert found == tuple(steps) or (
        found is None and len(names.encoded("/" + "/".join(steps))) > names.LONGEST_ID - 10
    )


def test_an_id_that_would_be_too_long_is_another_one_for_every_child() -> None:
    assert names.path_of("run-xh-12", "run-xh-12") == ()
    deep = tuple(f"{step}-a_step_with_a_long_name" for step in range(20))
    ids = {names.child_id("run-1", deep, str(rank)) for rank in range(50)}
    assert len(ids) == 50
    assert all(len(id_) == names.LONGEST_ID and names.path_of("run-1", id_) is None for id_ in ids)


@pytest.mark.parametrize("name", ["a.b", "", "executions", "x" * 129])
def test_names_that_the_platform_refuses(name: str) -> None:
    assert names.why_not_a_name(name) is not None
    assert names.why_not_a_name("a_name-1") is None
