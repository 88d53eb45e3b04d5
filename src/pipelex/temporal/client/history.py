"""Reads a run's tree of pipes and effects from the histories that the server keeps."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from pipelex.errors import ErrorReport
from pipelex.errors.json import Json, as_array
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.traces.closing import close
from pipelex.pipes.usage import usages_from_json
from pipelex.temporal.client.earlier.values import ValueReader
from pipelex.temporal.client.events import CHILD_ENDS, told_by
from pipelex.temporal.workflow.observability import pipe_of

_AT_ONCE: Final = 8
"""The number of histories that are fetched at a time."""

_WORKFLOW_ENDS: Final[Mapping[int, RunState]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: RunState.COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: RunState.FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: RunState.TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: RunState.TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: RunState.CANCELLED,
}

_ACTIVITY_ENDS: Final[Mapping[int, RunState]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: RunState.TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: RunState.CANCELLED,
}
"""Type of an event that ends an activity without a result or a usage → the activity's state."""


_OF_CHILDREN: Final = frozenset({EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, *CHILD_ENDS})
"""Events of children that have begun."""


async def read_trace(client: Client, workflow_id: str, *, values: bool = False, ended: bool = True) -> PipeTrace:
    """The tree of a workflow and everything below it, as far as it got.

    The server may have removed the histories of children, each of which expires on its own: such a child is what its
    parent's history tells of it.

    Args:
        client: a client of the workflow's namespace.
        workflow_id: the workflow's id.
        values: whether inputs, outputs, jobs, results and errors are read, too.
        ended: whether the histories of children that have ended are read, too. Otherwise such a child has only the
            facts from its parent's history.

    Raises:
        RPCError: there is no such workflow.
    """
    limit = asyncio.Semaphore(_AT_ONCE)

    async def read(id_: str) -> PipeTrace:
        async with limit:
            events = await _all_events(client, id_)
        trace, children, has_ended = await _read_events(client, id_, events, values=values)
        found = await asyncio.gather(*map(below, children), return_exceptions=True)
        for child in found:
            if isinstance(child, PipeTrace):
                trace.children.append(child)
            elif not isinstance(child, RPCError):
                raise child
        if has_ended:
            close(trace)
        return trace

    async def below(child: _Child) -> PipeTrace:
        if not ended and child.trace.status.has_ended:
            return child.trace
        try:
            return await read(child.trace.id)
        except RPCError as failed:
            if failed.status != RPCStatusCode.NOT_FOUND or not child.has_begun:
                raise
            return await _gone(client, child, values=values)

    return await read(workflow_id)


@dataclass
class _Child:
    """A child as its parent's history tells of it."""

    trace: PipeTrace
    initiated: HistoryEvent
    has_begun: bool = False
    ended: HistoryEvent | None = None


async def _gone(client: Client, child: _Child, *, values: bool) -> PipeTrace:
    """A child whose own history the server has removed."""
    trace, reader = child.trace, ValueReader(client.data_converter)
    trace.is_gone = True
    done = None if child.ended is None else child.ended.child_workflow_execution_completed_event_attributes
    if done is not None:
        trace.told_usage = await reader.usage(done.result.payloads)
    if values:
        asked = child.initiated.start_child_workflow_execution_initiated_event_attributes
        trace.inputs = await reader.inputs(asked.input.payloads)
    if values and child.ended is not None and done is not None:
        trace.output = await reader.output(done.result.payloads)
        broken = child.ended.child_workflow_execution_failed_event_attributes
        trace.error = await _error(reader, broken.failure, f"pipe '{trace.pipe}'")
    return trace


async def _all_events(client: Client, id_: str) -> list[HistoryEvent]:
    """The events of a workflow over all its runs; a workflow with a long history continues as a new run."""
    events: list[HistoryEvent] = []
    run_id: str | None = None
    while run_id != "":
        run = [event async for event in client.get_workflow_handle(id_, run_id=run_id).fetch_history_events()]
        events[:0] = run
        run_id = run[0].workflow_execution_started_event_attributes.continued_execution_run_id if run else ""
    return events


