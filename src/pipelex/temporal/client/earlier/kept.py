"""Reads the results of a run's effects from the histories that the server keeps, for a run that reuses them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from pipelex.durable.jobs import PipeJob
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.kept import MOST_GENERATIONS, Kept, KeptResults
from pipelex.inference.calls.logical import digest
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState, pipes_of
from pipelex.pipes.traces.steps import without_later
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.observability import pipe_of

_AT_ONCE: Final = 8
"""The number of histories that are fetched at a time."""

_KINDS: Final[Mapping[str, EffectKind[Any, Any]]] = {kind.activity: kind for kind in EFFECTS if kind.compute is None}


async def read_kept(client: Client, reuse: Reuse, generations: int = MOST_GENERATIONS) -> KeptResults:
    """The results of a run's effects, as far as the server still has the histories of its pipes.

    Args:
        client: a client of the run's namespace.
        reuse: the run, and the pipe to start over from; the results of that pipe and of later ones are left out.
        generations: the maximum number of earlier runs to read as well, each of which the next one reused.

    Raises:
        PipelexError: the server does not answer, or no longer has the history of the run itself.
    """
    try:
        reading = _KeptReading(client)
        root = await reading.pipe(reuse.workflow_id or reuse.run_id, reuse.execution)
    except RPCError as failed:
        raise _gone(reuse.run_id, failed) from None
    older = None
    if reading.reuse is not None and generations > 0:
        start_over = reuse.start_over or reading.reuse.start_over
        older = await read_kept(client, reading.reuse.model_copy(update={"start_over": start_over}), generations - 1)
    left = root if reuse.start_over is None else without_later(root, reuse.start_over)
    return KeptResults(reuse.run_id, () if left is None else reading.results(left), older)


@dataclass
class _KeptReading:
    """Reads the histories of one run."""

    client: Client
    reuse: Reuse | None = None
    """The run whose results this one reused; None if it reused none."""
    _kept: dict[int, Kept] = field(default_factory=dict[int, Kept])
    """The `id` of an effect's trace → its result."""
    _limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def results(self, root: PipeTrace) -> Iterator[Kept]:
        """The results of the effects in a tree, or in a part of one."""
        for pipe in pipes_of(root):
            yield from (self._kept[id(effect)] for effect in pipe.effects if id(effect) in self._kept)

    async def pipe(self, id_: str, execution: str | None, root_id: str | None = None) -> PipeTrace:
        """The trace of a workflow and everything that ran below it.

        Raises:
            RPCError: there is no such workflow.
        """
        async with self._limit:
            events = await self._events(id_, execution)
        is_root = root_id is None
        root_id = root_id or id_
        trace = PipeTrace(id_, pipe="", type="")
        children: list[tuple[PipeTrace, str]] = []
        names: dict[str, str] = {}
        asked: dict[int, tuple[EffectTrace, EffectKind[Any, Any], Sequence[Payload]]] = {}
        for event in events:
            match event.event_type:
                case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                    trace.type = event.workflow_execution_started_event_attributes.workflow_type.name
                    trace.pipe = pipe_of(await self._summary(event)) or trace.pipe
                    if is_root:
                        await self._read_job(event)
                case EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                    begun = event.child_workflow_execution_started_event_attributes
                    child = begun.workflow_execution
                    named = PipeTrace(child.workflow_id, names.get(child.workflow_id, ""), begun.workflow_type.name)
                    children.append((named, child.run_id))
                case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                    started = event.start_child_workflow_execution_initiated_event_attributes
                    names[started.workflow_id] = pipe_of(await self._summary(event))
                case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                    activity = event.activity_task_scheduled_event_attributes
                    effect = EffectTrace(activity.activity_type.name, await self._summary(event))
                    trace.effects.append(effect)
                    kind = _KINDS.get(effect.name)
                    if kind is not None:
                        asked[event.event_id] = (effect, kind, activity.input.payloads)
                case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                    done = event.activity_task_completed_event_attributes
                    if done.scheduled_event_id in asked:
                        effect, kind, given = asked[done.scheduled_event_id]
                        effect.status = RunState.COMPLETED
                        place = id_.removeprefix(root_id).removeprefix("/")
                        self._kept[id(effect)] = await self._result(kind, given, done.result.payloads, place)
                case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                    asked = {}  # event ids start again at 1
                case _:
                    pass
        trace.children.extend(await asyncio.gather(*(self._below(*child, root_id) for child in children)))
        return trace

    async def _below(self, child: PipeTrace, execution: str, root_id: str) -> PipeTrace:
        """The trace of a child; without its results if the server has removed its history."""
        try:
            return await self.pipe(child.id, execution, root_id)
        except RPCError as failed:
            if failed.status != RPCStatusCode.NOT_FOUND:
                raise
            return child

    async def _events(self, id_: str, execution: str | None) -> list[HistoryEvent]:
        """The events of one run of a workflow, and of all runs that continue it."""
        events: list[HistoryEvent] = []
        current = execution
        while True:
            handle = self.client.get_workflow_handle(id_, run_id=current)
            run = [event async for event in handle.fetch_history_events()]
            events += run
            last = run[-1] if run else None
            if last is None or last.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                return events
            current = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id

    async def _result(
        self, kind: EffectKind[Any, Any], given: Sequence[Payload], told: Sequence[Payload], place: str
    ) -> Kept:
        (job,) = await self.client.data_converter.decode(given, [kind.job])
        return Kept(digest(kind.activity, job), place, self._reader(told))

    def _reader(self, told: Sequence[Payload]) -> Callable[[type[Wire]], Awaitable[Wire]]:
        async def read(kind: type[Wire]) -> Wire:
            (result,) = await self.client.data_converter.decode(told, [kind])
            return result

        return read

    async def _read_job(self, event: HistoryEvent) -> None:
        given = event.workflow_execution_started_event_attributes.input.payloads
        (job,) = await self.client.data_converter.decode(given[:1], [PipeJob])
        self.reuse = job.options.reuse

    async def _summary(self, event: HistoryEvent) -> str:
        if not event.user_metadata.HasField("summary"):
            return ""
        (text,) = await self.client.data_converter.decode([event.user_metadata.summary], [str])
        return text


def _gone(run_id: str, failed: RPCError) -> PipelexError:
    return PipelexError(
        "runtime.unavailable",
        f"the histories of run '{run_id}', whose results are to be reused, cannot be read: {failed.message}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "temporal"},
        advice="The server keeps histories for the retention time of its namespace. Start a new run without them.",
    )
