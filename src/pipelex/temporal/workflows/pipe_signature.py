"""The workflow of a PipeSignature, a pipe that is only declared."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.common import RawValue

    from pipelex.pipes.calls import PipeOutcome
    from pipelex.temporal.workflow.arguments import NOTHING
    from pipelex.temporal.workflow.definitions import PipeWorkflow


@workflow.defn(name="PipeSignature")
class PipeSignatureWorkflow(PipeWorkflow):
    """Runs a pipe that is only declared, in a dry run."""

    @workflow.run
    async def run(self, job: RawValue = NOTHING, crate: RawValue = NOTHING, large: RawValue = NOTHING) -> PipeOutcome:
        """See `PipeWorkflow.run_pipe`."""
        return await self.run_pipe(job, crate, large)
