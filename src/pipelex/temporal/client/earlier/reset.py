"""Going on with an unsuccessful run from where it failed: a reset of its entry workflow."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError

from pipelex.errors import ErrorCategory
from pipelex.orchestration import EngineUnavailable, RunState
from pipelex.orchestration.refusals import goes_on, has_ended
from pipelex.temporal.client.visibility import state_of

_REASON: Final = "pipelex runs retry"
_CLOSING_SECONDS: Final = 15.0
"""The time that children get to end after their parent did: the server ends them by itself, one after another."""
_LOOK_SECONDS: Final = 0.2


async def retry_run(client: Client, run_id: str, execution: WorkflowExecutionDescription) -> None:
    """Reset a run's entry workflow to the point before its first unsuccessful child or activity.

    Args:
        client: a client of the run's namespace.
        run_id: the run.
        execution: its entry workflow.

    Raises:
        PipelexError: the run goes on, succeeded or never began, or its pipes have not ended yet.
        EngineUnavailable: the server refuses.
    """
    state = state_of(execution.status)
    if not state.has_ended:
        raise goes_on(run_id)
    if state is RunState.COMPLETED:
        raise has_ended(run_id, state, f"run '{run_id}' succeeded: there is nothing to retry")
    begun = await _begun_by(client, execution)
    point = begun.reset_point
    if point is None:
        raise has_ended(run_id, state, f"run '{run_id}' never began: start it anew")
    await _until_closed(client, run_id, begun.open_children)
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=execution.id, run_id=execution.run_id),
        reason=_REASON,
        workflow_task_finish_event_id=point,
        request_id=str(uuid.uuid4()),
        # The request that cancelled the run would cancel it again.
        reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST],
    )
    try:
        await client.workflow_service.reset_workflow_execution(request)
    except RPCError as refused:
        raise EngineUnavailable(
            "runtime.unavailable",
            f"Temporal refused to restart run '{run_id}': {refused.message}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "temporal"},
        ) from None


async def until_closed(client: Client, run_id: str, execution: WorkflowExecutionDescription) -> None:
    """Wait until the children have ended that an entry workflow left behind: their ids are used again.

    Raises:
        PipelexError: one has not ended in time.
    """
    await _until_closed(client, run_id, (await _begun_by(client, execution)).open_children)


async def _begun_by(client: Client, execution: WorkflowExecutionDescription) -> "_Begun":
    begun = _Begun()
    async for event in client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history_events():
        begun.read(event)
    return begun


def reset_point(events: Iterable[HistoryEvent]) -> int | None:
    """The workflow task whose commands began what did not succeed; the last one when all that was begun succeeded.

    What the history leaves open did not succeed either: a workflow that is terminated or times out ends its children
    and activities without an event, and after a reset would wait for them for ever.

    Args:
        events: a closed workflow's history.

    Returns:
        The id of a completed workflow task's event, or None when none completed.
    """
    begun = _Begun()
    for event in events:
        begun.read(event)
    return begun.reset_point


@dataclass
class _Begun:
    """The work that a history began and did not see succeed."""

    last_task: int | None = None
    unsuccessful: dict[int, int] = field(default_factory=dict[int, int])
    """Id of the event that began a child or an activity → that of the workflow task which decided it."""
    children: dict[int, str] = field(default_factory=dict[int, str])
    """Id of the event that began a child which has not ended → its workflow id."""

    def read(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                self.last_task = event.event_id
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                self.unsuccessful[event.event_id] = child.workflow_task_completed_event_id
                self.children[event.event_id] = child.workflow_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                activity = event.activity_task_scheduled_event_attributes
                self.unsuccessful[event.event_id] = activity.workflow_task_completed_event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                self.unsuccessful.pop(event.activity_task_completed_event_attributes.scheduled_event_id, None)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
                initiated = event.child_workflow_execution_completed_event_attributes.initiated_event_id
                self.unsuccessful.pop(initiated, None)
                self.children.pop(initiated, None)
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
                self.children.pop(event.start_child_workflow_execution_failed_event_attributes.initiated_event_id, None)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
                self.children.pop(event.child_workflow_execution_failed_event_attributes.initiated_event_id, None)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
                self.children.pop(event.child_workflow_execution_timed_out_event_attributes.initiated_event_id, None)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
                self.children.pop(event.child_workflow_execution_canceled_event_attributes.initiated_event_id, None)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
                self.children.pop(event.child_workflow_execution_terminated_event_attributes.initiated_event_id, None)
            case _:
                pass

    @property
    def reset_point(self) -> int | None:
        return min(self.unsuccessful.values(), default=self.last_task)

    @property
    def open_children(self) -> Sequence[str]:
        return tuple(self.children.values())


async def _until_closed(client: Client, run_id: str, children: Sequence[str]) -> None:
    """Wait until the children have ended that a workflow left behind: their ids are used again.

    Raises:
        PipelexError: one has not ended in time.
    """
    deadline = asyncio.get_running_loop().time() + _CLOSING_SECONDS
    for child in children:
        while await _is_running(client, child):
            if asyncio.get_running_loop().time() > deadline:
                advice = f"Wait for its end, or end it: temporal workflow terminate --workflow-id '{child}'"
                raise goes_on(run_id, detail=f"run '{run_id}' has ended, and its pipe '{child}' not yet", advice=advice)
            await asyncio.sleep(_LOOK_SECONDS)


async def _is_running(client: Client, workflow_id: str) -> bool:
    try:
        return not state_of((await client.get_workflow_handle(workflow_id).describe()).status).has_ended
    except RPCError:  # it never began
        return False
