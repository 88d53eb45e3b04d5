"""Implements the port of orchestrators for a run on Temporal."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
)
from temporalio.exceptions import CancelledError, TerminatedError
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.service import RPCError, RPCStatusCode

from pipelex.content.stuff import WorkingMemory
from pipelex.durable.failures import out_of_time
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.kept import KeptResults
from pipelex.orchestration import PATIENCE, EngineUnavailable, RunCounts, RunDescription, RunSource, RunState, Wait
from pipelex.orchestration.refusals import continuing, goes_on, has_ended, is_cancelled, no_such_run, nothing_to_retry
from pipelex.pipes.calls import PipeOutcome, Reuse
from pipelex.pipes.references import read_value
from pipelex.pipes.trace import PipeTrace
from pipelex.temporal.client.begin import begin
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.earlier.begun import Begun, Below, read_begun, read_below
from pipelex.temporal.client.earlier.kept import read_kept
from pipelex.temporal.client.earlier.reset import reset_run, until_closed
from pipelex.temporal.client.earlier.source import read_source
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.client.visibility import count_pipes, described, replay_of, run_query, state_of
from pipelex.temporal.client.waits import waits_of
from pipelex.temporal.codec import loaded, loaded_memory
from pipelex.temporal.workflow.failures import from_failure, is_about_missing_store, without_store
from pipelex.temporal.workflow.limits import LIMITS
from pipelex.temporal.workflow.observability import pipe_of

_QUERY: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class TemporalRun:
    """A run on Temporal, started here or elsewhere; see `OrchestratedRun`."""

    cluster: Cluster
    run_id: str

    @property
    def workflow_id(self) -> str:
        """The id of the entry pipe's workflow."""
        return self.cluster.id_prefix + self.run_id

    @property
    def handle(self) -> WorkflowHandle[Any, PipeOutcome]:
        """The handle of the entry pipe's workflow; it always refers to the latest run of the workflow."""
        return self.cluster.client.get_workflow_handle(self.workflow_id, result_type=PipeOutcome)

    # --- description --------------------------------------------------------------------------------------------------

    async def execution(self) -> WorkflowExecutionDescription:
        """The server's description of the entry pipe's workflow.

        Raises:
            PipelexError: there is no such run, or no server answers.
        """
        try:
            return await self.handle.describe()
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def describe(self) -> RunDescription:
        """See `OrchestratedRun.describe`."""
        execution = await self.execution()
        summary = await execution.static_summary() or ""
        found = described(self.cluster, execution, pipe_of(summary))
        return replace(found, replay_of=await replay_of(execution))

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """See `OrchestratedRun.trace`."""
        try:
            return await read_trace(self.cluster.client, self.workflow_id, values=values, ended=ended)
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def counts(self) -> RunCounts | None:
        """See `OrchestratedRun.counts`."""
        return await count_pipes(self.cluster.client, self._query)

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """See `OrchestratedRun.waits`."""
        try:
            return await waits_of(self.cluster.client, self.run_id, self.workflow_id, self._query, patience)
        except RPCError as failed:
            raise self._refusal(failed) from None

    @property
    def _query(self) -> str:
        return run_query(self.cluster, self.run_id, self.workflow_id)

    # --- end and result -----------------------------------------------------------------------------------------------

    async def result(self) -> PipeOutcome:
        """See `OrchestratedRun.result`.

        Raises:
            PipelexError: the run did not succeed, or its result is stored or encrypted and cannot be read here.
        """
        try:
            outcome = await self.handle.result()
        except WorkflowFailureError as failed:
            if isinstance(failed.cause, CancelledError):
                raise is_cancelled(self.run_id) from None
            if isinstance(failed.cause, TemporalTimeout):  # the run's own time-out; calls report theirs themselves
                raise out_of_time("run", f"run '{self.run_id}'", LIMITS) from None
            told = from_failure(failed.cause, what=f"run '{self.run_id}'")
            if isinstance(failed.cause, TerminatedError) and told.report.advice is None:
                told = told.with_report(advice=continuing(self.run_id))
            raise told from None
        except RPCError as failed:
            raise self._refusal(failed) from None
        except RuntimeError as failed:
            if is_about_missing_store(failed):
                raise without_store(f"run '{self.run_id}'") from None
            raise
        if outcome.stuff is None:
            return outcome
        stuff = await loaded(self.cluster.client.data_converter, outcome.stuff)
        return outcome if stuff is outcome.stuff else outcome.model_copy(update={"stuff": stuff})

    async def ended(self, within: timedelta) -> RunState:
        """See `OrchestratedRun.ended`."""
        closing = self.handle.fetch_history_events(
            wait_new_event=True,
            event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT,
            skip_archival=True,
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                await anext(closing, None)
        except TimeoutError:
            pass
        except RPCError as failed:
            raise self._refusal(failed) from None
        return state_of((await self.execution()).status)

    async def working_memory(self) -> WorkingMemory | None:
        """See `OrchestratedRun.working_memory`; None if no worker answers the query."""
        try:
            wire = await self.handle.query("working_memory", rpc_timeout=_QUERY)
        except Exception:
            return None
        memory = WorkingMemory.from_json(cast("dict[str, Any]", wire), read_value)
        return await loaded_memory(self.cluster.client.data_converter, memory)

    # --- operations ---------------------------------------------------------------------------------------------------

    async def cancel(self) -> None:
        """See `OrchestratedRun.cancel`."""
        await self._check_it_goes_on()
        try:
            await self.handle.cancel()
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def terminate(self, reason: str) -> None:
        """See `OrchestratedRun.terminate`."""
        await self._check_it_goes_on()
        try:
            await self.handle.terminate(reason=reason)
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def retry(self, start_over: str | None = None) -> "TemporalRun":
        """See `OrchestratedRun.retry`.

        The run continues in its own history, by a reset, if that repeats nothing that succeeded. Otherwise it is
        started again under its id, and reuses its earlier results. It is also started again if `start_over` names a
        pipe, if it completed without some items, or if it timed out, because a reset keeps the run's time limits.
        """
        execution = await self.execution()
        state = state_of(execution.status)
        if not state.has_ended:
            raise goes_on(self.run_id)
        if start_over is None and state is RunState.COMPLETED and (await self.result()).failures is None:
            raise nothing_to_retry(self.run_id, state)
        begun, below = await self._begun(execution)
        await until_closed(self.cluster.client, self.run_id, below.open)
        point = None if begun.is_lost_by_reset or below.has_results else begun.reset_point
        starts_anew = state in (RunState.COMPLETED, RunState.TIMED_OUT)
        if point is None or start_over is not None or starts_anew:
            await self._start_again(execution, start_over)
        else:
            await reset_run(self.cluster.client, self.run_id, execution, point)
        return self

    async def _begun(self, execution: WorkflowExecutionDescription) -> tuple[Begun, Below]:
        client = self.cluster.client
        try:
            begun = await read_begun(client, execution.id, execution.run_id)
            return begun, await read_below(client, begun)
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def _start_again(self, execution: WorkflowExecutionDescription, start_over: str | None) -> None:
        source, reuse = await self._source(execution), await self.reuse(start_over)
        await begin(self.cluster, source.request(reuse=reuse), is_again=True)

    # --- source and results for other runs ----------------------------------------------------------------------------

    async def source(self) -> RunSource:
        """See `OrchestratedRun.source`."""
        return await self._source(await self.execution())

    async def _source(self, execution: WorkflowExecutionDescription) -> RunSource:
        try:
            return await read_source(self.cluster, self.run_id, execution)
        except RPCError as failed:
            raise self._refusal(failed) from None

    async def kept(self, start_over: str | None = None) -> KeptResults:
        """See `OrchestratedRun.kept`."""
        return await read_kept(self.cluster.client, await self.reuse(start_over))

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """See `OrchestratedRun.reuse`."""
        execution = (await self.execution()).run_id
        return Reuse.sparse(
            run_id=self.run_id, workflow_id=self.workflow_id, execution=execution, start_over=start_over
        )

    async def _check_it_goes_on(self) -> None:
        state = state_of((await self.execution()).status)
        if state.has_ended:
            raise has_ended(self.run_id, state)

    def _refusal(self, failed: RPCError) -> PipelexError:
        if failed.status == RPCStatusCode.NOT_FOUND:
            return no_such_run(self.run_id, self.cluster.place)
        return EngineUnavailable(
            "runtime.unavailable",
            f"Temporal did not answer about run '{self.run_id}': {failed.message}",
            params={"dependency": "temporal"},
            category=ErrorCategory.TRANSIENT,
            advice=f"The run is not affected. Get its result later: pipelex runs result {self.run_id}",
        )
