"""A run on Mistral Workflows: its description, its result, and the operations on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, cast

from pipelex.content.stuff import Json, WorkingMemory
from pipelex.durable.failures import out_of_time
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import as_object, maybe
from pipelex.inference.calls.kept import KeptResults
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.about import attributes_in, replay_in, user_in
from pipelex.mistral_workflows.api import EVENTS_PER_PAGE
from pipelex.mistral_workflows.earlier.begun import read_source
from pipelex.mistral_workflows.earlier.kept import read_kept
from pipelex.mistral_workflows.earlier.open_calls import until_answered
from pipelex.mistral_workflows.earlier.restart import begin_again, reset_run, until_closed
from pipelex.mistral_workflows.limits import limits_of
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.progress import STATES, ExecutionProgress, Told
from pipelex.orchestration import PATIENCE, RunCounts, RunDescription, RunSource, RunState, Wait, WaitKind
from pipelex.orchestration.refusals import goes_on, has_ended, is_cancelled, no_such_run, nothing_to_retry, unsupported
from pipelex.pipes.calls import PipeOutcome, Reuse
from pipelex.pipes.references import read_value
from pipelex.pipes.trace import PipeTrace
from pipelex.pipes.traces.closing import close
from pipelex.pipes.usage import cost_of

Members = Mapping[str, Json]

_LATE_SECONDS: Final = 10.0
"""The longest wait, in seconds, for an event after the state of its execution is known."""
_LOOK_SECONDS: Final = 0.25
_FIRST_EVENTS: Final = 20
"""The number of events per request when only the first task of a run is needed."""
_RESET: Final = (RunState.FAILED, RunState.TERMINATED)
"""The states after which a retry resets a run if it can, rather than starting it again."""
_COUNTED: Final = 10_000
"""The most executions that `counts` counts."""


@dataclass(frozen=True)
class MistralRun:
    """A run on Mistral Workflows, started here or elsewhere; see `OrchestratedRun`."""

    platform: Platform
    run_id: str

    @property
    def workflow_id(self) -> str:
        """The id of the entry pipe's execution."""
        return names.execution_id(self.run_id)

    # --- description --------------------------------------------------------------------------------------------------

    async def execution(self) -> Members:
        """The platform's description of the entry pipe's execution.

        Raises:
            PipelexError: there is no such run, or the platform does not answer.
        """
        found = await self.platform.api.execution(self.workflow_id)
        if found is None:
            raise no_such_run(self.run_id, self.platform.place)
        return found

    async def describe(self) -> RunDescription:
        """See `OrchestratedRun.describe`."""
        execution = await self.execution()
        told = await self.told()
        return described(self.platform, execution, told)

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """See `OrchestratedRun.trace`. If the platform itself ended the run, no event says so: its description does."""
        execution = await self.execution()
        progress = ExecutionProgress()
        async for event in self.platform.api.events(root=self.workflow_id):
            progress.read(event)
        trace = progress.trace(self.workflow_id)
        state = state_of(execution)
        if state.has_ended and not trace.status.has_ended:
            trace.status, trace.ended = state, _time(execution.get("end_time"))
        if trace.status.has_ended:
            close(trace)
        return trace

    async def counts(self) -> RunCounts | None:
        """See `OrchestratedRun.counts`."""
        found = await self.platform.api.executions(root=self.workflow_id, limit=_COUNTED)
        states = [state_of(each) for each in found]
        running, completed = states.count(RunState.RUNNING), states.count(RunState.COMPLETED)
        return RunCounts(running, completed, len(states) - running - completed)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """See `OrchestratedRun.waits`. The platform reports nothing about the pollers of a task queue."""
        execution = await self.execution()
        if state_of(execution).has_ended:
            return []
        if execution.get("status") == "RETRYING_AFTER_ERROR":
            detail = "a worker cannot continue the run and keeps trying; its log says why"
            return [Wait(WaitKind.TASK_FAILS, self.workflow_id, "workflow task", detail)]
        progress = ExecutionProgress()
        async for event in self.platform.api.events(root=self.workflow_id):
            progress.read(event)
        if not progress.executions:
            return await self._waits_for_a_worker(execution, patience)
        return [wait for told in progress.executions.values() for wait in _failing_calls(told, self.workflow_id)]

    async def _waits_for_a_worker(self, execution: Members, patience: timedelta) -> list[Wait]:
        started = _time(execution.get("start_time"))
        if started is None or datetime.now(UTC) - started < patience:
            return []
        platform = self.platform
        has_workers = await platform.has_workers()
        detail = (
            f"workers serve the deployment '{platform.deployment}', but none has taken the run yet"
            if has_workers
            else f"no worker serves the deployment '{platform.deployment}'"
        )
        kind = WaitKind.NOT_TAKEN if has_workers else WaitKind.NO_WORKER
        advice = None if has_workers else f"Start one with: {platform.worker_command}"
        return [Wait(kind, self.workflow_id, "workflow task", detail, advice, queue=platform.deployment)]

    # --- end ----------------------------------------------------------------------------------------------------------

    async def result(self) -> PipeOutcome:
        """See `OrchestratedRun.result`."""
        while not state_of(execution := await self.execution()).has_ended:
            await asyncio.sleep(self.platform.config.poll_interval.total_seconds())
        state = state_of(execution)
        if state is not RunState.COMPLETED:
            raise await self._failure(state)
        outcome = PipeOutcome.model_validate((await self._given(execution))["outcome"])
        if outcome.stuff is None:
            return outcome
        stuff = await self.platform.values.loaded(outcome.stuff)
        return outcome if stuff is outcome.stuff else outcome.model_copy(update={"stuff": stuff})

    async def ended(self, within: timedelta) -> RunState:
        """See `OrchestratedRun.ended`."""
        deadline = asyncio.get_running_loop().time() + within.total_seconds()
        step = min(self.platform.config.poll_interval.total_seconds(), 1.0)
        while not (state := state_of(await self.execution())).has_ended:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(step, left))
        return state

    async def working_memory(self) -> WorkingMemory | None:
        """See `OrchestratedRun.working_memory`; None if the run has no result or was not asked for its memory."""
        execution = await self.execution()
        if state_of(execution) is not RunState.COMPLETED:
            return None
        wire = (await self._given(execution)).get("memory")
        if wire is None:
            return None
        return await self.platform.values.loaded_memory(WorkingMemory.from_json(as_object(wire), read_value))

    async def _given(self, execution: Members) -> Members:
        """The result of the entry pipe's execution.

        Raises:
            PipelexError: the result is not that of a pipe, or cannot be read from here.
        """
        found = await self.platform.values.value(execution.get("result"))
        if not isinstance(found, Mapping) or "outcome" not in found:
            raise _error("runtime.unexpected", f"the result of run '{self.run_id}' is not the result of a pipe")
        return cast("Members", found)

    async def _failure(self, state: RunState) -> PipelexError:
        """The error of a run that did not succeed. Its events may arrive after its state, so this waits for them."""
        match state:
            case RunState.CANCELLED:
                return is_cancelled(self.run_id)
            case RunState.TERMINATED:
                return _error("run.terminated", f"run '{self.run_id}' was terminated", params={"ended_by": "operator"})
            case RunState.TIMED_OUT:
                return out_of_time("run", f"run '{self.run_id}'", limits_of())
            case _:
                return await self._reported()

    async def _reported(self) -> PipelexError:
        deadline = asyncio.get_running_loop().time() + _LATE_SECONDS
        told = await self.told()
        while told.error is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            told = await self.told()
        if told.error is not None:
            return PipelexError.from_report(told.error)
        said = f": {told.message}" if told.message else ""
        return _error("runtime.unexpected", f"run '{self.run_id}' failed{said}")

    async def told(self, *, at_its_beginning: bool = False) -> Told:
        """The facts that the events of the entry pipe's execution report.

        Args:
            at_its_beginning: whether to stop at the first task of the pipe, which has the facts about the run's start.
        """
        progress = ExecutionProgress()
        page = _FIRST_EVENTS if at_its_beginning else EVENTS_PER_PAGE
        async for event in self.platform.api.events(execution=self.workflow_id, page=page):
            progress.read(event)
            if at_its_beginning and progress.knows(self.workflow_id):
                break
        return progress.executions.get(self.workflow_id, Told(self.workflow_id))

    # --- operations ---------------------------------------------------------------------------------------------------

    async def cancel(self) -> None:
        """See `OrchestratedRun.cancel`."""
        await self._check_it_goes_on()
        await self.platform.api.cancel(self.workflow_id)

    async def terminate(self, reason: str) -> None:
        """See `OrchestratedRun.terminate`. The platform takes no reason."""
        del reason
        await self._check_it_goes_on()
        await self.platform.api.terminate(self.workflow_id)

    async def retry(self, start_over: str | None = None) -> "MistralRun":
        """See `OrchestratedRun.retry`.

        A run that failed or was terminated is reset if possible, because only a reset is certain to keep its id. Any
        other run is first started again under its id: a reset does not renew the time of a run that timed out, may keep
        the request that cancelled a run, and cannot start over from a chosen pipe.
        The results of calls that were under way when the run ended are awaited first.
        """
        execution = await self.execution()
        state = state_of(execution)
        if not state.has_ended:
            raise goes_on(self.run_id)
        is_partial = state is RunState.COMPLETED
        if start_over is None and is_partial and (await self.result()).failures is None:
            raise nothing_to_retry(self.run_id, state)
        await until_closed(self.platform.api, self.run_id, self.workflow_id)
        await self._until_answered(execution)
        ways = [partial(self._begins_again, execution, start_over)]
        if start_over is None and not is_partial:
            ways.insert(0 if state in _RESET else 1, partial(reset_run, self.platform.api, self.workflow_id))
        for goes_on_so in ways:
            if await goes_on_so():
                return self
        raise self._takes_its_id_once(start_over)

    async def _begins_again(self, execution: Members, start_over: str | None) -> bool:
        source = await read_source(self.platform, self.run_id, self.workflow_id)
        return await begin_again(self.platform, source, await self.reuse(start_over), execution)

    async def _until_answered(self, execution: Members) -> None:
        """Wait for the results that are on their way when a run that did not succeed has just ended."""
        ended = _time(execution.get("end_time"))
        if ended is not None and state_of(execution) is not RunState.COMPLETED:
            await until_answered(self.platform.api, self.run_id, ended, self.platform.config.answers_within)

    def _takes_its_id_once(self, start_over: str | None) -> PipelexError:
        option = "" if start_over is None else f" --from {start_over}"
        return unsupported(
            "retry",
            f"Mistral Workflows cannot start run '{self.run_id}' again under the same id",
            f"Run it again with the results that it already has: pipelex runs replay {self.run_id}{option}",
        )

    # --- reuse by other runs ------------------------------------------------------------------------------------------

    async def source(self) -> RunSource:
        """See `OrchestratedRun.source`."""
        await self.execution()
        return await read_source(self.platform, self.run_id, self.workflow_id)

    async def kept(self, start_over: str | None = None) -> KeptResults:
        """See `OrchestratedRun.kept`. If an event did not reach the platform, its result is missing."""
        await self._until_answered(await self.execution())
        return await read_kept(self.platform, await self.reuse(start_over))

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """See `OrchestratedRun.reuse`."""
        execution = maybe((await self.execution()).get("run_id"), str)
        return Reuse.sparse(
            run_id=self.run_id, workflow_id=self.workflow_id, execution=execution, start_over=start_over
        )

    async def _check_it_goes_on(self) -> None:
        state = state_of(await self.execution())
        if state.has_ended:
            raise has_ended(self.run_id, state)


