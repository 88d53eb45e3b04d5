"""Running an unsuccessful run again from where it failed."""

import uuid
from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.service import RPCError

from pipelex.errors import ErrorCategory, PipelexError

if TYPE_CHECKING:
    from pipelex.runner._durable import Durable


async def retry(durable: "Durable", run_id: str) -> None:
    """Reset a run's entry workflow to the point before its first unsuccessful child or activity.

    Raises:
        PipelexError: there is no such run, it goes on or succeeded, or the server refuses.
    """
    handle = await durable.attach(run_id)
    status = await handle.status()
    if status in ("RUNNING", "COMPLETED"):
        code = "run.not_finished" if status == "RUNNING" else "run.already_ended"
        params = {"pipeline_run_id": run_id}
        raise PipelexError(
            code,
            f"run '{run_id}' {'goes on' if status == 'RUNNING' else 'succeeded'}: there is nothing to retry",
            category=ErrorCategory.CONTENT,
            params=params if status == "RUNNING" else {**params, "run_status": status},
        )
    workflow = durable.client.get_workflow_handle(handle.workflow_id)
    described = await workflow.describe()
    events = [event async for event in workflow.fetch_history_events()]
    point = reset_point(events)
    if point is None:
        raise PipelexError(
            "run.already_ended",
            f"run '{run_id}' never began: start it anew",
            category=ErrorCategory.CONTENT,
            params={"pipeline_run_id": run_id, "run_status": status},
        )
    request = ResetWorkflowExecutionRequest(
        namespace=durable.client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.workflow_id, run_id=described.run_id or ""),
        reason="pipelex runs retry",
        workflow_task_finish_event_id=point,
        request_id=str(uuid.uuid4()),
        # The request that cancelled the run would cancel it again.
        reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST],
    )
    try:
        await durable.client.workflow_service.reset_workflow_execution(request)
    except RPCError as refused:
        raise PipelexError(
            "runtime.unavailable",
            f"Temporal refused to restart run '{run_id}': {refused.message}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "temporal"},
        ) from None


def reset_point(events: list[HistoryEvent]) -> int | None:
    """The workflow task whose commands began what did not succeed; the last one when nothing failed by itself.

    Returns:
        The id of a completed workflow task's event, or None when none completed.
    """
    decided: dict[int, int] = {}
    unsuccessful: list[int] = []
    last: int | None = None
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                last = event.event_id
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = event.start_child_workflow_execution_initiated_event_attributes
                decided[event.event_id] = child.workflow_task_completed_event_id
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                activity = event.activity_task_scheduled_event_attributes
                decided[event.event_id] = activity.workflow_task_completed_event_id
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
                unsuccessful.append(event.start_child_workflow_execution_failed_event_attributes.initiated_event_id)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
                unsuccessful.append(event.child_workflow_execution_failed_event_attributes.initiated_event_id)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
                unsuccessful.append(event.child_workflow_execution_timed_out_event_attributes.initiated_event_id)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
                unsuccessful.append(event.child_workflow_execution_canceled_event_attributes.initiated_event_id)
            case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
                unsuccessful.append(event.child_workflow_execution_terminated_event_attributes.initiated_event_id)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                unsuccessful.append(event.activity_task_failed_event_attributes.scheduled_event_id)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                unsuccessful.append(event.activity_task_timed_out_event_attributes.scheduled_event_id)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
                unsuccessful.append(event.activity_task_canceled_event_attributes.scheduled_event_id)
            case _:
                pass
    points = [decided[initiated] for initiated in unsuccessful if initiated in decided]
    return min(points, default=last)
