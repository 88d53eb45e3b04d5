"""Values that travel apart from their jobs: large inputs, lists by reference, the options that say which those are."""

import pytest

from pipelex.content.stuff import Stuff
from pipelex.durable.large import LargeInputs, LargeValues, whole
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import StoredList, StoredPayload, list_in_store
from pipelex.pipes.calls import PipeCall, RunOptions

DOCUMENT = Stuff("native.Text", {"text": "x" * 200})
WORD = Stuff("native.Text", {"text": "sea"})


def call_of(**inputs: Stuff) -> PipeCall:
    return PipeCall(pipe="d.p", inputs=inputs)


def test_large_inputs_leave_their_call_and_come_back() -> None:
    call = call_of(document=DOCUMENT, word=WORD)
    kept, large = LargeValues(100).split(call)
    assert set(kept.inputs) == {"word"}
    assert large is not None
    read = LargeInputs.model_validate_json(b'{"values":{"document":' + large.values["document"] + b"}}")
    assert whole(kept, read) == call
    assert whole(call, None) is call


@pytest.mark.parametrize("stored_above", [None, 201])
def test_what_is_small_or_has_no_store_stays(stored_above: int | None) -> None:
    call = call_of(document=DOCUMENT)
    assert LargeValues(stored_above).split(call) == (call, None)


def test_what_many_children_are_given_is_written_once() -> None:
    values = LargeValues(100)
    first, second = (
        values.split(call_of(document=DOCUMENT, word=Stuff("native.Text", {"text": text})))[1] for text in "ab"
    )
    assert first is second
    other = values.split(call_of(document=DOCUMENT, again=DOCUMENT))[1]
    assert other is not None
    assert first is not None
    assert other.values["again"] is first.values["document"], "the same bytes under another name"
    assert values.split(call_of(document=DOCUMENT))[1] is not first, "only the last inputs are remembered whole"


def test_a_list_by_reference_knows_its_parts_and_its_count() -> None:
    stored = [(StoredPayload(key="a" * 64, size=10), 3), (StoredPayload(key="b" * 64, size=20), 2)]
    value = list_in_store("native.Text", stored)
    assert (value.count, value.concept, value.is_list) == (5, "native.Text", True)
    assert StoredList.of(value).parts == tuple(payload for payload, _ in stored)
    part = stored[0][0].as_part(3)
    assert (part.count, StoredPayload.of_part(part)) == (3, stored[0][0])


@pytest.mark.parametrize(
    ("policy", "stored_above", "said"),
    [
        ("every_pipe", 131_072, {}),
        ("every_pipe", None, {"stored_above": None}),
        ("controllers", 131_072, {"child_workflows": "controllers"}),
        ("controllers", 1_000, {"child_workflows": "controllers", "stored_above": 1_000}),
    ],
)
def test_options_say_only_what_differs(policy: str, stored_above: int | None, said: dict[str, object]) -> None:
    options = EngineOptions.of(
        RunOptions(max_concurrency=3),
        child_workflows="controllers" if policy == "controllers" else "every_pipe",
        stored_above=stored_above,
    )
    assert options.model_dump(exclude_unset=True) == {"max_concurrency": 3, **said}


def test_options_of_an_engine_among_a_callers_stay() -> None:
    options = EngineOptions.of(EngineOptions(slice_size=2, stored_above=10), stored_above=10)
    assert options.model_dump(exclude_unset=True) == {"slice_size": 2, "stored_above": 10}