async def _read_events(
    client: Client, id_: str, events: list[HistoryEvent], *, values: bool
) -> tuple[PipeTrace, list[_Child], bool]:
    """The trace of a workflow, its children as its own history shows them, and whether the workflow has ended."""
    reader = ValueReader(client.data_converter) if values else None
    trace = PipeTrace(id_, pipe="", type="")
    children: dict[str, _Child] = {}
    scheduled: dict[int, EffectTrace] = {}
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                started = event.workflow_execution_started_event_attributes
                if not started.continued_execution_run_id:
                    trace.type = started.workflow_type.name
                    trace.started = _time(event.event_time)
                    trace.pipe = pipe_of(await _text(client, event))
                    if reader is not None:
                        trace.inputs = await reader.inputs(started.input.payloads)
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                child = await _begun(client, event)
                children[child.id] = _Child(child, event)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                effect = await _scheduled(client, event, reader)
                scheduled[event.event_id] = effect
                trace.effects.append(effect)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                began = event.activity_task_started_event_attributes
                scheduled[began.scheduled_event_id].attempts = began.attempt
                scheduled[began.scheduled_event_id].started = _time(event.event_time)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                done = event.activity_task_completed_event_attributes
                _end(scheduled[done.scheduled_event_id], event, RunState.COMPLETED)
                effect = scheduled[done.scheduled_event_id]
                effect.usage, effect.kept_from = await _paid(client, done.result.payloads)
                if reader is not None:
                    effect.result = await reader.result(effect.name, done.result.payloads)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                lost = event.activity_task_failed_event_attributes
                effect = scheduled[lost.scheduled_event_id]
                _end(effect, event, RunState.FAILED)
                effect.usage, _ = await _paid(client, lost.failure.application_failure_info.details.payloads)
                effect.error = await _error(reader, lost.failure, f"activity '{effect.name}'")
            case kind if kind in _ACTIVITY_ENDS:
                effect = scheduled[told_by(event).scheduled_event_id]
                _end(effect, event, _ACTIVITY_ENDS[kind])
                overrun = event.activity_task_timed_out_event_attributes
                effect.error = await _error(reader, overrun.failure, f"activity '{effect.name}'")
            case kind if kind in _OF_CHILDREN:
                _go_on(children, event)
            case kind if kind in _WORKFLOW_ENDS:
                trace.status = _WORKFLOW_ENDS[kind]
                trace.ended = _time(event.event_time)
                broken = event.workflow_execution_failed_event_attributes
                trace.error = await _error(reader, broken.failure, f"pipe '{trace.pipe}'")
                if reader is not None:
                    told = event.workflow_execution_completed_event_attributes.result.payloads
                    trace.output = await reader.output(told)
            case _:
                pass
    return trace, list(children.values()), trace.status.has_ended


async def _error(reader: ValueReader | None, failure: Failure, what: str) -> ErrorReport | None:
    """The report of a failure; None if there is no failure, or if values are not read."""
    if reader is None or not failure.WhichOneof("failure_info"):
        return None
    return await reader.error(failure, what)


async def _begun(client: Client, event: HistoryEvent) -> PipeTrace:
    """The trace of a child, from the event with which its parent starts it."""
    told = event.start_child_workflow_execution_initiated_event_attributes
    code = pipe_of(await _text(client, event))
    return PipeTrace(told.workflow_id, code, told.workflow_type.name, _time(event.event_time))


def _go_on(children: Mapping[str, _Child], event: HistoryEvent) -> None:
    """Note that a child has begun or ended."""
    child = children.get(told_by(event).workflow_execution.workflow_id)
    if child is None:
        return
    child.has_begun = True
    if (state := CHILD_ENDS.get(event.event_type)) is not None:
        child.ended = event
        child.trace.status, child.trace.ended = state, _time(event.event_time)


async def _scheduled(client: Client, event: HistoryEvent, reader: ValueReader | None) -> EffectTrace:
    activity = event.activity_task_scheduled_event_attributes
    effect = EffectTrace(activity.activity_type.name, await _text(client, event), queue=activity.task_queue.name)
    effect.started = _time(event.event_time)
    if reader is not None:
        effect.job = await reader.job(effect.name, activity.input.payloads)
    return effect


def _end(effect: EffectTrace, event: HistoryEvent, status: RunState) -> None:
    effect.status = status
    effect.ended = _time(event.event_time)


async def _text(client: Client, event: HistoryEvent) -> str:
    """The summary that a workflow or an activity was given."""
    if not event.user_metadata.HasField("summary"):
        return ""
    (text,) = await client.data_converter.decode([event.user_metadata.summary], [str])
    return text


async def _paid(client: Client, payloads: Sequence[Payload]) -> tuple[tuple[ModelUsage, ...], str | None]:
    """The usage in an activity's result or its failure's report; and for a reused result, the run that paid for it."""
    told = next(iter(await client.data_converter.decode(payloads)), None) if payloads else None
    members = cast("dict[str, Json]", told) if isinstance(told, dict) else {}
    kept_from = members.get("kept_from")
    if isinstance(kept_from, str):
        return (), kept_from
    usage: Json = members.get("usage") or []
    others = as_array(members.get("others") or [])
    own = usage if isinstance(usage, list) else [usage]
    return usages_from_json([*own, *others]), None


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
