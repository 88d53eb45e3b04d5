"""Finds the work that a closed workflow began, the part that succeeded, and the point to which it could be reset."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.temporal.client.events import CHILD_ENDS, told_by

_Id = tuple[str, str]
"""The id of a child's workflow, and the id of the workflow's first run, which is empty if the child never started."""


@dataclass
class Begun:
    """The children and activities that a workflow began, without those that succeeded.

    Work that the history leaves open counts as unsuccessful. A workflow that is terminated or times out ends its
    children and activities without an event, and after a reset it would wait for them forever.
    """

    last_task: int | None = None
    """The event id of the last completed workflow task; None if no task completed."""
    last_success: int = 0
    """The id of the last event with the result of a child or an activity; 0 if there is none."""
    cancelled_at: int | None = None
    """The event id of the first request to cancel the workflow; None if there is none."""
    unsuccessful: dict[int, int] = field(default_factory=dict[int, int])
    """Id of the event that began a child or an activity → the event id of the workflow task that asked for it."""
    children: dict[int, _Id] = field(default_factory=dict[int, _Id])
    """Id of the event that began an unsuccessful child → the child."""
    goes_on: bool = False
    """Whether the workflow continued as a new run."""
    open: set[int] = field(default_factory=set[int])
    """The ids of the events that began children that have not ended."""

    def read(self, event: HistoryEvent) -> None:
        """Take note of the next event."""
        reading = _READING.get(event.event_type)
        if reading is not None:
            reading(self, event)

    @property
    def reset_point(self) -> int | None:
        """The event id of the workflow task to which the workflow could be reset; None if no task completed.

        It is the first task whose commands began unsuccessful work, or the last task if all work succeeded.
        """
        return min(self.unsuccessful.values(), default=self.last_task)

    @property
    def is_lost_by_reset(self) -> bool:
        """Whether a reset is impossible, would drop results in the history, or would keep a request to cancel."""
        point = self.reset_point
        return (
            point is None or self.last_success > point or (self.cancelled_at is not None and self.cancelled_at < point)
        )

    @property
    def has_results(self) -> bool:
        """Whether any work has a result; a workflow that continued as a new run counts as having one."""
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
    """Read the work that a closed workflow began from its history.

    Raises:
        RPCError: the server does not return the history.
    """
    begun = Begun()
    async for event in _events(client, workflow_id, execution):
        begun.read(event)
    return begun


@dataclass(frozen=True)
class Below:
    """The facts about unsuccessful pipes that are known from their own histories."""

    open: Sequence[str]
    """The ids of the workflows that have not ended, at any depth."""
    has_results: bool
    """Whether an unsuccessful pipe has results, which would be computed again if it started over."""


async def read_below(client: Client, begun: Begun) -> Below:
    """Read the histories of the unsuccessful children, and of their unsuccessful children."""
    still_open = begun.open_children
    has_results = False
    for id_, execution in begun.children.values():
        if not execution:
            continue
        try:
            child = await read_begun(client, id_, execution)
        except RPCError:  # the server no longer has the history
            continue
        below = await read_below(client, child)
        still_open.extend(below.open)
        has_results = has_results or child.has_results or below.has_results
    return Below(still_open, has_results)


def _events(client: Client, workflow_id: str, execution: str | None) -> AsyncIterator[HistoryEvent]:
    return client.get_workflow_handle(workflow_id, run_id=execution).fetch_history_events()
