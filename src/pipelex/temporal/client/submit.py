"""Starting runs on Temporal, attaching to them, and bringing their results back."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast

from temporalio.api.enums.v1 import PendingWorkflowTaskState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import CancelledError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from pipelex.content.stuff import WorkingMemory
from pipelex.durable.jobs import Envelope, PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_payload, task_timeout
from pipelex.durable.options import EngineOptions
from pipelex.errors import ErrorCategory, ErrorReport, Location, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.pipes.references import read_value
from pipelex.temporal.codec import in_run, loaded, loaded_memory, stored_above, stored_as_parts
from pipelex.temporal.config import TemporalConfig
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.failures import from_failure, is_about_missing_store, without_store
from pipelex.temporal.workflow.limits import LIMITS
from pipelex.temporal.workflow.payloads import Arguments

ENVIRONMENT_PREFIXES: Final = {"unit_testing": "ut-", "ci": "ci-", "cc": "cc-", "cct": "cct-"}
"""What goes before the pipeline run id of a run that is no ordinary one, by the name of the environment."""

_QUERY = timedelta(seconds=10)

LONGEST_POLL: Final = timedelta(seconds=75)
"""A poll is answered, or asked again, after a minute; the rest is for clocks that differ."""

_TASK_KINDS: Final = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


@dataclass(frozen=True)
class DurableRun:
    """A run on Temporal, started here or elsewhere."""

    client: Client
    run_id: str
    """The pipeline run id."""
    workflow_id: str

    @property
    def handle(self) -> WorkflowHandle[Any, PipeOutcome]:
        return self.client.get_workflow_handle(self.workflow_id, result_type=PipeOutcome)

    async def result(self) -> PipeOutcome:
        """Wait for the run's end.

        Raises:
            PipelexError: it failed, was cancelled or terminated, timed out, there is no such run, or its result is
                stored or encrypted, and cannot be read here.
        """
        try:
            outcome = await self.handle.result()
        except WorkflowFailureError as failed:
            raise self._failure(failed.cause) from None
        except RPCError as failed:
            raise self._rpc_failure(failed) from None
        except RuntimeError as failed:
            if is_about_missing_store(failed):
                raise without_store(f"run '{self.run_id}'") from None
            raise
        if outcome.stuff is None:
            return outcome
        stuff = await loaded(self.client.data_converter, outcome.stuff)
        return outcome if stuff is outcome.stuff else outcome.model_copy(update={"stuff": stuff})

    def _failure(self, cause: BaseException) -> PipelexError:
        if isinstance(cause, CancelledError):
            return PipelexError("run.cancelled", f"run '{self.run_id}' was cancelled")
        return from_failure(cause, what=f"run '{self.run_id}'")

    def _rpc_failure(self, failed: RPCError) -> PipelexError:
        if failed.status == RPCStatusCode.NOT_FOUND:
            return PipelexError(
                "run.not_found",
                f"there is no run '{self.run_id}' in namespace '{self.client.namespace}'",
                params={"pipeline_run_id": self.run_id},
                category=ErrorCategory.CONTENT,
            )
        return PipelexError(
            "runtime.unavailable",
            f"Temporal did not answer about run '{self.run_id}': {failed.message}",
            params={"dependency": "temporal"},
            category=ErrorCategory.TRANSIENT,
            advice=f"The run is where it was. Its result, later: pipelex runs result {self.run_id}",
        )

    async def working_memory(self) -> WorkingMemory | None:
        """The memory the entry pipe ended with; None when no worker is there to tell."""
        try:
            wire = await self.handle.query("working_memory", rpc_timeout=_QUERY)
        except Exception:
            return None
        memory = WorkingMemory.from_json(cast("dict[str, Any]", wire), read_value)
        return await loaded_memory(self.client.data_converter, memory)

    async def describe(self) -> WorkflowExecutionDescription:
        """What the server knows of the entry pipe's workflow.

        Raises:
            PipelexError: there is no such run.
        """
        try:
            return await self.handle.describe()
        except RPCError as failed:
            raise self._rpc_failure(failed) from None

    async def status(self) -> WorkflowExecutionStatus:
        """The state of the entry pipe's workflow.

        Raises:
            PipelexError: there is no such run.
        """
        status = (await self.describe()).status
        assert status is not None  # the server always tells it
        return status

    async def entry_pipe(self) -> str:
        """The entry pipe's reference, as far as the run's search attributes and summary tell it.

        Raises:
            PipelexError: there is no such run.
        """
        description = await self.describe()
        attributes = description.typed_search_attributes
        domain, code = attributes.get(observability.DOMAIN_CODE), attributes.get(observability.PIPE_CODE)
        if domain is not None and code is not None:
            return f"{domain}.{code}"
        return (await description.static_summary() or "").partition(" — ")[0]

    async def cancel(self) -> None:
        """Ask the run to end; children and activities in flight are told."""
        try:
            await self.handle.cancel()
        except RPCError as failed:
            raise self._rpc_failure(failed) from None


class Submitter:
    """Starts runs on one cluster.

    Args:
        client: connected with Pipelex's converter.
        config: time-outs, default queue and search attributes.
        id_prefix: put before the pipeline run id to make the workflow id.
    """

    def __init__(self, client: Client, config: TemporalConfig, *, id_prefix: str = "") -> None:
        self.client = client
        self.config = config
        self.id_prefix = id_prefix

    def attach(self, run_id: str) -> DurableRun:
        """A run by its id; nothing is asked of the server yet."""
        return DurableRun(self.client, run_id, self.id_prefix + run_id)

    async def start(
        self,
        library: Library,
        call: PipeCall,
        run: RunIdentity,
        options: RunOptions,
        *,
        task_queue: str | None = None,
    ) -> DurableRun:
        """Start an entry pipe, or attach to the run that already has this id.

        Raises:
            PipelexError: the inputs are too large for a server without a store, the store does not take them, or the
                server refuses the start.
        """
        fixed = self._fixed(options)
        call = await self._by_reference(call, fixed, self.id_prefix + run.run_id)
        pipe = library.pipe(call.pipe)
        crate = crate_of(library, call)
        worker = self.config.worker_config
        durable = self.attach(run.run_id)
        enabled = self.config.search_attributes.attributes if self.config.search_attributes.enabled else ()
        attributes = observability.search_attributes(pipe, run, enabled)
        told = observability.identity(attributes)
        job = PipeJob.sparse(call=call, run=None if told == run else run, options=fixed)
        what = f"the inputs of pipe '{pipe.code}'"
        check_payload(job, LIMITS, what=what, named=call.inputs, stored_above=fixed.stored_above)
        kept, large = LargeValues(fixed.stored_above).split(call)
        sent = job.model_copy(update={"call": kept})
        try:
            await self.client.start_workflow(
                pipe.type,
                args=Arguments().of(Envelope(job=sent, crate=crate, large=large)),
                id=durable.workflow_id,
                task_queue=task_queue or worker.default_task_queue,
                result_type=PipeOutcome,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                execution_timeout=worker.workflow_execution_timeout,
                run_timeout=worker.run_timeout,
                task_timeout=task_timeout(worker.task_timeout, job),
                start_delay=worker.start_delay or None,
                rpc_timeout=worker.rpc_timeout,
                static_summary=observability.summary(pipe),
                static_details=observability.details(pipe, call, run, crate.fingerprint),
                search_attributes=attributes,
            )
        except WorkflowAlreadyStartedError:
            return durable  # it ended already: its result is what the caller gets
        except RPCError as refused:
            raise _refused(refused, call) from None
        return durable

    def _fixed(self, options: RunOptions) -> EngineOptions:
        """The options with what the configuration says of the sequence of a run's commands."""
        return EngineOptions.of(
            options,
            child_workflows=self.config.worker_config.child_workflow_policy,
            stored_above=stored_above(self.client.data_converter),
        )

    async def _by_reference(self, call: PipeCall, options: EngineOptions, workflow_id: str) -> PipeCall:
        """The call with its long lists in the store, where there is one."""
        if options.stored_above is None:
            return call
        converter = in_run(self.client.data_converter, self.client.namespace, workflow_id)
        inputs = {
            name: await stored_as_parts(converter, stuff, most_items=options.slice_size)
            for name, stuff in call.inputs.items()
        }
        return call.model_copy(update={"inputs": inputs}) if inputs else call

    async def has_workers(self, task_queue: str | None = None) -> bool:
        """Whether a workflow worker polls the queue, or did a moment ago; see `is_polled`."""
        return await is_polled(self.client, task_queue or self.config.worker_config.default_task_queue)


