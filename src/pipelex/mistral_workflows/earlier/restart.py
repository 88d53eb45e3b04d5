"""Going on with a run that did not succeed: its execution is reset, or started again under its id.

Either way its calls look first among the results that the run had, so that nothing which was answered is paid for again.
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
"""The time that children get to end after their parent did."""
_LOOK_SECONDS: Final = 0.2


async def reset_run(api: MistralAPI, execution_id: str) -> bool:
    """Reset a run's own execution to the point before its first child or activity that did not succeed.

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
    """Start a run's own execution again under its id, on what its calls gave before.

    Args:
        platform: the platform that it is on.
        source: what the run was started with.
        reuse: the run, as it was before.
        before: the platform's description of its execution, which has ended.

    Returns:
        Whether it began; not where the platform takes an id only once.

    Raises:
        PipelexError: the platform refuses the start, or the storage does not take the inputs.
    """
    request = source.request(reuse=reuse)
    told = await begin(platform, request, await execution_input(platform, request))
    return told is not None and told.get("start_time") != before.get("start_time")


def events_of(history: Json) -> list[Members]:
    """The events of a history as the platform gives it: as a list, or as an object with one.

    Raises:
        EngineUnavailable: it holds no events.
    """
    found = history
    for name in ("history", "events"):
        if isinstance(found, Mapping):
            found = cast("Members", found).get(name, found)
    if not isinstance(found, list):
        raise EngineUnavailable(
            "runtime.unavailable",
            "Mistral's API gives a history without events",
            params={"dependency": "mistral_workflows"},
        )
    return cast("list[Members]", found)


def reset_point(events: list[Members]) -> int | None:
    """The workflow task whose commands began what did not succeed; the last one when all that was begun succeeded.

    What the history leaves open did not succeed either. What follows a request to cancel the execution does not count:
    with the request in its history it would be cancelled once more.

    Args:
        events: a closed execution's history.

    Returns:
        The id of a completed workflow task's event, or None when none completed.
    """
    last: int | None = None
    begun: dict[str, int] = {}
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
            begun.pop(str(attributes.get("scheduledEventId")), None)
    return min(begun.values(), default=last)


def _id(event: Members) -> int:
    return int(str(event.get("eventId") or event.get("event_id") or 0))


def _kind(event: Members) -> str:
    return str(event.get("eventType") or event.get("event_type") or "").removeprefix("EVENT_TYPE_")


def _attributes(event: Members) -> Members:
    """The only member that holds what an event says; its name tells the event's type once more."""
    for name, value in event.items():
        if name.lower().endswith("attributes") and isinstance(value, Mapping):
            return cast("Members", value)
    return {}


async def until_closed(api: MistralAPI, run_id: str, root: str) -> None:
    """Wait until the pipes have ended that a run left behind: their ids are used again.

    Raises:
        PipelexError: one has not ended in time.
    """
    deadline = asyncio.get_running_loop().time() + _CLOSING_SECONDS
    while running := [
        str(each["execution_id"])
        for each in await api.executions(root=root, status="RUNNING", limit=10)
        if each["execution_id"] != root and not STATES.get(str(each.get("status")), RunState.RUNNING).has_ended
    ]:
        if asyncio.get_running_loop().time() > deadline:
            raise goes_on(run_id, detail=f"run '{run_id}' has ended, and its pipe '{running[0]}' not yet")
        await asyncio.sleep(_LOOK_SECONDS)
