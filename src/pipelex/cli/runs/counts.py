"""How many pipes of a run on Temporal are in which state, without reading their histories."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temporalio.client import Client

    from pipelex.temporal.config import TemporalConfig

_PATIENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Pipes of a run by state."""

    running: int = 0
    completed: int = 0
    failed: int = 0
    """Failed, cancelled, terminated or timed out."""


def run_query(config: "TemporalConfig", run_id: str, workflow_id: str) -> str:
    """The visibility query that finds all workflows of a run."""
    attributes = config.search_attributes
    if attributes.enabled and "PipelineRunId" in attributes.attributes:
        return f"PipelineRunId = {quoted(run_id)}"
    return f"WorkflowId = {quoted(workflow_id)} OR WorkflowId STARTS_WITH {quoted(workflow_id + '/')}"


def quoted(text: str) -> str:
    """A string of a visibility query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


async def count_pipes(client: "Client", query: str) -> RunCounts | None:
    """The counts; None when the server cannot tell."""
    from temporalio.service import RPCError

    try:
        found = await client.count_workflows(f"({query}) GROUP BY ExecutionStatus", rpc_timeout=_PATIENCE)
    except RPCError:
        return None
    numbers = {_name(group.group_values): group.count for group in found.groups}
    running, completed = numbers.pop("Running", 0), numbers.pop("Completed", 0)
    return RunCounts(running, completed, sum(numbers.values()))


def _name(values: Any) -> str:
    return str(values[0]) if values else ""
