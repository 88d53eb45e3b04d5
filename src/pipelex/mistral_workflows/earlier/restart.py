"""Continues a run that did not succeed: its execution is reset, or started again under its id.

Either way its calls first look for a result that the run already had, so no answered call is paid for again.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, cast

from pipelex.content.stuff import Json
from pipelex.mistral_workflows.api import MistralAPI
from pipelex.mistral_workflows.begin import begin, execution_input
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.progress import STATES
from pipelex.orchestration import EngineUnavailable, RunSource, RunState
from pipelex.orchestration.refusals import goes_on
from pipelex.pipes.calls import Reuse

Members = Mapping[str, Json]

_REASON: Final = "pipelex runs retry"
_CLOSING_SECONDS: Final = 15.0
"""The time, in seconds, that children have to end after their parent has ended."""
_LOOK_SECONDS: Final = 0.2


async def reset_run(api: MistralAPI, execution_id: str) -> bool:
    """Reset a run's root execution to the point before its first child or activity that did not succeed.

    Returns:
        Whether there is such a point; a run that never began has none.

    Raises:
        EngineUnavailable: the platform refuses.
    """
    point = reset_point(events_of(await api.history(execution_id)))
    if point is not None:
        await api.reset(execution_id, point, _REASON)
    return point is not None


async def begin_again(platform: Platform, source: RunSource, reuse: Reuse, before: Members) -> bool:
    """Start a run's root execution again under its id, so that it reuses the results that its calls had before.

    Args:
        platform: the platform that the run is on.
        source: the method, inputs and options with which the run was started.
        reuse: the run as it was before, whose results are reused.
        before: the platform's description of its execution, which has ended.

    Returns:
        Whether the execution began; it does not if the platform takes each id only once.

    Raises:
        PipelexError: the platform refuses the start, or the storage does not take the inputs.
    """
    request = source.request(reuse=reuse)
    told = await begin(platform, request, await execution_input(platform, request))
    return told is not None and told.get("start_time") != before.get("start_time")


def events_of(history: Json) -> list[Members]:
    """The events of a history, which the platform returns as a list or as an object that contains one.

    Raises:
        EngineUnavailable: the history contains no events.
    """
    found = history
    for name in ("history", "events"):
        if isinstance(found, Mapping):
            found = cast("Members", found).get(name, found)
    if not isinstance(found, list):
        raise EngineUnavailable(
            "runtime.unavailable",
            "Mistral's API returned a history without events",
            params={"dependency": "mistral_workflows"},
        )
    return cast("list[Members]", found)


def reset_point(events: list[Members]) -> int | None:
    """The first workflow task that began a child or activity that did not succeed; the last one if all succeeded.

    A child or activity that is still open at the end of the history did not succeed either. Events after a request to
    cancel the execution do not count: a reset beyond the request would keep it, and cancel the execution again.
    No activity is under way at the point: one that began before it and was answered after it would run again with its
    old arguments, which do not tell it to look for its result.

    Args:
        events: the history of a closed execution.

    Returns:
        The id of the event of a completed workflow task; None if no task completed.
    """
    last: int | None = None
    begun: dict[str, int] = {}
    answered: list[tuple[int, int]] = []
    for event in events:
        kind, attributes = _kind(event), _attributes(event)
        decided = attributes.get("workflowTaskCompletedEventId")
        if kind == "WORKFLOW_TASK_COMPLETED":
            last = _id(event)
        elif kind == "WORKFLOW_EXECUTION_CANCEL_REQUESTED":
            break
        elif kind in ("START_CHILD_WORKFLOW_EXECUTION_INITIATED", "ACTIVITY_TASK_SCHEDULED") and decided is not None:
            begun[str(_id(event))] = int(str(decided))
        elif kind == "CHILD_WORKFLOW_EXECUTION_COMPLETED":
            begun.pop(str(attributes.get("initiatedEventId")), None)
        elif kind == "ACTIVITY_TASK_COMPLETED":
            at = begun.pop(str(attributes.get("scheduledEventId")), None)
            answered += [] if at is None else [(at, _id(event))]
    return _between(answered, min(begun.values(), default=last))


def _between(answered: list[tuple[int, int]], point: int | None) -> int | None:
    """The latest point up to another at which no activity is under way.

    Args:
        answered: for each activity, the point at which it began and the event of its result.
        point: the other.
    """
    while point is not None:
        under_way = [began for began, ended in answered if began < point < ended]
        if not under_way:
            break
        point = min(under_way)
    return point


def _id(event: Members) -> int:
    return int(str(event.get("eventId") or event.get("event_id") or 0))


def _kind(event: Members) -> str:
    return str(event.get("eventType") or event.get("event_type") or "").removeprefix("EVENT_TYPE_")


def _attributes(event: Members) -> Members:
    """The attributes of an event, in a member whose name depends on the event's type."""
    for name, value in event.items():
        if name.lower().endswith("attributes") and isinstance(value, Mapping):
            return cast("Members", value)
    return {}


async def until_closed(api: MistralAPI, run_id: str, root: str) -> None:
    """Wait until the executions below a run's root execution have ended, because their ids will be used again.

    Raises:
        PipelexError: an execution has not ended in time.
    """
    deadline = asyncio.get_running_loop().time() + _CLOSING_SECONDS
    while running := [
        str(each["execution_id"])
        for each in await api.executions(root=root, status="RUNNING", limit=10)
        if each["execution_id"] != root and not STATES.get(str(each.get("status")), RunState.RUNNING).has_ended
    ]:
        if asyncio.get_running_loop().time() > deadline:
            raise goes_on(run_id, detail=f"run '{run_id}' has ended, but its pipe '{running[0]}' has not")
        await asyncio.sleep(_LOOK_SECONDS)