def _refused(refused: RPCError, call: PipeCall) -> PipelexError:
    if "size" in refused.message.lower() or "larger than max" in refused.message:
        inputs = {name: len(str(stuff.content)) for name, stuff in call.inputs.items()}
        name = max(inputs, key=lambda key: inputs[key], default="")
        return PipelexError(
            "input.too_large",
            f"the inputs of pipe '{call.pipe}' are too large for Temporal; the largest, '{name}', has about "
            f"{inputs.get(name, 0):,} characters",
            category=ErrorCategory.CONTENT,
            params={"input": name, "size": inputs.get(name, 0), "limit": 2_097_152},
            location=Location(input=name),
            advice="Set `[temporal.payload_codec_config] is_enabled = true` with a store, or give large documents by URL "
            "or file instead of by value.",
        )
    if "search attribute" in refused.message:
        return PipelexError(
            "runtime.misconfigured",
            f"Temporal refuses the run's search attributes: {refused.message}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "search_attributes"},
            advice="Run `pipelex setup-temporal-namespace`, or set `[temporal.search_attributes] enabled = false`.",
        )
    return PipelexError.from_report(
        ErrorReport(
            "runtime.unavailable",
            f"Temporal refused to start pipe '{call.pipe}': {refused.message}",
            category=ErrorCategory.TRANSIENT,
            params={"dependency": "temporal"},
        )
    )


async def is_polled(client: Client, task_queue: str, kind: Literal["workflow", "activity"] = "workflow") -> bool:
    """Whether a worker polls a queue for tasks of that kind.

    The server forgets a poller five minutes after its last poll. A worker that is there asks again at least once a
    minute, so one that did not was ended; for the minute before that, only a task that nobody takes tells.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=_TASK_KINDS[kind]
        ),
        timeout=_QUERY,
    )
    now = datetime.now(UTC)
    accesses = [poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers]
    return any(now - access < LONGEST_POLL for access in accesses)


async def is_taken_up(run: DurableRun) -> bool:
    """Whether no task of the entry pipe's workflow waits for a worker.

    Raises:
        PipelexError: there is no such run.
    """
    description = (await run.describe()).raw_description
    if not description.HasField("pending_workflow_task"):
        return True
    return description.pending_workflow_task.state != PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED


async def wait_until_taken_up(run: DurableRun, seconds: float) -> bool:
    """Whether a worker takes the entry pipe's task within some seconds.

    Raises:
        PipelexError: there is no such run.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not await is_taken_up(run):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.25)
    return True


async def wait_for_workers(submitter: Submitter, seconds: float) -> bool:
    """Whether a worker shows up within some seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await submitter.has_workers():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.25)
    return True
