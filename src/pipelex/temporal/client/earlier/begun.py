"""What a closed workflow's history began, what of it succeeded, and where it could be reset."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.temporal.client.events import CHILD_ENDS, told_by

_Id = tuple[str, str]
"""The id of a child's workflow, and that of its first run; the latter is empty where it never began."""


@dataclass
class Begun:
    """The work that a history began and did not see succeed.

    What the history leaves open did not succeed either: a workflow that is terminated or times out ends its children
    and activities without an event, and after a reset would wait for them for ever.
    """

    last_task: int | None = None
    """Id of the last workflow task that completed."""
    last_success: int = 0
    """Id of the last event that tells a child's or an activity's result."""
    cancelled_at: int | None = None
    """Id of the request that cancelled the workflow."""
    unsuccessful: dict[int, int] = field(default_factory=dict[int, int])
    """Id of the event that began a child or an activity → that of the workflow task which decided it."""
    children: dict[int, _Id] = field(default_factory=dict[int, _Id])
    """Id of the event that began a child which did not succeed → the child."""
    goes_on: bool = False
    """Whether the workflow went on in a new run."""
    open: set[int] = field(default_factory=set[int])
    """Ids of the events that began the children which have not ended."""

    def read(self, event: HistoryEvent) -> None:
        """Take note of the next event."""
        reading = _READING.get(event.event_type)
        if reading is not None:
            reading(self, event)

    @property
    def reset_point(self) -> int | None:
        """The workflow task whose commands began what did not succeed; the last one when all that was begun succeeded.

        None when no task completed.
        """
        return min(self.unsuccessful.values(), default=self.last_task)

    @property
    def is_lost_by_reset(self) -> bool:
        """Whether a reset drops results that the history tells, or keeps the request that cancelled the workflow."""
        point = self.reset_point
        return (
            point is None or self.last_success > point or (self.cancelled_at is not None and self.cancelled_at < point)
        )

    @property
    def has_results(self) -> bool:
        """Whether anything that was begun gave a result, here or in an earlier run of the same workflow."""
        return self.last_success > 0 or self.goes_on

    @property
    def open_children(self) -> list[str]:
        """The ids of the children that have not ended."""
        return [id_ for began, (id_, _) in self.children.items() if began in self.open]

    def _task_completed(self, event: HistoryEvent) -> None:
        self.last_task = event.event_id

    def _cancel_requested(self, event: HistoryEvent) -> None:
        self.cancelled_at = self.cancelled_at or event.event_id

    def _child_initiated(self, event: HistoryEvent) -> None:
        child = event.start_child_workflow_execution_initiated_event_attributes
        self.unsuccessful[event.event_id] = child.workflow_task_completed_event_id
        self.children[event.event_id] = (child.workflow_id, "")
        self.open.add(event.event_id)

    def _child_started(self, event: HistoryEvent) -> None:
        child = event.child_workflow_execution_started_event_attributes
        self.children[child.initiated_event_id] = (
            child.workflow_execution.workflow_id,
            child.workflow_execution.run_id,
        )

    def _child_completed(self, event: HistoryEvent) -> None:
        self._succeeded(event, event.child_workflow_execution_completed_event_attributes.initiated_event_id)

    def _child_closed(self, event: HistoryEvent) -> None:
        self.open.discard(told_by(event).initiated_event_id)

    def _activity_scheduled(self, event: HistoryEvent) -> None:
        activity = event.activity_task_scheduled_event_attributes
        self.unsuccessful[event.event_id] = activity.workflow_task_completed_event_id

    def _activity_completed(self, event: HistoryEvent) -> None:
        self._succeeded(event, event.activity_task_completed_event_attributes.scheduled_event_id)

    def _continued(self, event: HistoryEvent) -> None:
        self.goes_on = True

    def _succeeded(self, event: HistoryEvent, began: int) -> None:
        self.last_success = event.event_id
        self.unsuccessful.pop(began, None)
        self.children.pop(began, None)
        self.open.discard(began)


_READING: Final[Mapping[int, Callable[[Begun, HistoryEvent], None]]] = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: Begun._task_completed,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: Begun._cancel_requested,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: Begun._child_initiated,
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: Begun._child_started,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: Begun._activity_scheduled,
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: Begun._activity_completed,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: Begun._continued,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: Begun._child_closed,
    **dict.fromkeys(CHILD_ENDS, Begun._child_closed),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: Begun._child_completed,
}


async def read_begun(client: Client, workflow_id: str, execution: str | None) -> Begun:
    """What a closed workflow's history began.

    Raises:
        RPCError: the server does not give it.
    """
    begun = Begun()
    async for event in _events(client, workflow_id, execution):
        begun.read(event)
    return begun


@dataclass(frozen=True)
class Below:
    """What is known of the pipes that did not succeed, from their own histories."""

    open: Sequence[str]
    """The ids of the workflows that have not ended, at any depth."""
    has_results: bool
    """Whether one of them has results, which would be asked for again if it began anew."""


async def read_below(client: Client, begun: Begun) -> Below:
    """Read the histories of the children that did not succeed, and of theirs."""
    still_open = begun.open_children
    has_results = False
    for id_, execution in begun.children.values():
        if not execution:
            continue
        try:
            child = await read_begun(client, id_, execution)
        except RPCError:  # the server does not keep it any more: nothing is known of it
            continue
        below = await read_below(client, child)
        still_open.extend(below.open)
        has_results = has_results or child.has_results or below.has_results
    return Below(still_open, has_results)


def _events(client: Client, workflow_id: str, execution: str | None) -> AsyncIterator[HistoryEvent]:
    return client.get_workflow_handle(workflow_id, run_id=execution).fetch_history_events()
