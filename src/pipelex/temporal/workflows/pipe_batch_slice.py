"""The workflow of a slice of a long batch."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.common import RawValue

    from pipelex.durable.jobs import SLICE_WORKFLOW
    from pipelex.pipes.calls import BatchOutcome
    from pipelex.temporal.workflow.arguments import NOTHING
    from pipelex.temporal.workflow.definitions import run_slice


@workflow.defn(name=SLICE_WORKFLOW)
class PipeBatchSliceWorkflow:
    """Runs a slice of a long batch."""

    @workflow.run
    async def run(
        self, job: RawValue = NOTHING, crate: RawValue = NOTHING, items: RawValue = NOTHING, large: RawValue = NOTHING
    ) -> BatchOutcome:
        """See `run_slice`."""
        return await run_slice(job, crate, items, large)
