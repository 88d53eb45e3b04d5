"""A run's tree of pipes and effects, read from the histories the server keeps."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.errors.json import Json, as_array
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.usage import usages_from_json

_AT_ONCE: Final = 8
"""Histories fetched at a time."""

_WORKFLOW_ENDS: Final[Mapping[int, RunState]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: RunState.COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: RunState.FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: RunState.TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: RunState.TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: RunState.CANCELLED,
}


async def read_trace(client: Client, workflow_id: str) -> PipeTrace:
    """The tree below a workflow, as far as it got.

    Raises:
        RPCError: there is no such workflow.
    """
    limit = asyncio.Semaphore(_AT_ONCE)

    async def read(id_: str) -> PipeTrace:
        async with limit:
            events = await _all_events(client, id_)
        trace, children = await _read_events(client, id_, events)
        found = await asyncio.gather(*(read(child) for child in children), return_exceptions=True)
        for child in found:
            if isinstance(child, PipeTrace):
                trace.children.append(child)
            elif not isinstance(child, RPCError):
                raise child
        return trace

    return await read(workflow_id)


async def _all_events(client: Client, id_: str) -> list[HistoryEvent]:
    """The events of a workflow over all its runs: one with a long history goes on in a new run."""
    events: list[HistoryEvent] = []
    run_id: str | None = None
    while run_id != "":
        run = [event async for event in client.get_workflow_handle(id_, run_id=run_id).fetch_history_events()]
        events[:0] = run
        run_id = run[0].workflow_execution_started_event_attributes.continued_execution_run_id if run else ""
    return events


async def _read_events(client: Client, id_: str, events: list[HistoryEvent]) -> tuple[PipeTrace, list[str]]:
    trace = PipeTrace(id_, pipe="", type="")
    children: list[str] = []
    scheduled: dict[int, EffectTrace] = {}
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                started = event.workflow_execution_started_event_attributes
                if not started.continued_execution_run_id:
                    trace.type = started.workflow_type.name
                    trace.started = _time(event.event_time)
                    trace.pipe = (await _text(client, event)).partition(" — ")[0]
            case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                children.append(event.start_child_workflow_execution_initiated_event_attributes.workflow_id)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                activity = event.activity_task_scheduled_event_attributes
                effect = EffectTrace(
                    activity.activity_type.name, await _text(client, event), queue=activity.task_queue.name
                )
                effect.started = _time(event.event_time)
                scheduled[event.event_id] = effect
                trace.effects.append(effect)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                began = event.activity_task_started_event_attributes
                scheduled[began.scheduled_event_id].attempts = began.attempt
                scheduled[began.scheduled_event_id].started = _time(event.event_time)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                done = event.activity_task_completed_event_attributes
                _end(scheduled[done.scheduled_event_id], event, RunState.COMPLETED)
                scheduled[done.scheduled_event_id].usage = await _usage(client, done.result.payloads)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                lost = event.activity_task_failed_event_attributes
                _end(scheduled[lost.scheduled_event_id], event, RunState.FAILED)
                details = lost.failure.application_failure_info.details.payloads
                scheduled[lost.scheduled_event_id].usage = await _usage(client, details)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                _end(
                    scheduled[event.activity_task_timed_out_event_attributes.scheduled_event_id],
                    event,
                    RunState.TIMED_OUT,
                )
            case EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
                _end(
                    scheduled[event.activity_task_canceled_event_attributes.scheduled_event_id],
                    event,
                    RunState.CANCELLED,
                )
            case kind if kind in _WORKFLOW_ENDS:
                trace.status = _WORKFLOW_ENDS[kind]
                trace.ended = _time(event.event_time)
            case _:
                pass
    return trace, children


def _end(effect: EffectTrace, event: HistoryEvent, status: RunState) -> None:
    effect.status = status
    effect.ended = _time(event.event_time)


async def _text(client: Client, event: HistoryEvent) -> str:
    """The summary that a workflow or an activity was given."""
    if not event.user_metadata.HasField("summary"):
        return ""
    (text,) = await client.data_converter.decode([event.user_metadata.summary], [str])
    return text


async def _usage(client: Client, payloads: Sequence[Payload]) -> tuple[ModelUsage, ...]:
    """The usage of an activity, as its result or the report of its failure tells it."""
    told = next(iter(await client.data_converter.decode(payloads)), None) if payloads else None
    members = cast("dict[str, Json]", told) if isinstance(told, dict) else {}
    usage: Json = members.get("usage") or []
    others = as_array(members.get("others") or [])
    own = usage if isinstance(usage, list) else [usage]
    return usages_from_json([*own, *others])


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
