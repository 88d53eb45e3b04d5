"""Reads the method, inputs and options of a run on Temporal from the beginning of its history."""

from collections.abc import Sequence
from typing import Any, cast

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionDescription
from temporalio.common import RawValue, SearchAttributePair

from pipelex.durable.jobs import PipeJob, owner_of
from pipelex.durable.large import LargeInputs, whole
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import Library, LibraryCrate
from pipelex.orchestration import RunSource
from pipelex.temporal.client.attributes import own_attributes
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.codec import loaded
from pipelex.temporal.workflow import observability


async def read_source(cluster: Cluster, run_id: str, execution: WorkflowExecutionDescription) -> RunSource:
    """The method, inputs and options that an entry workflow was started with.

    Args:
        cluster: the cluster that the workflow is on.
        run_id: the run.
        execution: its entry workflow.

    Raises:
        RPCError: the server does not return the history.
        PipelexError: another client started it with arguments that this release cannot read.
    """
    converter = cluster.client.data_converter
    event = await _first_event(cluster, execution)
    given = event.workflow_execution_started_event_attributes.input.payloads
    kinds: list[Any] = [PipeJob, RawValue, LargeInputs | None]
    try:
        job, crate, large = (*await converter.decode(given, kinds[: len(given)]), None)[:3]
        job = cast("PipeJob", job)
        call = whole(job.call, large)
        library = Library(LibraryCrate.from_json_bytes(cast("RawValue", crate).payload.data))
    except (ValueError, TypeError) as unreadable:
        raise PipelexError(
            "run.not_found",
            f"the input of run '{run_id}' cannot be read: {unreadable}",
            category=ErrorCategory.CONTENT,
            params={"pipeline_run_id": run_id},
        ) from None
    inputs = {name: await loaded(converter, stuff) for name, stuff in call.inputs.items()}
    pairs: Sequence[SearchAttributePair[str]] = execution.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    identity = owner_of(job.run or observability.identity(pairs), run_id)
    return RunSource(
        library,
        call.model_copy(update={"inputs": inputs}) if inputs else call,
        job.options,
        identity,
        own_attributes(cluster.config, execution.typed_search_attributes),
    )


async def _first_event(cluster: Cluster, execution: WorkflowExecutionDescription) -> HistoryEvent:
    handle = cluster.client.get_workflow_handle(execution.id, run_id=execution.run_id)
    return await anext(aiter(handle.fetch_history_events(page_size=1)))
