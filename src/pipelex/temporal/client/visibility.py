"""Finds and counts the workflows of runs by visibility queries, without reading their histories."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from pipelex.durable.jobs import SLICE_WORKFLOW
from pipelex.errors import ErrorCategory
from pipelex.language.blueprints import PipeSignatureBlueprint
from pipelex.orchestration import EngineUnavailable, RunCounts, RunDescription, RunFilter, RunState
from pipelex.orchestration.refusals import unsupported
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.usage import cost_of, usages_from_json
from pipelex.temporal.client.attributes import condition, own_attributes
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.starting import REPLAY_OF
from pipelex.temporal.config.catalog import WORKFLOWS
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.failures import from_failure

_PATIENCE: Final = timedelta(seconds=5)
_PAGE: Final = 200

_STATES: Final = {
    WorkflowExecutionStatus.RUNNING: RunState.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: RunState.RUNNING,
    WorkflowExecutionStatus.COMPLETED: RunState.COMPLETED,
    WorkflowExecutionStatus.FAILED: RunState.FAILED,
    WorkflowExecutionStatus.CANCELED: RunState.CANCELLED,
    WorkflowExecutionStatus.TERMINATED: RunState.TERMINATED,
    WorkflowExecutionStatus.TIMED_OUT: RunState.TIMED_OUT,
}

_QUERIED: Final = {
    RunState.RUNNING: "Running",
    RunState.COMPLETED: "Completed",
    RunState.FAILED: "Failed",
    RunState.CANCELLED: "Canceled",
    RunState.TERMINATED: "Terminated",
    RunState.TIMED_OUT: "TimedOut",
}


def state_of(status: WorkflowExecutionStatus | None) -> RunState:
    """The state of a run from its entry workflow's status; a status that this SDK does not know counts as running."""
    return RunState.RUNNING if status is None else _STATES.get(status, RunState.RUNNING)


def run_query(cluster: Cluster, run_id: str, workflow_id: str) -> str:
    """The visibility query that finds all workflows of a run."""
    attributes = cluster.config.search_attributes
    by_id = f"WorkflowId = {quoted(workflow_id)} OR WorkflowId STARTS_WITH {quoted(workflow_id + '/')}"
    if attributes.enabled and "PipelineRunId" in attributes.attributes:
        # A run that another SDK started may have no attributes.
        return f"(PipelineRunId = {quoted(run_id)} OR {by_id})"
    return f"({by_id})"


