"""The common code of the workflow definitions, which run jobs on Temporal."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import is_cancelled_exception

from pipelex.content.stuff import WorkingMemory
from pipelex.durable import entry
from pipelex.durable.jobs import PipeJob, SliceJob
from pipelex.durable.large import LargeInputs
from pipelex.errors import PipelexError
from pipelex.pipes.calls import BatchOutcome, PipeOutcome
from pipelex.temporal.workflow.arguments import crate_bytes, read, read_optional
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.host import TemporalHost


class PipeWorkflow:
    """The workflow of a pipe. It keeps the pipe's final working memory for queries."""

    def __init__(self) -> None:
        self._memory = WorkingMemory()

    async def run_pipe(self, job: RawValue, crate: RawValue, large: RawValue) -> PipeOutcome:
        """Run the job's pipe.

        Args:
            job: a `PipeJob`.
            crate: the part of the library that the job needs.
            large: inputs of the call that the job leaves out; null if there are none.

        Raises:
            ApplicationError: the pipe failed, or an argument is not valid. The type of the error is the code of the
                report as a name, and its details contain the report.
        """
        with _readable():
            told = read(job, PipeJob, what="the first argument (the job)")
            linked = crate_bytes(crate)
            inputs = read_optional(large, LargeInputs, what="the third argument (large inputs)")
        host = TemporalHost(told.root, is_entry=not told.call.path)
        with counted_runs(told.call.pipe, is_entry=not told.call.path):
            pipe_type = workflow.info().workflow_type
            execution = await entry.run_pipe(host, told, linked, inputs, pipe_type=pipe_type)
        self._memory = execution.memory
        return execution.outcome

    @workflow.query(name="working_memory")
    def working_memory(self) -> dict[str, Any]:
        """The final working memory of the pipe in its wire form; empty while the pipe runs."""
        return self._memory.to_json()


async def run_slice(job: RawValue, crate: RawValue, items: RawValue, large: RawValue) -> BatchOutcome:
    """Run one slice of a batch; see `pipelex.durable.entry.run_slice`.

    Raises:
        ApplicationError: an item failed, or an argument is not valid; see `PipeWorkflow.run_pipe`.
        ContinueAsNewError: this run's history is long; the next run continues with the remaining items.
    """
    with _readable():
        told = read(job, SliceJob, what="the first argument (the job)")
        linked = crate_bytes(crate)
        values = read_optional(items, list[Any], what="the third argument (the items)")
        inputs = read_optional(large, LargeInputs, what="the fourth argument (large inputs)")
    return await entry.run_slice(TemporalHost(told.root), told, linked, values, inputs)


@contextmanager
def counted_runs(pipe: str, *, is_entry: bool) -> Generator[None]:
    """Count the run in the block by its entry pipe when it ends. A replay does not count it again."""
    try:
        yield
    except GeneratorExit:  # the workflow was evicted from the cache, and continues elsewhere
        raise
    except BaseException as ended:
        _count_run(pipe, "cancelled" if is_cancelled_exception(ended) else "failed", is_entry=is_entry)
        raise
    _count_run(pipe, "completed", is_entry=is_entry)


def _count_run(pipe: str, outcome: str, *, is_entry: bool) -> None:
    if is_entry:
        runs = workflow.metric_meter().create_counter("pipelex_runs", "Runs that ended, by entry pipe and outcome")
        runs.add(1, {"pipe": pipe, "outcome": outcome})


@contextmanager
def _readable() -> Generator[None]:
    """End the workflow with a report if an argument cannot be read in the block."""
    try:
        yield
    except PipelexError as refused:
        raise to_application_error(refused.report, may_retry=False) from None
