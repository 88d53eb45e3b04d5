"""Which activities of a run wait for a worker that is not there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.temporal.submit import is_polled

WORKFLOWS_LOOKED_AT: Final = 20
"""A large batch waits for the same few queues in all of its workflows."""


@dataclass(frozen=True, slots=True)
class UnservedQueue:
    """A queue that activities of a run wait in and that no worker polls for activities."""

    queue: str
    activity: str
    """One of those that wait there."""


async def unserved_queues(client: Client, query: str, patience: timedelta) -> list[UnservedQueue]:
    """The queues in which activities of some running workflows have waited in vain.

    Args:
        client: of the run's namespace.
        query: the visibility query that finds the run's workflows.
        patience: how long an activity may wait before it counts.
    """
    waiting: dict[str, str] = {}
    before = datetime.now(UTC) - patience
    running = f"({query}) AND ExecutionStatus = 'Running'"
    async for execution in client.list_workflows(running, limit=WORKFLOWS_LOOKED_AT):
        try:
            description = await client.get_workflow_handle(execution.id, run_id=execution.run_id).describe()
        except RPCError:  # it ended in between
            continue
        for activity in description.raw_description.pending_activities:
            is_waiting = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
            if is_waiting and activity.scheduled_time.ToDatetime(UTC) < before:
                waiting.setdefault(activity.activity_options.task_queue.name, activity.activity_type.name)
    return [
        UnservedQueue(queue, activity)
        for queue, activity in waiting.items()
        if queue and not await is_polled(client, queue, "activity")
    ]
