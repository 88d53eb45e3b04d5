"""Runs a whole pipe as one activity of your own workflow. Only its start and its result are durable.

The first call loads the SDK, the models and the library.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelex.durable.heartbeats import beat_until_done
from pipelex.errors import PipelexError
from pipelex.mistral_workflows.progress import STEP_TASK
from pipelex.orchestration import IN_PROCESS
from pipelex.pipes.trace import PipeTrace, RunState
from pipelex.pipes.usage import usages_to_json
from pipelex.runner import Method, Pipelex

Members = dict[str, Any]


async def run_pipe(
    method: str | Path, inputs: Mapping[str, Any] | None = None, *, pipe: str | None = None, dry_run: bool = False
) -> Members:
    """Run a pipe in-process, inside an activity of Mistral Workflows, with a task for each of its steps.

    The activity's own time-outs and retries apply to the whole pipe: a failed attempt is repeated from the start. If
    the activity has a heartbeat time-out, heartbeats are sent.

    Args:
        method: a bundle file or a method's folder, relative to the working directory.
        inputs: name → bare value or `{concept, content}`.
        pipe: the code or reference of the pipe; the method's entry pipe by default.
        dry_run: whether to mock every effect.

    Returns:
        `value`, with the result's concept and content, and `usage`, with the usage of each model.

    Raises:
        ApplicationError: the pipe failed inside an activity. The type is the error's code, the only detail the report.
        PipelexError: the pipe failed outside an activity.
    """
    steps = _Steps()
    _beat()
    async with steps:
        try:
            result = await _method(Path(method).absolute()).run(
                inputs, pipe=pipe, dry_run=dry_run, on_change=steps.notice
            )
        except PipelexError as failed:
            await steps.end()
            raise _thrown(failed) from None
        await steps.end()
    return {"value": result.value.to_json(), "usage": usages_to_json(result.usage)}


@lru_cache(maxsize=32)
def _method(path: Path) -> Method:
    """A method as it was when this process loaded it."""
    return _app().load(path)


@lru_cache(maxsize=1)
def _app() -> Pipelex:
    return Pipelex(orchestrator=IN_PROCESS)


def _thrown(failed: PipelexError) -> BaseException:
    from temporalio import activity

    from pipelex.temporal.workflow.failures import to_application_error

    return to_application_error(failed.report, may_retry=True) if activity.in_activity() else failed


def _beat() -> None:
    """Send heartbeats of the current activity until it is done, if it has a heartbeat time-out."""
    from temporalio import activity

    if activity.in_activity():
        beat_until_done(activity.heartbeat, activity.info().heartbeat_timeout)


class _Steps:
    """A custom task for each pipe of an in-process run, kept up to date from the run's trace."""

    def __init__(self) -> None:
        self._seen: asyncio.Queue[PipeTrace | None] = asyncio.Queue()
        self._open: dict[str, tuple[Any, Members]] = {}
        self._ended: set[str] = set()
        self._telling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "_Steps":
        from temporalio import activity

        if activity.in_activity():
            self._telling = asyncio.create_task(self._tell())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    def notice(self, trace: PipeTrace) -> None:
        """Queue the current trace of the run, to be reported."""
        self._seen.put_nowait(trace)

    async def end(self) -> None:
        """Report all queued traces, and stop reporting."""
        telling, self._telling = self._telling, None
        if telling is not None:
            self._seen.put_nowait(None)
            await telling

    async def _tell(self) -> None:
        while (trace := await self._seen.get()) is not None:
            await self._tell_of(trace)

    async def _tell_of(self, trace: PipeTrace) -> None:
        if trace.id not in self._open and trace.id not in self._ended and trace.pipe:
            await self._begin(trace)
        for child in list(trace.children):
            await self._tell_of(child)
        if trace.status.has_ended and trace.id in self._open:
            await self._close(trace)

    async def _begin(self, trace: PipeTrace) -> None:
        import mistralai.workflows as sdk

        state: Members = {"pipe": trace.pipe, "type": trace.type, "step": trace.id, "state": RunState.RUNNING.value}
        task = sdk.task(STEP_TASK, state=state)
        await task.__aenter__()
        self._open[trace.id] = (task, state)

    async def _close(self, trace: PipeTrace) -> None:
        task, state = self._open.pop(trace.id)
        self._ended.add(trace.id)
        state["state"] = trace.status.value
        state["usage"] = usages_to_json(trace.own_usage)
        if trace.error is not None:
            state["error"] = trace.error.to_json()
        await task.__aexit__(None, None, None)
