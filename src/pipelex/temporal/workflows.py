"""The workflow definitions, one per pipe type, alone in this module: the sandbox loads it anew for every run.

Everything they need is passed through. Their names are the pipe types' names, so that the Temporal UI and visibility
queries can filter on them.
"""

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from pipelex.pipes.runtime import BatchOutcome, PipeOutcome
    from pipelex.temporal.batches import SLICE_WORKFLOW
    from pipelex.temporal.large_inputs import LargeInputs
    from pipelex.temporal.payloads import PipeJob, SliceJob
    from pipelex.temporal.workflow_runtime import PipeWorkflow, run_slice


@workflow.defn(name="PipeLLM")
class PipeLLMWorkflow(PipeWorkflow):
    """Runs a PipeLLM."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeStructure")
class PipeStructureWorkflow(PipeWorkflow):
    """Runs a PipeStructure."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeExtract")
class PipeExtractWorkflow(PipeWorkflow):
    """Runs a PipeExtract."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeImgGen")
class PipeImgGenWorkflow(PipeWorkflow):
    """Runs a PipeImgGen."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeSearch")
class PipeSearchWorkflow(PipeWorkflow):
    """Runs a PipeSearch."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeJudge")
class PipeJudgeWorkflow(PipeWorkflow):
    """Runs a PipeJudge."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeCompose")
class PipeComposeWorkflow(PipeWorkflow):
    """Runs a PipeCompose."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeFunc")
class PipeFuncWorkflow(PipeWorkflow):
    """Runs a PipeFunc."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeDocGen")
class PipeDocGenWorkflow(PipeWorkflow):
    """Runs a PipeDocGen."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeSequence")
class PipeSequenceWorkflow(PipeWorkflow):
    """Runs a PipeSequence."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeParallel")
class PipeParallelWorkflow(PipeWorkflow):
    """Runs a PipeParallel."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeCondition")
class PipeConditionWorkflow(PipeWorkflow):
    """Runs a PipeCondition."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeBatch")
class PipeBatchWorkflow(PipeWorkflow):
    """Runs a PipeBatch."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name="PipeSignature")
class PipeSignatureWorkflow(PipeWorkflow):
    """Runs a pipe that is only declared, in a dry run."""

    @workflow.run
    async def run(self, job: PipeJob, crate: RawValue, large: LargeInputs | None) -> PipeOutcome:
        return await self.run_pipe(job, crate, large)

    @workflow.query(name="working_memory")
    def query_working_memory(self) -> dict[str, Any]:
        return self.working_memory()


@workflow.defn(name=SLICE_WORKFLOW)
class PipeBatchSliceWorkflow:
    """Runs a slice of a long batch."""

    @workflow.run
    async def run(self, job: SliceJob, crate: RawValue, items: list[Any] | None) -> BatchOutcome:
        return await run_slice(job, crate, items)


WORKFLOWS: dict[str, type] = {
    "PipeLLM": PipeLLMWorkflow,
    "PipeStructure": PipeStructureWorkflow,
    "PipeExtract": PipeExtractWorkflow,
    "PipeImgGen": PipeImgGenWorkflow,
    "PipeSearch": PipeSearchWorkflow,
    "PipeJudge": PipeJudgeWorkflow,
    "PipeCompose": PipeComposeWorkflow,
    "PipeFunc": PipeFuncWorkflow,
    "PipeDocGen": PipeDocGenWorkflow,
    "PipeSequence": PipeSequenceWorkflow,
    "PipeParallel": PipeParallelWorkflow,
    "PipeCondition": PipeConditionWorkflow,
    "PipeBatch": PipeBatchWorkflow,
}
"""Workflow type → class, for the pipe types."""

ALWAYS: tuple[type, ...] = (PipeSignatureWorkflow, PipeBatchSliceWorkflow)
"""What every worker with workflows has beside the pipe types of its scope."""
