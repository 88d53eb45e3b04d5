"""Starting runs on Temporal, or finding the one that already has the id."""

from collections.abc import Mapping

from temporalio.client import WorkflowExecutionDescription
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from pipelex.durable.options import EngineOptions
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.orchestration import EngineUnavailable, RunRequest, StartedRun
from pipelex.orchestration.refusals import id_is_taken, note_on
from pipelex.pipes.calls import PipeCall, PipeOutcome
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.run import TemporalRun
from pipelex.temporal.client.starting import JOB_DIGEST, Start, options_of
from pipelex.temporal.client.visibility import state_of
from pipelex.temporal.codec import in_run, stored_above, stored_as_parts
from pipelex.temporal.workflow import observability


async def submit(
    cluster: Cluster, request: RunRequest, *, task_queue: str | None = None, memo: Mapping[str, str] | None = None
) -> StartedRun:
    """Start an entry pipe, or attach to the run that has its id and was asked for the same.

    Args:
        cluster: where it runs.
        request: what is to run.
        task_queue: the queue of its workflows; the configured one when None.
        memo: what else the entry workflow is to hold of it.

    Raises:
        EngineUnavailable: the server refuses the start.
        PipelexError: the id is that of a run with another job, the inputs are too large for a server without a store, or
            the store does not take them.
    """
    config = cluster.config
    options = options_of(config, request.options, stored_above=stored_above(cluster.client.data_converter))
    started = TemporalRun(cluster, request.identity.run_id)
    call = await _by_reference(started, request.call, options)
    start = Start(config, request, call, options)
    try:
        await cluster.client.start_workflow(
            start.pipe.type,
            args=start.arguments(),
            id=started.workflow_id,
            task_queue=task_queue or config.worker_config.default_task_queue,
            result_type=PipeOutcome,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            start_delay=config.worker_config.start_delay or None,
            rpc_timeout=config.worker_config.rpc_timeout,
            static_summary=observability.summary(start.pipe),
            static_details=start.details,
            search_attributes=start.attributes,
            memo={JOB_DIGEST: request.digest, **(memo or {})},
            **start.limits,
        )
    except WorkflowAlreadyStartedError:
        return await _found(started, request.digest)
    except RPCError as refused:
        raise _refused(refused, call) from None
    return StartedRun(started)


async def _found(run: TemporalRun, digest: str) -> StartedRun:
    """The run that has the id already.

    Raises:
        PipelexError: it was asked for something else.
    """
    execution = await run.execution()
    if await _digest_of(execution) not in (None, digest):
        raise id_is_taken(run.run_id)
    state = state_of(execution.status)
    retry = f"Go on from where it failed: pipelex runs retry {run.run_id}. Or give another run id."
    return StartedRun(run, state, note_on(run.run_id, state, retry=retry))


async def _digest_of(execution: WorkflowExecutionDescription) -> str | None:
    """The digest of a run's job; None where somebody else started it, or this client lacks the key of its memo."""
    try:
        found = await execution.memo_value(JOB_DIGEST, None, type_hint=str)
    except Exception:
        return None
    return found


async def _by_reference(run: TemporalRun, call: PipeCall, options: EngineOptions) -> PipeCall:
    """The call with its long lists in the store, where there is one."""
    if options.stored_above is None:
        return call
    client = run.cluster.client
    converter = in_run(client.data_converter, client.namespace, run.workflow_id)
    inputs = {
        name: await stored_as_parts(converter, stuff, most_items=options.slice_size)
        for name, stuff in call.inputs.items()
    }
    return call.model_copy(update={"inputs": inputs}) if inputs else call


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
        return EngineUnavailable(
            "runtime.misconfigured",
            f"Temporal refuses the run's search attributes: {refused.message}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "search_attributes"},
            advice="Run `pipelex setup-temporal-namespace`, or set `[temporal.search_attributes] enabled = false`.",
        )
    return EngineUnavailable(
        "runtime.unavailable",
        f"Temporal refused to start pipe '{call.pipe}': {refused.message}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "temporal"},
    )
