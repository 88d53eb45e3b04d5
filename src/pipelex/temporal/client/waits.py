"""What a run waits for that does not come by itself: workers that are not there, tasks that fail over and over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.errors import PipelexError
from pipelex.temporal.client.submit import is_polled
from pipelex.temporal.workflow.failures import from_failure

WORKFLOWS_LOOKED_AT: Final = 20
"""A large batch waits for the same few things in all of its workflows."""
_EVENTS_LOOKED_AT: Final = 20


@dataclass(frozen=True, slots=True)
class UnservedQueue:
    """A queue that activities of a run wait in and that no worker polls for activities."""

    queue: str
    activity: str
    """One of those that wait there."""


@dataclass(frozen=True, slots=True)
class FailingTask:
    """A workflow task that failed and is repeated by the server until it succeeds.

    Failures of a pipe do not fail tasks. What does is the worker: its store or key of payloads, its release.
    """

    workflow_id: str
    attempt: int
    """The one to come."""
    error: PipelexError
    """What failed."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What running workflows wait for."""

    queues: list[UnservedQueue]
    tasks: list[FailingTask]


async def waits(client: Client, query: str, patience: timedelta) -> Waits:
    """What some running workflows wait for.

    Args:
        client: of the run's namespace.
        query: the visibility query that finds the run's workflows.
        patience: how long an activity may wait before it counts.
    """
    waiting: dict[str, str] = {}
    tasks: list[FailingTask] = []
    before = datetime.now(UTC) - patience
    running = f"({query}) AND ExecutionStatus = 'Running'"
    async for execution in client.list_workflows(running, limit=WORKFLOWS_LOOKED_AT):
        try:
            described = await client.get_workflow_handle(execution.id, run_id=execution.run_id).describe()
            task = await failing_task(client, described.raw_description)
        except RPCError:  # it ended in between
            continue
        waiting = {**_waiting_activities(described.raw_description, before), **waiting}
        if task is not None:
            tasks.append(task)
    unserved = [
        UnservedQueue(queue, activity)
        for queue, activity in waiting.items()
        if queue and not await is_polled(client, queue, "activity")
    ]
    return Waits(unserved, tasks)


def _waiting_activities(described: DescribeWorkflowExecutionResponse, before: datetime) -> dict[str, str]:
    """Queue → one of the activities that have waited in it."""
    return {
        activity.activity_options.task_queue.name: activity.activity_type.name
        for activity in described.pending_activities
        if activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        and activity.scheduled_time.ToDatetime(UTC) < before
    }


async def failing_task(client: Client, described: DescribeWorkflowExecutionResponse) -> FailingTask | None:
    """The task of a workflow that fails over and over; None where none does.

    Args:
        client: of its namespace.
        described: the workflow.

    Raises:
        RPCError: there is no such workflow any more.
    """
    task = described.pending_workflow_task
    if task.attempt < 2:
        return None
    execution = described.workflow_execution_info.execution
    events = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=execution.workflow_id, run_id=execution.run_id),
            maximum_page_size=_EVENTS_LOOKED_AT,
        )
    )
    # Only the first failure of a row has an event; a task that timed out has lost its worker, and gets another.
    for event in events.history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return None
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failure = event.workflow_task_failed_event_attributes.failure
            try:
                error = await client.data_converter.decode_failure(failure)
            except Exception as unreadable:  # this client has not the key
                error = unreadable
            return FailingTask(
                execution.workflow_id, task.attempt, from_failure(error, what=f"a task of {execution.workflow_id}")
            )
    return None