def state_of(execution: Members) -> RunState:
    """The state of an execution. A status that this release does not know counts as running."""
    return STATES.get(str(execution.get("status")), RunState.RUNNING)


def described(platform: Platform, execution: Members, told: Told | None = None) -> RunDescription:
    """The description of a run, from its entry pipe's execution.

    Args:
        platform: the platform that it is on.
        execution: the platform's description of the execution.
        told: the facts that its events report, if they were read.
    """
    id_, workflow = str(execution["execution_id"]), str(execution["workflow_name"])
    state: Members = {} if told is None else told.pipe
    return RunDescription(
        run_id=names.run_id_of(id_),
        workflow_id=id_,
        pipe=str(state.get("pipe") or names.pipe_of(workflow) or ""),
        pipe_type=str(state.get("type") or workflow),
        state=state_of(execution),
        started=_time(execution.get("start_time")) or datetime.fromtimestamp(0, UTC),
        ended=_time(execution.get("end_time")),
        place=platform.place,
        user=user_in(state),
        attributes=attributes_in(state),
        cost=None if told is None or not state_of(execution).has_ended else cost_of(told.usage),
        replay_of=replay_in(state),
    )


def _failing_calls(told: Told, root: str) -> list[Wait]:
    """A wait for each call of an execution whose last attempt failed and that will be tried again."""
    if told.state.has_ended:
        return []
    return [
        Wait(
            WaitKind.CALL_FAILS,
            names.trace_id(root, told.id),
            call.name,
            f"{call.summary} failed and is tried again: {call.error.detail}",
            call.error.advice,
            attempt=call.attempts + 1,
            report=call.error,
        )
        for call in told.calls()
        if call.status is RunState.FAILED and call.error is not None and call.error.is_retryable
    ]


def _time(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    found = datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _error(code: str, detail: str, **members: object) -> PipelexError:
    return PipelexError(code, detail, category=ErrorCategory.UNKNOWN, **members)
