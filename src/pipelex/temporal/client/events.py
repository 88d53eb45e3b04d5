"""Functions and tables on history events that several readers of histories share."""

from collections.abc import Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from pipelex.pipes.trace import RunState

CHILD_ENDS: Final[Mapping[int, RunState]] = {
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: RunState.COMPLETED,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: RunState.FAILED,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: RunState.CANCELLED,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: RunState.TIMED_OUT,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: RunState.TERMINATED,
}
"""Type of an event by which a parent's history records the end of a child → the child's state."""


def told_by(event: HistoryEvent) -> Any:
    """The attributes of an event, whatever its type."""
    return getattr(event, event.WhichOneof("attributes") or "")