def quoted(text: str) -> str:
    """A text as a string literal of a visibility query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


async def count_pipes(client: Client, query: str) -> RunCounts | None:
    """The number of pipes in each state, of those with their own workflows; None if the server cannot count them."""
    pipes = f"({query}) AND WorkflowType != '{SLICE_WORKFLOW}'"
    try:
        found = await client.count_workflows(f"{pipes} GROUP BY ExecutionStatus", rpc_timeout=_PATIENCE)
    except RPCError:
        return None
    numbers = {_first(group.group_values): group.count for group in found.groups}
    running, completed = numbers.pop("Running", 0), numbers.pop("Completed", 0)
    return RunCounts(running, completed, sum(numbers.values()))


def _first(values: Any) -> str:
    return str(values[0]) if values else ""


async def list_runs(cluster: Cluster, wanted: RunFilter) -> list[RunDescription]:
    """The newest runs of the namespace.

    Raises:
        EngineUnavailable: the server cannot list workflows.
        PipelexError: an attribute of the filter is not declared, a value does not fit its type, or the filter needs a
            search attribute that runs do not carry with these settings.
    """
    query = _query(cluster, wanted)
    found: list[RunDescription] = []
    known: set[str] = set()
    try:
        # The id of a root workflow has no slash. Servers that know the condition on parents select roots faster.
        async for run in cluster.client.list_workflows(f"{query} AND ParentWorkflowId IS NULL", page_size=_PAGE):
            if "/" in run.id or run.id in known or not await _is_latest(cluster.client, run, wanted):
                continue
            known.add(run.id)
            told = replace(described(cluster, run), replay_of=await replay_of(run))
            if wanted.cost_above is not None:
                told = replace(told, cost=await _cost(cluster.client, run))
            if wanted.takes(replace(told, attributes=wanted.attributes)):  # the server compared attributes
                found.append(told)
            if len(found) == wanted.limit:
                break
    except RPCError as failed:
        raise EngineUnavailable(
            "runtime.unavailable",
            f"the Temporal server cannot list runs: {failed.message}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "temporal"},
        ) from None
    return found


async def _is_latest(client: Client, run: WorkflowExecution, wanted: RunFilter) -> bool:
    """Whether an execution is the latest of its run, which may have been retried; only checked for an ended state."""
    if wanted.state in (None, RunState.RUNNING):
        return True
    return (await client.get_workflow_handle(run.id).describe()).run_id == run.run_id


def _query(cluster: Cluster, wanted: RunFilter) -> str:
    """The visibility query with the conditions that the server can check."""
    types = ", ".join(f"'{name}'" for name in (*WORKFLOWS, PipeSignatureBlueprint.type_name()))
    conditions = [f"WorkflowType IN ({types})"]
    if wanted.state is not None:
        conditions.append(f"ExecutionStatus = '{_QUERIED[wanted.state]}'")
    if wanted.since is not None:
        conditions.append(f"StartTime >= {quoted(wanted.since.isoformat())}")
    if wanted.prefix or cluster.id_prefix:
        conditions.append(f"WorkflowId STARTS_WITH {quoted(cluster.id_prefix + wanted.prefix)}")
    domain, _, code = (wanted.pipe or "").rpartition(".")
    for key, value in (
        (observability.PIPE_CODE, code),
        (observability.DOMAIN_CODE, wanted.domain or domain),
        (observability.USER_ID, wanted.user),
    ):
        if value:
            _require_carried(cluster, key.name)
            conditions.append(f"{key.name} = {quoted(value)}")
    conditions += [condition(cluster.config, name, value) for name, value in wanted.attributes.items()]
    return " AND ".join(conditions)


def _require_carried(cluster: Cluster, name: str) -> None:
    if name not in cluster.config.attached_attributes:
        raise unsupported(
            "filter",
            f"runs do not carry the search attribute {name}, by which they are to be chosen",
            f"Name it in `[temporal.search_attributes] attributes`, with `enabled = true`: later runs carry {name} then.",
        )


async def _cost(client: Client, run: WorkflowExecution) -> float | None:
    """The cost of an ended run's models, in US dollars, from its result or failure; None if it is not known."""
    if not state_of(run.status).has_ended:
        return None
    handle: WorkflowHandle[Any, PipeOutcome] = client.get_workflow_handle(
        run.id, run_id=run.run_id, result_type=PipeOutcome
    )
    try:
        return cost_of((await handle.result(follow_runs=False)).usage)
    except WorkflowFailureError as failed:
        return cost_of(usages_from_json(from_failure(failed.cause, what="the run").report.usage))
    except RuntimeError:  # the result is stored or encrypted, and cannot be read here
        return None


async def replay_of(run: WorkflowExecution) -> str | None:
    """The id of the run that a run replays; None if it replays none, or its memo cannot be read."""
    try:
        found: str | None = await run.memo_value(REPLAY_OF, None, type_hint=str)
    except Exception:  # this client lacks the key of its memo
        return None
    return found


def described(cluster: Cluster, run: WorkflowExecution, pipe: str | None = None) -> RunDescription:
    """The description of a run, from its entry workflow.

    Args:
        cluster: the cluster that the run is on.
        run: the entry workflow.
        pipe: the entry pipe's reference, for workflows without search attributes that name it.
    """
    attributes = run.typed_search_attributes
    names = (attributes.get(observability.DOMAIN_CODE), attributes.get(observability.PIPE_CODE))
    return RunDescription(
        run_id=run.id.removeprefix(cluster.id_prefix),
        workflow_id=run.id,
        pipe=".".join(filter(None, names)) or pipe or "",
        pipe_type=run.workflow_type,
        state=state_of(run.status),
        started=run.start_time,
        ended=run.close_time,
        place=f"namespace {cluster.client.namespace}",
        user=attributes.get(observability.USER_ID),
        attributes=own_attributes(cluster.config, run.typed_search_attributes),
        link=cluster.link(run.id),
        unlinked=cluster.unlinked,
    )
