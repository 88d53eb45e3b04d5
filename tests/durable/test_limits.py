from dataclasses import replace
from datetime import timedelta

import pytest

from pipelex.content.stuff import Stuff
from pipelex.durable.limits import ESTIMATED, ListSize, check_history, check_payload, task_timeout
from pipelex.errors import PipelexError
from pipelex.pipes.calls import PipeCall
from tests.durable.memory_engine import LIMITS

SMALL_LIMITS = replace(LIMITS, payload_bytes=100_000)


def call_of(**texts: str) -> PipeCall:
    return PipeCall(pipe="d.p", inputs={name: Stuff("native.Text", {"text": text}) for name, text in texts.items()})


def written(call: PipeCall) -> int:
    return len(call.model_dump_json(exclude_unset=True).encode())


def test_small_payloads_are_only_estimated_and_never_too_low() -> None:
    call = call_of(a="x" * 1_000)
    assert written(call) <= check_payload(call, LIMITS, what="it") < ESTIMATED


def test_larger_ones_are_measured() -> None:
    call = call_of(a="é" * 20_000)
    assert check_payload(call, LIMITS, what="it") == written(call)


@pytest.mark.parametrize(("stored_above", "has_store"), [(None, True), (None, False), (50_000, False)])
def test_what_the_engine_refuses_is_refused_with_the_largest_value(stored_above: int | None, has_store: bool) -> None:
    call = call_of(a="x" * 30_000, b="x" * 80_000)
    with pytest.raises(PipelexError, match=r"it take 110,\d{3} bytes; the largest value, 'b', has 80,\d{3}") as refused:
        check_payload(call, SMALL_LIMITS, what="it", named=call.inputs, stored_above=stored_above, has_store=has_store)
    assert refused.value.code == "input.too_large"
    assert refused.value.report.params == {"input": "b", "limit": 100_000, "size": written(call)}
    assert refused.value.report.advice == LIMITS.store_advice


def test_a_payload_without_named_values_is_named_as_a_whole() -> None:
    with pytest.raises(PipelexError) as refused:
        check_payload(call_of(a="x" * 110_000), SMALL_LIMITS, what="the result")
    assert refused.value.report.params["input"] == "the result"


@pytest.mark.parametrize("size", [90_000, 1_000_000])
def test_with_a_store_nothing_is_too_large(size: int) -> None:
    assert check_payload(call_of(a="x" * size), SMALL_LIMITS, what="it", stored_above=50_000) == 50_000


@pytest.mark.parametrize(
    ("size", "stored_above", "kept"), [(10, None, 10), (10, 10, 10), (11, 10, LIMITS.reference_bytes), (0, 0, 0)]
)
def test_stored_payloads_take_the_room_of_a_reference(size: int, stored_above: int | None, kept: int) -> None:
    assert LIMITS.kept_size(size, stored_above) == kept


def test_a_list_that_must_travel_whole_is_refused_while_it_grows() -> None:
    size = ListSize(SMALL_LIMITS, "the results of pipe 'p'")
    size.add(10, 80_000)
    with pytest.raises(PipelexError, match="take 90,000 bytes after 11 items") as refused:
        size.add(1, 10_000)
    assert refused.value.report.params["input"] == "the results of pipe 'p'"


def test_a_history_is_bounded_in_events_and_bytes() -> None:
    check_history(LIMITS.history_events, LIMITS.history_bytes, LIMITS, what="pipe 'p'")
    with pytest.raises(PipelexError, match="pipe 'p' has 50,001 events") as long:
        check_history(LIMITS.history_events + 1, 0, LIMITS, what="pipe 'p'")
    assert long.value.code == "runtime.unsupported"
    with pytest.raises(PipelexError, match=r"pipe 'p' handed on take 44,000,001 bytes") as large:
        check_history(1, LIMITS.history_bytes + 1, LIMITS, what="pipe 'p'")
    assert large.value.code == "input.too_large"


def test_a_task_with_large_inputs_may_take_longer() -> None:
    assert task_timeout(timedelta(seconds=10), call_of(a="x")) == timedelta(seconds=10)
    assert task_timeout(timedelta(seconds=10), call_of(a="x" * 100_000_000)) > timedelta(seconds=20)
