"""The workflow of a slice of a long batch."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.common import RawValue

    from pipelex.pipes.calls import BatchOutcome
    from pipelex.temporal.workflow.batches import SLICE_WORKFLOW
    from pipelex.temporal.workflow.large_inputs import LargeInputs
    from pipelex.temporal.workflow.payloads import SliceJob
    from pipelex.temporal.workflow.runtime import run_slice


@workflow.defn(name=SLICE_WORKFLOW)
class PipeBatchSliceWorkflow:
    """Runs a slice of a long batch."""

    @workflow.run
    async def run(
        self, job: SliceJob, crate: RawValue, items: list[Any] | None, large: LargeInputs | None
    ) -> BatchOutcome:
        """See `run_slice`."""
        return await run_slice(job, crate, items, large)
