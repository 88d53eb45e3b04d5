"""Stops calls in flight within seconds after their run has ended, instead of at the next heartbeat.

The server reports a cancelled activity only in its answer to a heartbeat, and the SDK sends one every four fifths of
the heartbeat time-out. More heartbeats would be more billed actions. A question about the state of a workflow is not
billed and writes no event, so a worker asks about the workflows of its longer calls.

It asks about the entry workflows first, because one answer serves all calls of a run. With the questions that are left,
it asks about the workflows that made the calls, because one of them may have been cancelled alone.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError

from pipelex.durable.jobs import SLICE_WORKFLOW
from pipelex.language.blueprints import PIPE_TYPES

QUESTIONS_AT_ONCE: Final = 20
"""The most workflows that a worker asks about at a time; others wait for a later round, or for a heartbeat."""
_ANSWER_WITHIN: Final = timedelta(seconds=5)
"""The time limit of one question."""


@dataclass(eq=False)
class _Call:
    """A call in flight."""

    client: Client
    task: "asyncio.Task[Any]"
    token: bytes
    workflow_id: str
    run_id: str
    activity_id: str
    since: float
    """The time at which the call began, in seconds of the event loop's clock."""
    is_over: bool = False
    """Whether it was stopped because nobody waits for it."""

    @property
    def root(self) -> str:
        """The id of its run's entry workflow."""
        return self.workflow_id.partition("/")[0]

    def stop(self) -> None:
        """Cancel its task, unless this was done before."""
        if not self.is_over:
            self.is_over = True
            self.task.cancel()


@dataclass(frozen=True)
class _Question:
    """A workflow to ask about."""

    client: Client
    workflow_id: str
    run_id: str = ""
    """The id of the execution; empty for the latest one."""


class CancelWatch:
    """Watches the calls in flight of one worker, and stops those that nobody waits for.

    Args:
        interval: the time between two checks, and the age from which a call is checked; None to check nothing.
    """

    def __init__(self, interval: timedelta | None) -> None:
        self._interval = None if interval is None else interval.total_seconds()
        self._calls: set[_Call] = set()
        self._looking: asyncio.Task[None] | None = None
        self._asked: dict[_Question, float] = {}

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Watch the current activity while the block runs.

        If the block is stopped, the server is told that the activity was cancelled, unless it no longer knows it.
        """
        if self._interval is None or activity.info().is_local:
            yield
            return
        call = self._begin()
        try:
            yield
            if call.is_over:  # the block ended before its cancellation arrived, or in spite of it
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                call.task.uncancel()
        except asyncio.CancelledError:
            if not call.is_over:
                raise
            call.task.uncancel()
            with suppress(RPCError):
                await call.client.get_async_activity_handle(task_token=call.token).report_cancellation()
            activity.raise_complete_async()
        finally:
            self._end(call)

    def _begin(self) -> _Call:
        info, task = activity.info(), asyncio.current_task()
        assert task is not None
        now = asyncio.get_running_loop().time()
        call = _Call(
            activity.client(),
            task,
            info.task_token,
            info.workflow_id or "",
            info.workflow_run_id or "",
            info.activity_id,
            now,
        )
        self._calls.add(call)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return call

    def _end(self, call: _Call) -> None:
        self._calls.discard(call)
        if not self._calls and self._looking is not None:
            self._looking.cancel()
            self._looking = None
            self._asked.clear()

    async def _look(self) -> None:
        interval = self._interval or 0.0
        while True:
            await asyncio.sleep(interval)
            now = asyncio.get_running_loop().time()
            lasting = [call for call in self._calls if not call.is_over and now - call.since >= interval]
            questions = self._questions(lasting)
            self._asked = {each: when for each, when in self._asked.items() if each in questions}
            chosen = sorted(questions, key=lambda each: (bool(each.run_id), self._asked.get(each, 0.0)))
            self._asked |= dict.fromkeys(chosen[:QUESTIONS_AT_ONCE], now)
            await asyncio.gather(*(_ask(each, questions[each]) for each in chosen[:QUESTIONS_AT_ONCE]))

    def _questions(self, calls: Iterable[_Call]) -> dict[_Question, list[_Call]]:
        """The workflows to ask about, each with the calls that its answer may stop."""
        found: dict[_Question, list[_Call]] = {}
        for call in calls:
            found.setdefault(_Question(call.client, call.workflow_id, call.run_id), []).append(call)
            if call.root != call.workflow_id:
                found.setdefault(_Question(call.client, call.root), []).append(call)
        return found


async def _ask(question: _Question, calls: Iterable[_Call]) -> None:
    """Ask about a workflow, and stop its calls that nobody waits for. Without an answer, all of them continue."""
    request = DescribeWorkflowExecutionRequest(
        namespace=question.client.namespace,
        execution=WorkflowExecution(workflow_id=question.workflow_id, run_id=question.run_id),
    )
    with suppress(RPCError):
        told = await question.client.workflow_service.describe_workflow_execution(request, timeout=_ANSWER_WITHIN)
        for call in calls:
            if _is_over(told, call):
                call.stop()


def _is_over(told: DescribeWorkflowExecutionResponse, call: _Call) -> bool:
    """Whether a workflow no longer waits for a call. A foreign workflow may end and leave its children running."""
    execution = told.workflow_execution_info
    if execution.type.name in (*PIPE_TYPES, SLICE_WORKFLOW):
        is_running = execution.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
        if not is_running or told.workflow_extended_info.cancel_requested:
            return True
    if execution.execution.run_id != call.run_id:
        return False
    return any(
        each.activity_id == call.activity_id
        and each.state == PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
        for each in told.pending_activities
    )
