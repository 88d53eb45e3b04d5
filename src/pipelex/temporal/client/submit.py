"""Starts a run on Temporal, or finds the one that already has the id."""

from collections.abc import Mapping

from temporalio.client import WorkflowExecutionDescription
from temporalio.exceptions import WorkflowAlreadyStartedError

from pipelex.orchestration import RunRequest, StartedRun
from pipelex.orchestration.refusals import id_is_taken, note_on
from pipelex.temporal.client.begin import begin
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.run import TemporalRun
from pipelex.temporal.client.starting import JOB_DIGEST, short_digest
from pipelex.temporal.client.visibility import state_of


async def submit(
    cluster: Cluster, request: RunRequest, *, task_queue: str | None = None, memo: Mapping[str, str] | None = None
) -> StartedRun:
    """Start an entry pipe, or attach to the run that has the same id and job.

    Args:
        cluster: the cluster that it runs on.
        request: the request to run.
        task_queue: the queue of its workflows; the configured one when None.
        memo: further entries of the entry workflow's memo.

    Raises:
        EngineUnavailable: the server refuses the start.
        PipelexError: the id belongs to a run with another job; or the request cannot be started, see `begin`.
    """
    started = TemporalRun(cluster, request.identity.run_id)
    try:
        await begin(cluster, request, task_queue=task_queue, memo=memo)
    except WorkflowAlreadyStartedError:
        return await _found(started, request.digest)
    return StartedRun(started)


async def _found(run: TemporalRun, digest: str) -> StartedRun:
    """The outcome of a start that found a run with the same id.

    Raises:
        PipelexError: that run has another job.
    """
    execution = await run.execution()
    if await _digest_of(execution) not in (None, short_digest(digest)):
        raise id_is_taken(run.run_id)
    state = state_of(execution.status)
    retry = f"Continue from where it failed: pipelex runs retry {run.run_id}. Or give another run id."
    return StartedRun(run, state, note_on(run.run_id, state, retry=retry))


async def _digest_of(execution: WorkflowExecutionDescription) -> str | None:
    """The digest of a run's job; None if its starter wrote none, or this client lacks the key of the memo."""
    try:
        found = await execution.memo_value(JOB_DIGEST, None, type_hint=str)
    except Exception:
        return None
    return short_digest(found) if isinstance(found, str) else None
