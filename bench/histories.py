"""How large the histories of a run's workflows are, without reading any."""

from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecution


@dataclass(frozen=True)
class History:
    """One workflow's history; a workflow that continues as new has several."""

    id: str
    type: str
    events: int
    size: int
    """Bytes."""


async def history_of(client: Client, workflow: WorkflowExecution) -> History:
    handle = client.get_workflow_handle(workflow.id, run_id=workflow.run_id)
    info = (await handle.describe()).raw_description.workflow_execution_info
    return History(workflow.id, workflow.workflow_type, info.history_length, info.history_size_bytes)


async def histories(client: Client, workflow_id: str, *, leaf: str, leaves: int = 100) -> list[History]:
    """The histories of a workflow and all those below it, as far as visibility has them.

    Args:
        client: of their server.
        workflow_id: the root; the ids below start with it.
        leaf: the type of the many small ones, of which only some are looked at.
        leaves: how many.
    """
    tree = f"(WorkflowId = '{workflow_id}' OR WorkflowId STARTS_WITH '{workflow_id}/')"
    found = [
        await history_of(client, workflow)
        async for workflow in client.list_workflows(f"{tree} AND WorkflowType != '{leaf}'")
    ]
    some = client.list_workflows(f"{tree} AND WorkflowType = '{leaf}'", limit=leaves)
    return found + [await history_of(client, workflow) async for workflow in some]
