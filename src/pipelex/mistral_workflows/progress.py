"""Reads the events of a run into the tree of its executions and calls.

Mistral's API reports that an execution failed, but not why. Workers therefore write custom tasks into the events: one
for each pipe that is an execution, and one for each attempt of a call.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorReport
from pipelex.errors.json import maybe
from pipelex.mistral_workflows import names
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.usage import ModelUsage, usages_from_json

PIPE_TASK: Final = "pipelex.pipe"
"""The type of the task of a pipe. Its state has the job's `about`, `path`, `state`, `usage`, and `error`, a report."""
CALL_TASK: Final = "pipelex.call"
"""The type of the task of an attempt of a call. Its state has `activity`, `call`, `attempt`, `summary`, `pipe`,
`model`, `backend`, `state`, `usage`, `kept_from` if a result of an earlier run was reused, and `error`, a report."""
STEP_TASK: Final = "pipelex.step"
"""The type of the task of a pipe that runs in-process, inside an activity. Its state has `pipe`, `type`, `step`,
`state`, `usage`, and `error`, a report."""

_ENDS: Final = {
    "WORKFLOW_EXECUTION_COMPLETED": RunState.COMPLETED,
    "WORKFLOW_EXECUTION_FAILED": RunState.FAILED,
    "WORKFLOW_EXECUTION_CANCELED": RunState.CANCELLED,
}
STATES: Final = {
    "RUNNING": RunState.RUNNING,
    "RETRYING_AFTER_ERROR": RunState.RUNNING,
    "CONTINUED_AS_NEW": RunState.RUNNING,
    "COMPLETED": RunState.COMPLETED,
    "FAILED": RunState.FAILED,
    "CANCELED": RunState.CANCELLED,
    "TERMINATED": RunState.TERMINATED,
    "TIMED_OUT": RunState.TIMED_OUT,
}
"""The status of an execution on the platform → its state in Pipelex."""

Members = Mapping[str, Json]


@dataclass
class Told:
    """The facts that events report about one execution."""

    id: str
    parent: str | None = None
    name: str = ""
    """The name of its workflow."""
    started: datetime | None = None
    ended: datetime | None = None
    state: RunState = RunState.RUNNING
    message: str | None = None
    """The reason for its failure, in the platform's words."""
    tasks: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    """The id of a task → its state."""
    types: dict[str, str] = field(default_factory=dict[str, str])
    """The id of a task → its type."""
    times: dict[str, tuple[datetime, datetime | None]] = field(
        default_factory=dict[str, tuple[datetime, datetime | None]]
    )
    """The id of a task → the times at which it began and ended."""

    @property
    def pipe(self) -> Members:
        """The state of its pipe's task (after a reset, of the last one); empty if there is none yet."""
        found = [self.tasks[task] for task, type_ in self.types.items() if type_ == PIPE_TASK]
        return found[-1] if found else {}

    @property
    def error(self) -> ErrorReport | None:
        """The error of its pipe; None if the pipe has not failed."""
        found = self.pipe.get("error")
        return ErrorReport.from_json(cast("Any", found)) if isinstance(found, Mapping) else None

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        """The usage of its pipe and of all pipes below it, once the pipe has ended."""
        if self.error is not None:
            return usages_from_json(self.error.usage)
        return usages_from_json(self.pipe.get("usage") or [])

    def calls(self) -> list[EffectTrace]:
        """The calls of the pipe, in the order in which they began. All attempts of a call are one entry."""
        found: dict[str, EffectTrace] = {}
        for task, type_ in self.types.items():
            if type_ == CALL_TASK:
                state = self.tasks[task]
                key = str(state.get("call"))
                before = found.get(key)
                effect = _effect(state, self.times[task])
                if before is not None:
                    effect.started = before.started
                    effect.usage = effect.usage or before.usage
                found[key] = effect
        return list(found.values())


