"""The workflow of a slice of a long batch."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.common import RawValue

    from pipelex.durable.jobs import SLICE_WORKFLOW, SliceJob
    from pipelex.durable.large import LargeInputs
    from pipelex.pipes.calls import BatchOutcome
    from pipelex.temporal.workflow.definitions import run_slice


@workflow.defn(name=SLICE_WORKFLOW)
class PipeBatchSliceWorkflow:
    """Runs a slice of a long batch."""

    @workflow.run
    async def run(
        self, job: SliceJob, crate: RawValue, items: list[Any] | None, large: LargeInputs | None
    ) -> BatchOutcome:
        """See `run_slice`."""
        return await run_slice(job, crate, items, large)
