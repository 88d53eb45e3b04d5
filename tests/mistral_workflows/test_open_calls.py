"""Which calls of a run have not told their end, as its events tell."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipelex.mistral_workflows.earlier.open_calls import OpenCalls
from pipelex.mistral_workflows.progress import CALL_TASK

Event = dict[str, Any]


def event(kind: str, run: str = "first", **attributes: Any) -> Event:
    return {"workflow_exec_id": "run-1", "workflow_run_id": run, "event_type": kind, "attributes": attributes}


def activity(kind: str, id_: str = "1", name: str = "act_llm_gen_text", run: str = "first") -> Event:
    return event(f"ACTIVITY_TASK_{kind}", run, task_id=id_, activity_name=name)


def attempt(kind: str, number: int = 1, id_: str = "1") -> Event:
    state = {"type": "json", "value": {"call": f"first:{id_}", "attempt": number}}
    payload = state if kind == "STARTED" else None
    return event(f"CUSTOM_TASK_{kind}", custom_task_id=f"{id_}-{number}", custom_task_type=CALL_TASK, payload=payload)


BEGUN, ATTEMPTED = activity("STARTED"), attempt("STARTED")


def cases() -> Iterator[Any]:
    yield pytest.param([BEGUN], 1, id="begun")
    yield pytest.param([BEGUN, ATTEMPTED, attempt("COMPLETED")], 1, id="its result is on its way")
    yield pytest.param([BEGUN, ATTEMPTED, attempt("COMPLETED"), activity("COMPLETED")], 0, id="answered")
    yield pytest.param([BEGUN, ATTEMPTED, attempt("FAILED")], 0, id="cancelled, of which the SDK sends no event")
    yield pytest.param([BEGUN, ATTEMPTED, attempt("FAILED"), activity("RETRYING")], 0, id="failed")
    yield pytest.param([BEGUN, activity("RETRYING")], 0, id="failed before its attempt told of itself")
    second = [BEGUN, ATTEMPTED, attempt("STARTED", 2), attempt("FAILED"), activity("RETRYING")]
    yield pytest.param(second, 1, id="given up while a second attempt goes on")
    yield pytest.param([*second, activity("COMPLETED")], 0, id="answered by the second")
    yield pytest.param([ATTEMPTED], 1, id="the event of its beginning was lost")
    yield pytest.param([activity("STARTED", name="act_llm_gen_text__my_backend")], 1, id="with a rate")
    yield pytest.param([activity("STARTED", name="pipelex_put_value")], 0, id="no call")
    yield pytest.param([BEGUN, activity("STARTED", "2"), activity("COMPLETED", "2")], 1, id="one of two")
    yield pytest.param([BEGUN, activity("STARTED", run="retry")], 1, id="begun again by a retry")
    yield pytest.param([BEGUN, activity("STARTED", run="retry"), activity("COMPLETED", run="retry")], 0, id="retried")


@pytest.mark.parametrize(("events", "count"), [*cases()])
def test_open_calls(events: list[Event], count: int) -> None:
    calls = OpenCalls()
    for each in events:
        calls.read(each)
    assert len(calls) == count
