"""What the workflow definitions have in common: they run a job of ours on Temporal."""

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

from pipelex.content.stuff import WorkingMemory
from pipelex.durable import entry
from pipelex.durable.jobs import PipeJob, SliceJob
from pipelex.durable.large import LargeInputs
from pipelex.pipes.calls import BatchOutcome, PipeOutcome
from pipelex.temporal.workflow.host import TemporalHost


class PipeWorkflow:
    """The workflow of a pipe; it remembers the working memory that the pipe ended with for queries."""

    def __init__(self) -> None:
        self._memory = WorkingMemory()

    async def run_pipe(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        """Run the job's pipe.

        Args:
            job: the call, and what shapes it.
            crate: of the pipe.
            large: inputs of the call that the job leaves out.

        Raises:
            ApplicationError: it failed; the type is the error's code, the details hold its report.
        """
        execution = await entry.run_pipe(TemporalHost(), job, crate.payload.data, large)
        self._memory = execution.memory
        return execution.outcome

    @workflow.query(name="working_memory")
    def working_memory(self) -> dict[str, Any]:
        """The memory the pipe ended with, in its wire form; empty while it runs."""
        return self._memory.to_json()


async def run_slice(job: SliceJob, crate: RawValue, items: list[Any] | None, large: LargeInputs | None) -> BatchOutcome:
    """Run one slice of a batch; see `pipelex.durable.entry.run_slice`.

    Raises:
        ApplicationError: an item failed; see `PipeWorkflow.run_pipe`.
        ContinueAsNewError: this run's history is long; the next run goes on with the items that are left.
    """
    return await entry.run_slice(TemporalHost(), job, crate.payload.data, items, large)
