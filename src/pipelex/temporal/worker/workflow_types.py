"""Which workflow definition runs which pipe type."""

from typing import Final

from pipelex.temporal.workflows.pipe_batch import PipeBatchWorkflow
from pipelex.temporal.workflows.pipe_batch_slice import PipeBatchSliceWorkflow
from pipelex.temporal.workflows.pipe_compose import PipeComposeWorkflow
from pipelex.temporal.workflows.pipe_condition import PipeConditionWorkflow
from pipelex.temporal.workflows.pipe_doc_gen import PipeDocGenWorkflow
from pipelex.temporal.workflows.pipe_extract import PipeExtractWorkflow
from pipelex.temporal.workflows.pipe_func import PipeFuncWorkflow
from pipelex.temporal.workflows.pipe_img_gen import PipeImgGenWorkflow
from pipelex.temporal.workflows.pipe_judge import PipeJudgeWorkflow
from pipelex.temporal.workflows.pipe_llm import PipeLLMWorkflow
from pipelex.temporal.workflows.pipe_parallel import PipeParallelWorkflow
from pipelex.temporal.workflows.pipe_search import PipeSearchWorkflow
from pipelex.temporal.workflows.pipe_sequence import PipeSequenceWorkflow
from pipelex.temporal.workflows.pipe_signature import PipeSignatureWorkflow
from pipelex.temporal.workflows.pipe_structure import PipeStructureWorkflow

WORKFLOWS: Final[dict[str, type]] = {
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

ALWAYS: Final[tuple[type, ...]] = (PipeSignatureWorkflow, PipeBatchSliceWorkflow)
"""What every worker with workflows has beside the pipe types of its scope."""


def workflow_classes(names: tuple[str, ...]) -> list[type]:
    """The workflow classes of some pipe types, and those that come with any of them."""
    return [*(WORKFLOWS[name] for name in names), *ALWAYS] if names else []
