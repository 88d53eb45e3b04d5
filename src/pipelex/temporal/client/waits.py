"""Finds the waits of a run that may not end without help: missing workers, failing tasks and failing calls."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.durable.tries import failures_allowed
from pipelex.errors import ErrorReport
from pipelex.orchestration import Wait, WaitKind
from pipelex.orchestration.runs import failed_call
from pipelex.temporal.client.cluster import Version, is_polled, lacking_version, worker_command
from pipelex.temporal.worker.attempts import METHOD_TREE
from pipelex.temporal.workflow.failures import from_failure

WORKFLOWS_LOOKED_AT: Final = 20
"""The maximum number of running workflows to examine. In a large batch, all of them wait for the same few things."""
WORKFLOW_TASK: Final = "workflow task"
"""The subject of a wait for a workflow task; the subject of other waits is the name of an activity."""
_EVENTS_LOOKED_AT: Final = 20


async def waits_of(client: Client, run_id: str, workflow_id: str, query: str, patience: timedelta) -> list[Wait]:
    """The waits of a run.

    Args:
        client: a client of the run's namespace.
        run_id: the run.
        workflow_id: the run's entry workflow, which visibility may not know yet.
        query: the visibility query that finds the run's workflows.
        patience: the time that a task may stay in a queue before it counts as waiting.

    Raises:
        RPCError: there is no such run, or the server does not answer.
    """
    root = await client.get_workflow_handle(workflow_id).describe()
    running = [root.raw_description]
    ids: list[str] = []
    async for execution in client.list_workflows(
        f"({query}) AND ExecutionStatus = 'Running'", limit=WORKFLOWS_LOOKED_AT
    ):
        if execution.id != workflow_id:
            ids.append(execution.id)
    running += filter(None, await asyncio.gather(*(_described(client, id_) for id_ in ids)))
    looking = _Look(client, run_id, datetime.now(UTC) - patience)
    found = [wait for described in running for wait in await looking.at(described)]
    return await looking.with_pollers(found)


async def _described(client: Client, workflow_id: str) -> DescribeWorkflowExecutionResponse | None:
    try:
        return (await client.get_workflow_handle(workflow_id).describe()).raw_description
    except RPCError:  # the workflow has ended in the meantime
        return None


@dataclass(frozen=True)
class _Look:
    client: Client
    run_id: str
    before: datetime
    """The time before which a task must have entered its queue to count as waiting."""

    async def at(self, described: DescribeWorkflowExecutionResponse) -> list[Wait]:
        """The waits of one workflow. Whether workers poll the queue of a waiting task is checked by `with_pollers`."""
        try:
            failing = await self._failing_task(described)
        except RPCError:  # the workflow has ended in the meantime
            return []
        if failing is not None:
            return [failing]
        waits = [await self._call(described, activity) for activity in described.pending_activities]
        return [wait for wait in (self._untaken_task(described), *waits) if wait is not None]

    async def with_pollers(self, waits: Iterable[Wait]) -> list[Wait]:
        """The waits, with the reason for each wait in a queue. Calls in a queue that workers poll are left out."""
        polled: dict[tuple[str, str], bool] = {}
        found: list[Wait] = []
        for wait in waits:
            if wait.kind is not WaitKind.NOT_TAKEN or wait.queue is None:
                found.append(wait)
                continue
            kind = "workflow" if wait.what == WORKFLOW_TASK else "activity"
            if (wait.queue, kind) not in polled:
                polled[wait.queue, kind] = await is_polled(self.client, wait.queue, kind)
            is_call = kind == "activity"
            version = None if is_call else await lacking_version(self.client, wait.queue)
            if version is not None:
                found.append(_versionless(wait, wait.queue, version))
            elif not polled[wait.queue, kind]:
                found.append(_unserved(wait, wait.queue, self.client.namespace, is_call=is_call))
            elif not is_call:  # with many calls, it is normal that some wait
                found.append(wait)
        return found

    def _untaken_task(self, described: DescribeWorkflowExecutionResponse) -> Wait | None:
        task = described.pending_workflow_task
        if task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
            return None
        if _time(task.scheduled_time) > self.before:
            return None
        queue = described.execution_config.task_queue.name
        return Wait(
            WaitKind.NOT_TAKEN,
            described.workflow_execution_info.execution.workflow_id,
            WORKFLOW_TASK,
            f"The workers of the task queue '{queue}' are busy or have just ended.",
            f"Start another: {worker_command(queue)}",
            queue=queue,
            deadline=_deadline(described),
        )

    async def _failing_task(self, described: DescribeWorkflowExecutionResponse) -> Wait | None:
        """The wait for a workflow task that fails again and again, which is a worker's fault and never a pipe's."""
        task = described.pending_workflow_task
        execution = described.workflow_execution_info.execution
        failure = None if task.attempt < 2 else await _last_task_failure(self.client, execution)
        if failure is None:
            return None
        report = await _report(self.client, failure, f"a task of {execution.workflow_id}")
        repeated = (
            f"Temporal repeats it until it succeeds (attempt {task.attempt} is next); to give up: "
            f"pipelex runs terminate {self.run_id}"
        )
        return Wait(
            WaitKind.TASK_FAILS,
            execution.workflow_id,
            WORKFLOW_TASK,
            f"A worker cannot continue {execution.workflow_id}: {report.detail}.",
            "\n".join(filter(None, (report.advice, repeated))),
            attempt=task.attempt,
            deadline=_deadline(described),
            report=report,
        )

    async def _call(self, described: DescribeWorkflowExecutionResponse, activity: PendingActivityInfo) -> Wait | None:
        workflow_id = described.workflow_execution_info.execution.workflow_id
        name, queue = activity.activity_type.name, activity.activity_options.task_queue.name
        is_queued = activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        if is_queued and queue and _time(activity.scheduled_time) < self.before:
            return Wait(
                WaitKind.NOT_TAKEN,
                workflow_id,
                name,
                "",
                queue=queue,
                attempt=activity.attempt,
                deadline=_deadline(described, activity),
            )
        if not activity.HasField("last_failure"):
            return None
        report = await _report(self.client, activity.last_failure, f"activity '{name}'")
        until = _time(activity.next_attempt_schedule_time) if activity.HasField("next_attempt_schedule_time") else None
        failures = await _failures(self.client, activity)
        most = failures_allowed(activity.maximum_attempts) or None
        return Wait(
            WaitKind.CALL_FAILS,
            workflow_id,
            name,
            _words(name, workflow_id, report),
            report.advice,
            attempt=activity.attempt,
            until=until,
            failures=failures,
            most_failures=most,
            deadline=_deadline(described, activity),
            report=report,
        )


def _words(name: str, workflow_id: str, report: ErrorReport) -> str:
    if report.params.get("dependency") == METHOD_TREE:
        return f"{name} of {workflow_id} waits for a worker with the method's folder: {report.detail}"
    return failed_call(name, workflow_id, report)


async def _failures(client: Client, activity: PendingActivityInfo) -> int | None:
    """The number of a call's true failures, from the heartbeats of its last attempt; None if it is not known."""
    with suppress(Exception):  # this client does not have the key
        details = await client.data_converter.decode_wrapper(activity.heartbeat_details)
        if len(details) > 1 and isinstance(details[1], int):
            return details[1]
    return None


