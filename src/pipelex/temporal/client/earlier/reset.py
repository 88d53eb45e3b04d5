"""Continues an unsuccessful run in its own history, by a reset of its entry workflow."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError

from pipelex.errors import ErrorCategory
from pipelex.orchestration import EngineUnavailable
from pipelex.orchestration.refusals import goes_on
from pipelex.temporal.client.visibility import state_of

_REASON: Final = "pipelex runs retry"
_CLOSING_SECONDS: Final = 15.0
"""The time, in seconds, that children get to end after their parent. The server ends them itself, one after another."""
_LOOK_SECONDS: Final = 0.2


async def reset_run(client: Client, run_id: str, execution: WorkflowExecutionDescription, point: int) -> None:
    """Reset a run's entry workflow.

    Args:
        client: a client of the run's namespace.
        run_id: the run.
        execution: its entry workflow, which is closed.
        point: the event id of the completed workflow task that is repeated.

    Raises:
        EngineUnavailable: the server refuses.
    """
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


async def until_closed(client: Client, run_id: str, children: Sequence[str]) -> None:
    """Wait until the children that a workflow left behind have ended, because their ids will be used again.

    Raises:
        PipelexError: a child has not ended in time.
    """
    deadline = asyncio.get_running_loop().time() + _CLOSING_SECONDS
    for child in children:
        while await _is_running(client, child):
            if asyncio.get_running_loop().time() > deadline:
                advice = f"Wait for it to end, or end it: temporal workflow terminate --workflow-id '{child}'"
                raise goes_on(run_id, detail=f"run '{run_id}' has ended, but its pipe '{child}' has not", advice=advice)
            await asyncio.sleep(_LOOK_SECONDS)


async def _is_running(client: Client, workflow_id: str) -> bool:
    try:
        return not state_of((await client.get_workflow_handle(workflow_id).describe()).status).has_ended
    except RPCError:  # the child never started
        return False
