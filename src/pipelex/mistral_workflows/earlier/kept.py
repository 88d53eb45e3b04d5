"""Reads the results of a run's effects from its events, for a run that reuses them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipelex.content.stuff import Json
from pipelex.durable.jobs import PipeJob
from pipelex.errors.json import as_object
from pipelex.inference.calls.kept import MOST_GENERATIONS, Kept, KeptResults
from pipelex.inference.calls.logical import digest
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.carried import Carried
from pipelex.mistral_workflows.earlier.begun import read_carried
from pipelex.mistral_workflows.earlier.events import activity_in, attributes_of, kind_of, payload_in
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.progress import ExecutionProgress
from pipelex.mistral_workflows.values import CarriedValues
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.trace import EffectTrace, PipeTrace, pipes_of
from pipelex.pipes.traces.steps import without_later
from pipelex.pipes.wire import Wire

Members = Mapping[str, Json]

_KINDS: Final[Mapping[str, EffectKind[Any, Any]]] = {kind.activity: kind for kind in EFFECTS if kind.compute is None}


async def read_kept(platform: Platform, reuse: Reuse, generations: int = MOST_GENERATIONS) -> KeptResults:
    """The results of a run's effects.

    Args:
        platform: the platform that the run is on.
        reuse: the run, and the pipe from which on its results are not reused.
        generations: the number of still earlier runs to search for results.

    Raises:
        PipelexError: the run's events do not contain its job, or cannot be read.
    """
    root_id = reuse.workflow_id or names.execution_id(reuse.run_id)
    progress, asked = ExecutionProgress(), _AskedCalls(platform.values, root_id)
    async for event in platform.api.events(root=root_id):
        progress.read(event)
        asked.read(event)
    root = progress.trace(root_id)
    for pipe in pipes_of(root):
        pipe.effects = asked.effects_of(pipe.id)
    before = await _reuse_of(platform, reuse.run_id, root_id)
    older = None
    if before is not None and generations > 0:
        start_over = reuse.start_over or before.start_over
        older = await read_kept(platform, before.model_copy(update={"start_over": start_over}), generations - 1)
    left = root if reuse.start_over is None else without_later(root, reuse.start_over)
    results = () if left is None else [await each for each in asked.results(left)]
    return KeptResults(reuse.run_id, results, older)


async def _reuse_of(platform: Platform, run_id: str, execution_id: str) -> Reuse | None:
    """The run whose results a run reused itself; None if it reused none."""
    carried = await read_carried(platform, run_id, execution_id)
    return PipeJob.model_validate_json(await platform.values.data(carried.job)).options.reuse


@dataclass
class _Answered:
    """A call and its result, which is None until the call completes."""

    kind: EffectKind[Any, Any]
    carried: Carried
    effect: EffectTrace
    execution: str
    """The id, as in traces, of the execution that made the call."""
    turn: int
    """The rank, from 0, of the Temporal run that made the call. A retry starts a new Temporal run."""
    result: Json = None


@dataclass
class _AskedCalls:
    """The calls of a run, read from its events."""

    values: CarriedValues
    root_id: str
    _calls: dict[tuple[str, str, str], _Answered] = field(default_factory=dict[tuple[str, str, str], _Answered])
    """An execution, its Temporal run and the activity's id → the call, in the order in which the calls began."""
    _turns: dict[str, int] = field(default_factory=dict[str, int])
    """A Temporal run → its rank, from 0, in the order of their first calls."""

    def read(self, event: Members) -> None:
        """Read an event."""
        told = attributes_of(event)
        execution = names.trace_id(self.root_id, str(event.get("workflow_exec_id")))
        key = (execution, str(event.get("workflow_run_id")), str(told.get("task_id")))
        if kind_of(event) == "ACTIVITY_TASK_STARTED":
            kind = _KINDS.get(names.effect_of(activity_in(event)))
            if kind is not None:
                turn = self._turns.setdefault(key[1], len(self._turns))
                self._calls[key] = self._began(kind, execution, turn, payload_in(event, "input"))
        elif kind_of(event) == "ACTIVITY_TASK_COMPLETED" and key in self._calls:
            self._calls[key].result = payload_in(event, "result")

    def _began(self, kind: EffectKind[Any, Any], execution: str, turn: int, given: Json) -> _Answered:
        carried = Carried.from_json(as_object(given[0] if isinstance(given, list) and given else given))
        summary = str((carried.about or {}).get("summary") or "")
        return _Answered(kind, carried, EffectTrace(kind.activity, summary), execution, turn)

    def effects_of(self, execution: str) -> list[EffectTrace]:
        """The calls of an execution."""
        return [call.effect for call in self._calls.values() if call.execution == execution]

    def results(self, root: PipeTrace) -> Iterator[Awaitable[Kept]]:
        """The results in a tree or a part of it. If a pipe ran several times, the latest results come first."""
        calls = {id(call.effect): call for call in self._calls.values() if call.result is not None}
        for pipe in pipes_of(root):
            found = [calls[id(effect)] for effect in pipe.effects if id(effect) in calls]
            yield from map(self._kept, sorted(found, key=lambda call: -call.turn))

    async def _kept(self, call: _Answered) -> Kept:
        job = call.kind.job.model_validate(await self.values.value(call.carried.job))
        place = call.execution.removeprefix(self.root_id).removeprefix("/")
        return Kept(digest(call.kind.activity, job), place, self._reader(call.result))

    def _reader(self, result: Json) -> Callable[[type[Wire]], Awaitable[Wire]]:
        async def read(kind: type[Wire]) -> Wire:
            return kind.model_validate(await self.values.value(result))

        return read
