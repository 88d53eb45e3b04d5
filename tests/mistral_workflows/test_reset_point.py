"""The point to which a run is reset: what succeeded stays behind it, and no activity is under way at it."""

from collections.abc import Mapping
from typing import Any

import pytest

from pipelex.mistral_workflows.earlier.restart import reset_point

Event = Mapping[str, Any]


def history(*steps: str) -> list[Event]:
    """A history of workflow tasks (`task`), activities (`+a`), children (`*a`), their results (`=a`), and a cancel request.

    The id of an event is its place, so that a point is the place of its task.
    """
    events: list[Event] = []
    began: dict[str, tuple[int, str]] = {}
    task = 0
    for number, step in enumerate(steps, 1):
        name, attributes = step[1:], {}
        match step[0]:
            case "+" | "*":
                kind = "ACTIVITY_TASK_SCHEDULED" if step[0] == "+" else "START_CHILD_WORKFLOW_EXECUTION_INITIATED"
                began[name], attributes = (number, step[0]), {"workflowTaskCompletedEventId": str(task)}
            case "=":
                is_activity = began[name][1] == "+"
                kind = "ACTIVITY_TASK_COMPLETED" if is_activity else "CHILD_WORKFLOW_EXECUTION_COMPLETED"
                attributes = {"scheduledEventId" if is_activity else "initiatedEventId": str(began[name][0])}
            case "t":
                kind, task = "WORKFLOW_TASK_COMPLETED", number
            case _:
                kind = "WORKFLOW_EXECUTION_CANCEL_REQUESTED"
        events.append({"eventId": str(number), "eventType": f"EVENT_TYPE_{kind}", "theAttributes": attributes})
    return events


@pytest.mark.parametrize(
    ("steps", "point"),
    [
        ("", None),
        ("task", 1),
        ("task +a =a task +b", 4),
        ("task +a =a task +b =b task", 7),
        ("task +a +b =a task +c", 1),
        ("task +a +b =a task +c =b task +d", 1),
        ("task +a +b =a =b task +c task +d", 6),
        # A window that slides is never shut: what was answered is found again by its call.
        ("task +a +b =a task +c =b task +d =c task +e", 1),
        ("task +a =a task +b +c =b task +d =c task +e", 4),
        # A child that was under way goes on by itself.
        ("task *a *b =a task *c =b task *d", 5),
        ("task *a +b =a task +c =b task *d", 1),
        ("task +a =a task *b cancel =b task", 4),
    ],
)
def test_reset_point(steps: str, point: int | None) -> None:
    assert reset_point(history(*steps.split())) == point
