"""A run as a tree of pipes and activities, as its orchestrator reports it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from pipelex.cli._shared.console import Paint, columns, duration, moment, one_line, since, wrapped
from pipelex.cli._shared.failures import problem_text
from pipelex.cli._shared.results import cost_table
from pipelex.cli._shared.usage import usage_json
from pipelex.cli.runs.attached import outlook
from pipelex.errors import ErrorReport, Json, PipelexError
from pipelex.orchestration import RunDescription, RunState, Wait
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.trace import EffectTrace, PipeTrace, pipes_of

if TYPE_CHECKING:
    from pipelex.runner import RunHandle


@dataclass(frozen=True)
class RunView:
    """Everything that `runs show` shows."""

    run: RunDescription
    root: PipeTrace
    error: ErrorReport | None = None
    waits: Mapping[str, Sequence[Wait]] = field(default_factory=dict[str, Sequence[Wait]])
    """Workflow id → the waits of that pipe."""
    whole: PipeTrace | None = None
    """The run's whole tree if `root` is only a part of it; else None."""
    replays: Sequence[str] = ()
    """The ids of the runs that reuse this run's results."""

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {
            "pipeline_run_id": self.run.run_id,
            "workflow_id": self.run.workflow_id,
            "place": self.run.place,
            "status": self.run.state,
            "usage": usage_json(self.usage),
            "trace": self._trace_json(self.root),
        }
        if self.run.is_interrupted:
            found["interrupted"] = True
        if self.run.replay_of is not None:
            found["replay_of"] = self.run.replay_of
        if self.replays:
            found["replays"] = list(self.replays)
        if self.run.link is not None:
            found["ui"] = self.run.link
        if self.error is not None:
            found["error"] = self.error.to_problem(self.run.run_id)
        return found

    def of_failed(self) -> "RunView":
        """The part of the tree that did not succeed, with the pipes above it."""
        return replace(self, root=_of_failed(self.root), whole=self.root)

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        """The usage of the whole run, whichever part of it is shown."""
        return (self.whole or self.root).usage

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
        if trace.is_gone:
            found["history_gone"] = True
        if trace.effects:
            found["activities"] = [
                {"name": effect.name, "summary": effect.summary, "status": effect.status, "attempts": effect.attempts}
                | ({"queue": effect.queue} if effect.queue is not None else {})
                | ({"usage": usage_json(effect.usage)} if effect.usage else {})
                | ({"kept_from": effect.kept_from} if effect.kept_from is not None else {})
                | _times(effect.started, effect.ended)
                for effect in trace.effects
            ]
        if trace.id in self.waits:
            found["waits"] = [_wait_json(wait) for wait in self.waits[trace.id]]
        if trace.children:
            found["children"] = [self._trace_json(child) for child in trace.children]
        return found


def _times(started: datetime | None, ended: datetime | None) -> dict[str, Json]:
    times = {"started_at": started, "ended_at": ended}
    return {name: moment.isoformat() for name, moment in times.items() if moment is not None}


def _wait_json(wait: Wait) -> dict[str, Json]:
    members: dict[str, Json] = {
        "kind": wait.kind,
        "name": wait.what,
        "detail": wait.detail,
        "advice": wait.advice,
        "queue": wait.queue,
        "attempt": wait.attempt,
        "until": None if wait.until is None else wait.until.isoformat(),
        "failures": wait.failures,
        "most_failures": wait.most_failures,
        "deadline": None if wait.deadline is None else wait.deadline.isoformat(),
        "last_failure": None if wait.report is None else wait.report.detail,
    }
    return {name: value for name, value in members.items() if value is not None}


async def read_view(handle: "RunHandle") -> RunView:
    """Read a run, with its waits while it is running and its failure once it has failed.

    Raises:
        PipelexError: there is no such run.
    """
    run, root = await handle.describe(), await handle.trace()
    if not run.state.has_ended:
        waits: dict[str, list[Wait]] = {}
        known = {pipe.id for pipe in pipes_of(root)}
        for wait in await handle.waits():
            # In a run of another process, only the entry pipe is known, so every wait is shown there.
            waits.setdefault(wait.workflow_id if wait.workflow_id in known else root.id, []).append(wait)
        return RunView(run, root, waits=waits)
    if run.state is not RunState.COMPLETED:
        try:
            await handle.result()
        except PipelexError as failed:
            return RunView(run, root, failed.report)
    return RunView(run, root)


# --- text -------------------------------------------------------------------------------------------------------------

_MARKS: Final = {
    RunState.RUNNING: ("●", "cyan"),
    RunState.COMPLETED: ("✓", "green"),
    RunState.CANCELLED: ("○", "yellow"),
}
_UNSUCCESSFUL: Final = ("✗", "red")


def view_text(view: RunView, paint: Paint) -> str:
    """A run as lines for people."""
    facts = {
        "Run": view.run.run_id,
        "Status": view.run.words,
        "Workflow": f"{view.run.workflow_id} ({view.run.place})",
        "Replays": view.run.replay_of,
        "Replayed by": ", ".join(view.replays),
        "Started": None if view.root.started is None else moment(view.root.started),
        "In the UI": view.run.link or (f"not known; {view.run.unlinked}" if view.run.unlinked else None),
    }
    width = max(map(len, facts)) + 2
    lines = [
        f"{paint(name, 'dim')}{' ' * (width - len(name))}{paint(shown, 'bold') if name == 'Run' else shown}"
        for name, fact in facts.items()
        if fact and (shown := one_line(fact))
    ]
    lines += ["", *_tree_lines(view, view.root, paint, "", "")]
    if view.usage:
        lines += ["", cost_table(view.usage, paint)]
    if view.error is not None:
        lines += ["", problem_text(view.error, paint)]
    return "\n".join(lines)