class ExecutionProgress:
    """The executions of a run, by their ids, in the order in which they began."""

    def __init__(self, events: Iterable[Members] = ()) -> None:
        self.executions: dict[str, Told] = {}
        for event in events:
            self.read(event)

    def read(self, event: Members) -> None:
        """Read an event. The events of one execution must be read in order."""
        id_, kind = str(event.get("workflow_exec_id")), str(event.get("event_type"))
        told = self.executions.setdefault(id_, Told(id_))
        told.parent = maybe(event.get("parent_workflow_exec_id"), str) or told.parent
        told.name = str(event.get("workflow_name") or told.name)
        at = _time(event.get("event_timestamp"))
        attributes = cast("Members", event.get("attributes") or {})
        if kind == "WORKFLOW_EXECUTION_STARTED":
            told.started, told.ended, told.state = told.started or at, None, RunState.RUNNING
        elif kind in _ENDS:
            told.state, told.ended = _ENDS[kind], at
            told.message = _message(attributes)
        elif kind.startswith("CUSTOM_TASK_"):
            _read_task(told, kind, attributes, at)

    def knows(self, execution: str) -> bool:
        """Whether the task of an execution's pipe has been read."""
        return execution in self.executions and bool(self.executions[execution].pipe)

    def trace(self, root: str) -> PipeTrace:
        """The tree of an execution and everything below it.

        Args:
            root: the id of the execution.
        """
        traces = {id_: _pipe_trace(told, names.trace_id(root, id_)) for id_, told in self.executions.items()}
        tree = traces.setdefault(root, PipeTrace(root, pipe="", type=""))
        for id_, told in self.executions.items():
            if id_ != root and told.parent in traces:
                traces[told.parent].children.append(traces[id_])
        return tree


def _read_task(told: Told, kind: str, attributes: Members, at: datetime | None) -> None:
    id_ = str(attributes.get("custom_task_id"))
    payload = cast("Members", attributes.get("payload") or {})
    told.types.setdefault(id_, str(attributes.get("custom_task_type")))
    state = told.tasks.setdefault(id_, {})
    if payload.get("type") == "json_patch":
        for patch in cast("list[Members]", payload.get("value") or []):
            _apply(state, patch)
    elif isinstance(payload.get("value"), Mapping):
        told.tasks[id_] = dict(cast("Members", payload["value"]))
    began = told.times.get(id_, (at or _NEVER, None))[0]
    is_open = kind in ("CUSTOM_TASK_STARTED", "CUSTOM_TASK_IN_PROGRESS")
    told.times[id_] = (began, None if is_open else at)
    if kind == "CUSTOM_TASK_FAILED" and told.tasks[id_].get("state") == RunState.RUNNING.value:
        # A failed attempt would have updated the state, so this one was cancelled, or its worker was stopped.
        told.tasks[id_]["state"] = RunState.CANCELLED.value


def _apply(state: dict[str, Json], patch: Members) -> None:
    """Apply a patch to a task's state. Patches of Pipelex's own tasks only change whole members."""
    steps = str(patch.get("path", "")).strip("/").split("/")
    if steps == [""]:
        state.clear()
        state.update(cast("Members", patch.get("value") or {}))
        return
    owner: Any = state
    for step in steps[:-1]:
        owner = cast("dict[str, Any]", owner).setdefault(step, {}) if isinstance(owner, dict) else {}
    if isinstance(owner, dict):
        members = cast("dict[str, Any]", owner)
        name = steps[-1].replace("~1", "/").replace("~0", "~")
        if patch.get("op") == "remove":
            members.pop(name, None)
        elif patch.get("op") == "append" and isinstance(members.get(name), str):
            members[name] += str(patch.get("value"))
        else:
            members[name] = patch.get("value")


def _pipe_trace(told: Told, id_: str) -> PipeTrace:
    state = told.pipe
    return PipeTrace(
        id_,
        pipe=str(state.get("pipe") or ""),
        type=str(state.get("type") or told.name),
        started=told.started,
        ended=told.ended,
        status=told.state,
        effects=told.calls(),
        error=told.error,
    )


def _effect(state: Members, times: tuple[datetime, datetime | None]) -> EffectTrace:
    report = state.get("error")
    effect = EffectTrace(str(state.get("activity") or ""), str(state.get("summary") or ""))
    effect.started, effect.ended = times
    effect.status = _state(state.get("state"))
    effect.attempts = int(str(state.get("attempt") or 1))
    effect.usage = usages_from_json(state.get("usage") or [])
    effect.kept_from = maybe(state.get("kept_from"), str)
    effect.error = ErrorReport.from_json(cast("Any", report)) if isinstance(report, Mapping) else None
    return effect


def _state(value: Json) -> RunState:
    try:
        return RunState(str(value))
    except ValueError:
        return RunState.RUNNING


def _message(attributes: Members) -> str | None:
    failure = attributes.get("failure")
    return str(cast("Members", failure).get("message")) if isinstance(failure, Mapping) else None


_NEVER: Final = datetime.fromtimestamp(0, UTC)


def _time(nanoseconds: Json) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(int(str(nanoseconds)) / 1e9, UTC)
