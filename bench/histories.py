"""The sizes of the histories of a run's workflows, from their descriptions; no history is read."""

import asyncio
from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecution

_AT_ONCE = 16
"""The number of workflows that are described at a time."""


@dataclass(frozen=True)
class History:
    """One workflow's history; a workflow that continues as new has several."""

    id: str
    type: str
    events: int
    size: int
    """The size of the history, in bytes."""


async def history_of(client: Client, workflow: WorkflowExecution) -> History:
    handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
    info = (await handle.describe()).raw_description.workflow_execution_info
    return History(workflow.id, workflow.workflow_type, info.history_length, info.history_size_bytes)


async def all_histories(client: Client, workflow_id: str) -> list[History]:
    """The histories of an ended workflow and of all workflows below it.

    Raises:
        RuntimeError: after a minute, some workflows are still running, or visibility still finds more.
    """
    tree = _tree(workflow_id)
    counted = 0
    for _ in range(240):  # visibility is a moment behind
        before, counted = counted, (await client.count_workflows(tree)).count
        running = (await client.count_workflows(f"{tree} AND ExecutionStatus = 'Running'")).count
        if counted > 0 and counted == before and running == 0:
            break
        await asyncio.sleep(0.25)
    else:
        raise RuntimeError(f"the workflows below {workflow_id} do not come to rest")
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(workflow: WorkflowExecution) -> History:
        async with limit:
            return await history_of(client, workflow)

    return await asyncio.gather(*[one(workflow) async for workflow in client.list_workflows(tree)])


def _tree(workflow_id: str) -> str:
    return f"(WorkflowId = '{workflow_id}' OR WorkflowId STARTS_WITH '{workflow_id}/')"


async def histories(client: Client, workflow_id: str, *, leaf: str, leaves: int = 100) -> list[History]:
    """The histories of a workflow and of all workflows below it, as far as visibility lists them.

    Args:
        client: a client of their server.
        workflow_id: the id of the root; the ids of the workflows below start with it.
        leaf: the type of the many small workflows; only some of them are looked at.
        leaves: the maximum number of small workflows to look at.
    """
    tree = _tree(workflow_id)
    found = [
        await history_of(client, workflow)
        async for workflow in client.list_workflows(f"{tree} AND WorkflowType != '{leaf}'")
    ]
    some = client.list_workflows(f"{tree} AND WorkflowType = '{leaf}'", limit=leaves)
    return found + [await history_of(client, workflow) async for workflow in some]
