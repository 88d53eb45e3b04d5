"""Finding runs by visibility queries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pipelex.errors import ErrorCategory, Json, PipelexError

if TYPE_CHECKING:
    from temporalio.client import WorkflowExecution

    from pipelex.runner._durable import Durable

_STATUSES: Final = {
    "running": "Running",
    "completed": "Completed",
    "failed": "Failed",
    "canceled": "Canceled",
    "terminated": "Terminated",
    "timedout": "TimedOut",
}


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it."""

    run_id: str
    workflow_id: str
    pipe: str
    type: str
    status: str
    started: datetime
    ended: datetime | None

    @property
    def started_text(self) -> str:
        return f"{self.started.astimezone():%Y-%m-%d %H:%M:%S}"

    @property
    def duration_text(self) -> str:
        return duration((self.ended or datetime.now(UTC)) - self.started)

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {
            "pipeline_run_id": self.run_id,
            "workflow_id": self.workflow_id,
            "pipe_code": self.pipe,
            "pipe_type": self.type,
            "status": self.status,
            "created_at": self.started.isoformat(),
        }
        if self.ended is not None:
            found["finished_at"] = self.ended.isoformat()
        return found


def duration(time: timedelta) -> str:
    """A length of time for people."""
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


async def find_runs(durable: "Durable", status: str | None, limit: int) -> list[ListedRun]:
    """The newest runs of the namespace.

    Raises:
        PipelexError: the server cannot list workflows.
    """
    from temporalio.service import RPCError

    from pipelex.temporal.config.catalog import WORKFLOWS

    types = ", ".join(f"'{name}'" for name in (*WORKFLOWS, "PipeSignature"))
    query = f"WorkflowType IN ({types})"
    if status is not None:
        query += f" AND ExecutionStatus = '{_STATUSES[status]}'"
    prefix = durable.submitter.id_prefix
    found: list[ListedRun] = []
    try:
        # A root workflow's id has no slash; asking the server for roots is the quicker way where it knows how.
        async for run in durable.client.list_workflows(
            f"{query} AND ParentWorkflowId IS NULL", page_size=min(limit, 200)
        ):
            if "/" not in run.id:
                found.append(_listed(run, prefix))
            if len(found) == limit:
                break
    except RPCError as failed:
        raise PipelexError(
            "runtime.unavailable",
            f"the Temporal server cannot list runs: {failed.message}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "temporal"},
        ) from None
    return found


def _listed(run: "WorkflowExecution", prefix: str) -> ListedRun:
    from pipelex.temporal.workflow.observability import PIPE_CODE

    return ListedRun(
        run_id=run.id.removeprefix(prefix),
        workflow_id=run.id,
        pipe=run.typed_search_attributes.get(PIPE_CODE) or "",
        type=run.workflow_type,
        status=run.status.name if run.status is not None else "",
        started=run.start_time,
        ended=run.close_time,
    )
