"""A run as a tree of pipes and activities, read from the server."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pipelex.cli._shared.console import Paint
from pipelex.cli._shared.failures import problem_text
from pipelex.cli._shared.results import cost_table
from pipelex.cli._shared.usage import model_json, usage_json
from pipelex.cli.runs.listing import duration
from pipelex.errors import ErrorReport, Json, PipelexError
from pipelex.pipes.trace import EffectTrace, PipeTrace

if TYPE_CHECKING:
    from pipelex.runner._durable import Durable

_MOST_DESCRIBED: Final = 50
"""Running pipes that are asked about their pending activities."""


@dataclass(frozen=True)
class Pending:
    """An activity, or a failing workflow task, that is not done, as the server knows it."""

    name: str
    attempt: int
    last_failure: str | None


@dataclass(frozen=True)
class RunView:
    """Everything `runs show` shows."""

    run_id: str
    workflow_id: str
    namespace: str
    status: str
    root: PipeTrace
    ui: str | None
    """Address in the web UI, where it is known."""
    error: ErrorReport | None = None
    pending: dict[str, list[Pending]] = field(default_factory=dict[str, list[Pending]])
    """Workflow id → its activities that are not done."""

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {
            "pipeline_run_id": self.run_id,
            "workflow_id": self.workflow_id,
            "namespace": self.namespace,
            "status": self.status,
            "usage": usage_json(self.root.usage),
            "trace": self._trace_json(self.root),
        }
        if self.ui is not None:
            found["ui"] = self.ui
        if self.error is not None:
            found["error"] = self.error.to_problem(self.run_id)
        return found

    def _trace_json(self, trace: PipeTrace) -> dict[str, Json]:
        found: dict[str, Json] = {
            "workflow_id": trace.id,
            "pipe": trace.pipe,
            "type": trace.type,
            "status": trace.status,
        }
        if trace.usage:
            found["usage"] = usage_json(trace.usage)
        found |= _times(trace.started, trace.ended)
        if trace.effects:
            found["activities"] = [
                {"name": effect.name, "summary": effect.summary, "status": effect.status, "attempts": effect.attempts}
                | ({"queue": effect.queue} if effect.queue is not None else {})
                | ({"usage": model_json(effect.usage)} if effect.usage is not None else {})
                | _times(effect.started, effect.ended)
                for effect in trace.effects
            ]
        if self.pending.get(trace.id):
            found["pending"] = [
                {"name": item.name, "attempt": item.attempt}
                | ({"last_failure": item.last_failure} if item.last_failure else {})
                for item in self.pending[trace.id]
            ]
        if trace.children:
            found["children"] = [self._trace_json(child) for child in trace.children]
        return found


def _times(started: datetime | None, ended: datetime | None) -> dict[str, Json]:
    times = {"started_at": started, "ended_at": ended}
    return {name: moment.isoformat() for name, moment in times.items() if moment is not None}


async def read_view(durable: "Durable", run_id: str) -> RunView:
    """Read a run.

    Raises:
        PipelexError: there is no such run.
    """
    handle = await durable.attach(run_id)
    status = await handle.status()
    root = await handle.trace()
    error: ErrorReport | None = None
    pending: dict[str, list[Pending]] = {}
    if status == "RUNNING":
        running = [trace.id for trace in _walk(root) if trace.status == "running"][:_MOST_DESCRIBED]
        pending = dict(zip(running, await asyncio.gather(*(_pending(durable, id_) for id_ in running)), strict=True))
    elif status != "COMPLETED":
        try:
            await handle.result()
        except PipelexError as failed:
            error = failed.report
    return RunView(
        run_id=run_id,
        workflow_id=handle.workflow_id,
        namespace=durable.client.namespace,
        status=status,
        root=root,
        ui=_ui(durable, handle.workflow_id),
        error=error,
        pending={id_: items for id_, items in pending.items() if items},
    )


def _walk(trace: PipeTrace) -> Iterator[PipeTrace]:
    waiting = [trace]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(current.children)


async def _pending(durable: "Durable", workflow_id: str) -> list[Pending]:
    from temporalio.service import RPCError

    from pipelex.temporal.client.waits import failing_task

    try:
        described = await durable.client.get_workflow_handle(workflow_id).describe()
        task = await failing_task(durable.client, described.raw_description)
    except RPCError:
        return []
    return [
        *([Pending("workflow task", task.attempt, task.error.report.detail)] if task is not None else []),
        *(
            Pending(item.activity_type.name, item.attempt, item.last_failure.message or None)
            for item in described.raw_description.pending_activities
        ),
    ]


def _ui(durable: "Durable", workflow_id: str) -> str | None:
    from urllib.parse import quote

    client = durable.client
    path = f"namespaces/{quote(client.namespace, safe='')}/workflows/{quote(workflow_id, safe='')}"
    host, _, port = client.service_client.config.target_host.rpartition(":")
    if host in ("localhost", "127.0.0.1") and port == "7233":
        return f"http://localhost:8233/{path}"
    if host.endswith((".tmprl.cloud", ".api.temporal.io")):
        return f"https://cloud.temporal.io/{path}"
    return None


# --- text -------------------------------------------------------------------------------------------------------------

_MARKS: Final = {
    "running": ("●", "cyan"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("○", "yellow"),
}


def view_text(view: RunView, paint: Paint) -> str:
    """A run as lines for people."""
    lines = [
        f"{paint('Run', 'dim')}        {paint(view.run_id, 'bold')}",
        f"{paint('Status', 'dim')}     {view.status.lower().replace('_', ' ')}",
        f"{paint('Workflow', 'dim')}   {view.workflow_id} (namespace {view.namespace})",
    ]
    if view.root.started is not None:
        lines.append(f"{paint('Started', 'dim')}    {view.root.started.astimezone():%Y-%m-%d %H:%M:%S}")
    if view.ui is not None:
        lines.append(f"{paint('In the UI', 'dim')}  {view.ui}")
    lines += ["", *_tree_lines(view, view.root, paint, "", "")]
    if view.root.usage:
        lines += ["", cost_table(view.root.usage, paint)]
    if view.error is not None:
        lines += ["", problem_text(view.error, paint)]
    return "\n".join(lines)


def _tree_lines(view: RunView, trace: PipeTrace, paint: Paint, first: str, rest: str) -> Iterator[str]:
    segment = trace.id.rpartition("/")[2] if "/" in trace.id else trace.pipe
    yield f"{first}{_mark(trace.status, paint)} {paint(segment, 'bold')} {paint(trace.type, 'dim')}  {_taken(trace)}".rstrip()
    attempts = view.pending.get(trace.id, [])
    items: list[EffectTrace | Pending | PipeTrace] = [*trace.effects, *attempts, *trace.children]
    for number, item in enumerate(items, 1):
        is_last = number == len(items)
        branch, below = rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
        if isinstance(item, PipeTrace):
            yield from _tree_lines(view, item, paint, branch, below)
        elif isinstance(item, Pending):
            failure = f", last failure: {' '.join(item.last_failure.split())[:400]}" if item.last_failure else ""
            yield f"{branch}{paint('…', 'cyan')} {item.name} attempt {item.attempt}{failure}"
        else:
            yield f"{branch}{_mark(item.status, paint)} {_effect(item)}"


def _effect(effect: EffectTrace) -> str:
    parts = [effect.summary or effect.name]
    if effect.attempts != 1 and effect.status != "running":
        parts.append(f"{effect.attempts} attempts")
    if effect.queue:
        parts.append(f"queue {effect.queue}")
    taken = _taken(effect)
    return " · ".join([*parts, *([taken] if taken else [])])


def _mark(status: str, paint: Paint) -> str:
    mark, colour = _MARKS[status]
    return paint(mark, colour)


def _taken(trace: PipeTrace | EffectTrace) -> str:
    if trace.started is None:
        return ""
    ended = trace.ended or (datetime.now(UTC) if trace.status == "running" else None)
    return "" if ended is None else duration(ended - trace.started)