def _tree_lines(view: RunView, trace: PipeTrace, paint: Paint, first: str, rest: str) -> Iterator[str]:
    first, rest = _shallow(first), _shallow(rest)
    yield from _branch(trace, paint, first, rest)
    waits = view.waits.get(trace.id, ())
    children, left_out = _shown_children(trace)
    items: list[EffectTrace | Wait | PipeTrace | str] = [*trace.effects, *waits, *children]
    if left_out:
        items.append(f"{left_out:,} more that completed")
    if trace.is_gone:
        items.append("its history is gone from the server")
    for number, item in enumerate(items, 1):
        is_last = number == len(items)
        branch, below = rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
        if isinstance(item, PipeTrace):
            yield from _tree_lines(view, item, paint, branch, below)
        elif isinstance(item, str):
            yield f"{branch}{paint(f'… {item}', 'dim')}"
        elif isinstance(item, Wait):
            yield from _leaf(branch, below, paint("…", "cyan"), _wait(item, trace.id))
        else:
            yield from _leaf(branch, below, _mark(item.status, paint), _effect(item))


def _branch(trace: PipeTrace, paint: Paint, first: str, rest: str) -> Iterator[str]:
    segment = one_line(trace.id.rpartition("/")[2] if "/" in trace.id else trace.pipe)
    kind = one_line(trace.type)
    parts = (segment, kind, f" {_taken(trace)}".rstrip())
    plain = " ".join(filter(None, parts))
    if (room := columns()) is not None and len(first) + 2 + len(plain) > room:
        yield from _leaf(first, rest, _mark(trace.status, paint), plain)
    else:
        painted = (paint(segment, "bold"), paint(kind, "dim"), parts[2])
        yield f"{first}{_mark(trace.status, paint)} {' '.join(filter(None, painted))}"


def _shallow(indent: str) -> str:
    """The indent of a pipe; if it is so wide that nothing would fit beside it, only its end."""
    room = columns()
    most = len(indent) if room is None else room // 2
    return indent if len(indent) <= most else f"… {indent[2 - most :]}"


def _leaf(branch: str, below: str, mark: str, text: str) -> Iterator[str]:
    """The lines of a leaf of the tree, wrapped below itself if it does not fit."""
    room = columns()
    first, *more = wrapped(one_line(text), None if room is None else room - len(branch) - 2)
    yield f"{branch}{mark} {first}"
    yield from (f"{below}  {line}" for line in more)


_MOST_COMPLETED: Final = 20
"""The most completed children of one pipe that are shown; all other children are shown."""


def _shown_children(trace: PipeTrace) -> tuple[list[PipeTrace], int]:
    """The children to show, in order, and the number of those left out."""
    shown: list[PipeTrace] = []
    completed = 0
    for child in trace.children:
        is_plain = child.status is RunState.COMPLETED and not _is_worth_a_look(child)
        completed += is_plain
        if not is_plain or completed <= _MOST_COMPLETED:
            shown.append(child)
    return shown, len(trace.children) - len(shown)


def _is_worth_a_look(trace: PipeTrace) -> bool:
    """Whether the pipe, or anything below it, failed or was cancelled."""
    if trace.status not in (RunState.COMPLETED, RunState.RUNNING):
        return True
    failed = any(each.status not in (RunState.COMPLETED, RunState.RUNNING) for each in trace.effects)
    return failed or any(map(_is_worth_a_look, trace.children))


def _of_failed(trace: PipeTrace) -> PipeTrace:
    """The pipes that did not succeed, with those above them."""
    effects = [each for each in trace.effects if each.status not in (RunState.COMPLETED, RunState.RUNNING)]
    children = [_of_failed(each) for each in trace.children if _is_worth_a_look(each)]
    return replace(trace, effects=effects, children=children)


def _wait(wait: Wait, pipe: str) -> str:
    """A wait as one line below a pipe: what the run waits for, then what to do about it."""
    if wait.report is None:
        return " ".join(filter(None, (wait.detail, wait.advice)))
    of = "" if wait.workflow_id == pipe else f" of {wait.workflow_id}"
    said = f"{wait.what}{of} attempt {wait.attempt}, last failure: {' '.join(wait.report.detail.split())[:400]}"
    return " · ".join(filter(None, (said, outlook(wait))))


def _effect(effect: EffectTrace) -> str:
    parts = [effect.summary or effect.name]
    if effect.attempts != 1 and effect.status is not RunState.RUNNING:
        parts.append(f"{effect.attempts} attempts")
    if effect.kept_from is not None:
        parts.append(f"reused from {effect.kept_from}")
    if effect.queue:
        parts.append(f"queue {effect.queue}")
    taken = _taken(effect)
    return " · ".join([*parts, *([taken] if taken else [])])


def _mark(state: RunState, paint: Paint) -> str:
    mark, colour = _MARKS.get(state, _UNSUCCESSFUL)
    return paint(mark, colour)


def _taken(trace: PipeTrace | EffectTrace) -> str:
    if trace.started is None or (trace.ended is None and trace.status is not RunState.RUNNING):
        return ""
    return duration(since(trace.started, trace.ended))
