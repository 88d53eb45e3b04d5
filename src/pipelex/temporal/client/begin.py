"""Starts the workflow of an entry pipe on the server."""

from collections.abc import Mapping
from typing import Final

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from pipelex.durable.options import EngineOptions
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.orchestration import EngineUnavailable, RunRequest
from pipelex.pipes.calls import PipeCall, PipeOutcome
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.starting import JOB_DIGEST, REPLAY_OF, Start, options_of, short_digest
from pipelex.temporal.codec import in_run, stored_above, stored_as_parts
from pipelex.temporal.workflow import observability

_AGAIN: Final = WorkflowIDReusePolicy.ALLOW_DUPLICATE


async def begin(
    cluster: Cluster,
    request: RunRequest,
    *,
    task_queue: str | None = None,
    memo: Mapping[str, str] | None = None,
    is_again: bool = False,
) -> None:
    """Start the workflow of an entry pipe.

    Args:
        cluster: the cluster that it runs on.
        request: the request to run.
        task_queue: the queue of its workflows; the configured one when None.
        memo: further entries of the entry workflow's memo.
        is_again: whether this run may take the id of a run that has ended.

    Raises:
        WorkflowAlreadyStartedError: a workflow has that id already.
        EngineUnavailable: the server refuses the start.
        PipelexError: a search attribute is not declared or has a wrong value, or the inputs are too large for a server
            without a store, or they cannot be stored.
    """
    config = cluster.config
    options = options_of(config, request.options, stored_above=stored_above(cluster.client.data_converter))
    workflow_id = cluster.id_prefix + request.identity.run_id
    call = await _by_reference(cluster, workflow_id, request.call, options)
    start = Start(config, request, call, options)
    try:
        await cluster.client.start_workflow(
            start.pipe.type,
            args=start.arguments(),
            id=workflow_id,
            task_queue=task_queue or config.worker_config.default_task_queue,
            result_type=PipeOutcome,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=_AGAIN if is_again else WorkflowIDReusePolicy.REJECT_DUPLICATE,
            start_delay=config.worker_config.start_delay or None,
            rpc_timeout=config.worker_config.rpc_timeout,
            static_summary=observability.summary(start.pipe),
            static_details=start.details,
            search_attributes=start.attributes,
            memo={JOB_DIGEST: short_digest(request.digest), **_replayed(request), **(memo or {})},
            priority=start.priority,
            **start.limits,
        )
    except RPCError as refused:
        raise _refused(refused, call) from None


def _replayed(request: RunRequest) -> dict[str, str]:
    """The memo entry of a run that reuses the results of another run; empty for other runs."""
    reuse = request.options.reuse
    return {} if reuse is None or reuse.run_id == request.identity.run_id else {REPLAY_OF: reuse.run_id}


async def _by_reference(cluster: Cluster, workflow_id: str, call: PipeCall, options: EngineOptions) -> PipeCall:
    """The call, with its long lists by reference if there is a store."""
    if options.stored_above is None:
        return call
    client = cluster.client
    converter = in_run(client.data_converter, client.namespace, workflow_id)
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
