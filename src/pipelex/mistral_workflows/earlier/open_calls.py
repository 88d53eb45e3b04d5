"""Calls of a run that has ended whose results are still on their way to the platform's events."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from pipelex.content.stuff import Json
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.api import MistralAPI
from pipelex.mistral_workflows.earlier.events import activity_in, attributes_of, kind_of
from pipelex.mistral_workflows.progress import CALL_TASK
from pipelex.pipes.effects.kinds import EFFECTS

Members = Mapping[str, Json]
logger = logging.getLogger("pipelex.mistral_workflows")

_SETTLES: Final = timedelta(seconds=0.5)
"""The time that the event of a call's beginning may be on its way when its run ends."""
_LOOK_SECONDS: Final = 0.2
_LONGEST_LOOK_SECONDS: Final = 2.0
_ACTIVITIES: Final = frozenset(kind.activity for kind in EFFECTS)


class OpenCalls:
    """The calls that have begun and have not told their end, as the events of a run tell.

    A result counts when its event is there, and not when the call's task says that it is done: results are read from there.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], dict[str, str]] = {}
        """Execution and its run on the server → the id of each open activity → the task of its last attempt, if any."""
        self._activities: dict[str, str] = {}
        """The id of a task → that of its activity."""

    def read(self, event: Members) -> None:
        """Take an event in."""
        run = (str(event.get("workflow_exec_id")), str(event.get("workflow_run_id")))
        calls, told = self._open.setdefault(run, {}), attributes_of(event)
        match kind_of(event):
            case "ACTIVITY_TASK_STARTED" if names.effect_of(activity_in(event)) in _ACTIVITIES:
                calls.setdefault(str(told.get("task_id")), "")
            case "ACTIVITY_TASK_COMPLETED":
                calls.pop(str(told.get("task_id")), None)
            case "ACTIVITY_TASK_FAILED" | "ACTIVITY_TASK_RETRYING" if not calls.get(str(told.get("task_id"))):
                calls.pop(str(told.get("task_id")), None)
            case "CUSTOM_TASK_STARTED" if told.get("custom_task_type") == CALL_TASK:
                self._begin(calls, str(told.get("custom_task_id")), told)
            case "CUSTOM_TASK_FAILED":
                self._give_up(calls, str(told.get("custom_task_id")))
            case _:
                pass

    def _begin(self, calls: dict[str, str], task: str, told: Members) -> None:
        state = cast("Members", cast("Members", told.get("payload") or {}).get("value") or {})
        activity = str(state.get("call")).rpartition(":")[2]
        calls[activity] = task
        self._activities[task] = activity

    def _give_up(self, calls: dict[str, str], task: str) -> None:
        """An attempt failed, or was cancelled: the call is open no more, unless a later attempt goes on."""
        activity = self._activities.get(task, "")
        if calls.get(activity) == task:
            del calls[activity]

    def __len__(self) -> int:
        """The number of open calls, in the latest run of each execution on the server: a retry is a new one."""
        latest = {execution: calls for (execution, _), calls in self._open.items()}
        return sum(map(len, latest.values()))


async def until_answered(api: MistralAPI, run_id: str, ended: datetime, within: timedelta) -> None:
    """Wait until the calls of a run that has ended have told what they gave; what does not come in time is paid for again.

    Args:
        api: the platform's API.
        run_id: the run.
        ended: when it ended.
        within: the longest time after its end that is waited.

    Raises:
        EngineUnavailable: the platform does not answer.
    """
    loop = asyncio.get_running_loop()
    age = max(timedelta(), datetime.now(UTC) - ended)
    deadline, pause = loop.time() + (within - age).total_seconds(), _LOOK_SECONDS
    if age >= within:
        return
    await asyncio.sleep((_SETTLES - min(age, _SETTLES)).total_seconds())
    found = count = await _count(api, run_id)
    if found:
        logger.info("run '%s' has ended; waiting for the results of %s", run_id, _calls(found))
    while count and loop.time() < deadline:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_LOOK_SECONDS)
        count = await _count(api, run_id)
    if count:
        logger.warning(
            "%s of run '%s' did not end within %g seconds of its end; a result that arrives later will be paid for again",
            _calls(count),
            run_id,
            within.total_seconds(),
        )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"


async def _count(api: MistralAPI, run_id: str) -> int:
    calls = OpenCalls()
    async for event in api.events(root=names.execution_id(run_id)):
        calls.read(event)
    return len(calls)