def _deadline(
    described: DescribeWorkflowExecutionResponse, activity: PendingActivityInfo | None = None
) -> datetime | None:
    """The time at which a workflow, or one of its calls, times out; None if it has no time limit."""
    info = described.workflow_extended_info
    stamps = [info.execution_expiration_time, info.run_expiration_time]
    if activity is not None:
        stamps.append(activity.expiration_time)
    return min((_time(stamp) for stamp in stamps if stamp.seconds > 0), default=None)


def _unserved(wait: Wait, queue: str, namespace: str, *, is_call: bool) -> Wait:
    if is_call:
        detail = f"{wait.what} waits in the task queue '{queue}', which no worker polls."
        advice = f"Start one with: {worker_command(queue, scope='runner')}"
    else:
        detail = f"No worker polls the task queue '{queue}' of namespace '{namespace}' yet."
        advice = f"Start one with: {worker_command(queue)}"
    return replace(wait, kind=WaitKind.NO_WORKER, detail=detail, advice=advice)


def _versionless(wait: Wait, queue: str, version: Version) -> Wait:
    return replace(
        wait,
        kind=WaitKind.NO_VERSION,
        detail=f"The workers of the task queue '{queue}' are of the deployment '{version.deployment_name}', build "
        f"'{version.build_id}', and none of its versions is current: Temporal gives them no run.",
        advice="Make it current: temporal worker deployment set-current-version --deployment-name "
        f"{version.deployment_name} --build-id {version.build_id} --yes",
    )


async def _last_task_failure(client: Client, execution: WorkflowExecution) -> Failure | None:
    """The last failure of a workflow's task; None if a task has succeeded since.

    Of several failures in a row, only the first has an event. Time-outs are skipped, because a task that lost its
    worker goes to another one.

    Raises:
        RPCError: there is no such workflow any more.
    """
    events = await client.workflow_service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace, execution=execution, maximum_page_size=_EVENTS_LOOKED_AT
        )
    )
    for event in events.history.events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return None
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            return event.workflow_task_failed_event_attributes.failure
    return None


async def _report(client: Client, failure: Failure, what: str) -> ErrorReport:
    try:
        error: BaseException = await client.data_converter.decode_failure(failure)
    except Exception as unreadable:  # this client does not have the key
        error = unreadable
    return from_failure(error, what=what).report


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)
