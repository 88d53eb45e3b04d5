"""A run on Temporal behind the port of orchestrators."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistoryEventFilterType,
)
from temporalio.exceptions import CancelledError
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.service import RPCError, RPCStatusCode

from pipelex.content.stuff import WorkingMemory
from pipelex.durable.failures import out_of_time
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import PATIENCE, EngineUnavailable, RunCounts, RunDescription, RunState, Wait
from pipelex.orchestration.refusals import has_ended, is_cancelled, no_such_run
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.references import read_value
from pipelex.pipes.trace import PipeTrace
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.client.reset import retry_run
from pipelex.temporal.client.visibility import count_pipes, described, run_query, state_of
from pipelex.temporal.client.waits import waits_of
from pipelex.temporal.codec import loaded, loaded_memory
from pipelex.temporal.workflow.failures import from_failure, is_about_missing_store, without_store

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
        """The entry pipe's workflow, whichever run of it is the latest."""
        return self.cluster.client.get_workflow_handle(self.workflow_id, result_type=PipeOutcome)

    # --- what it is ---------------------------------------------------------------------------------------------------

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
        return described(self.cluster, execution, summary.partition(" — ")[0])

    async def trace(self) -> PipeTrace:
        """See `OrchestratedRun.trace`."""
        try:
            return await read_trace(self.cluster.client, self.workflow_id)
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

    # --- its end ------------------------------------------------------------------------------------------------------

    async def result(self) -> PipeOutcome:
        """See `OrchestratedRun.result`.

        Raises:
            PipelexError: also where the result is stored or encrypted, and cannot be read here.
        """
        try:
            outcome = await self.handle.result()
        except WorkflowFailureError as failed:
            if isinstance(failed.cause, CancelledError):
                raise is_cancelled(self.run_id) from None
            if isinstance(failed.cause, TemporalTimeout):  # of the run itself: those of its calls are reports of ours
                raise out_of_time("run", f"run '{self.run_id}'") from None
            raise from_failure(failed.cause, what=f"run '{self.run_id}'") from None
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
        """See `OrchestratedRun.working_memory`; None when no worker is there to tell."""
        try:
            wire = await self.handle.query("working_memory", rpc_timeout=_QUERY)
        except Exception:
            return None
        memory = WorkingMemory.from_json(cast("dict[str, Any]", wire), read_value)
        return await loaded_memory(self.cluster.client.data_converter, memory)

    # --- what may be done with it -------------------------------------------------------------------------------------

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

    async def retry(self) -> None:
        """See `OrchestratedRun.retry`."""
        await retry_run(self.cluster.client, self.run_id, await self.execution())

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
            advice=f"The run is where it was. Its result, later: pipelex runs result {self.run_id}",
        )
