"""Events of histories, as far as several readers of histories ask the same of them."""

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
"""Events that tell a workflow of the end of a child."""


def told_by(event: HistoryEvent) -> Any:
    """The attributes of an event, whatever its type."""
    return getattr(event, event.WhichOneof("attributes") or "")
