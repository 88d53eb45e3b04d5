"""The semantics of the pipe types, with one entry for each type."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from pipelex.content.stuff import WorkingMemory
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.semantics.batch import run_batch
from pipelex.pipes.semantics.compose import run_compose
from pipelex.pipes.semantics.condition import run_condition
from pipelex.pipes.semantics.func import run_func
from pipelex.pipes.semantics.judge import run_judge
from pipelex.pipes.semantics.llm import run_llm, run_structure
from pipelex.pipes.semantics.media import run_doc_gen, run_extract, run_img_gen, run_search
from pipelex.pipes.semantics.parallel import run_parallel
from pipelex.pipes.semantics.sequence import run_sequence
from pipelex.pipes.semantics.signature import run_signature

Meaning: TypeAlias = Callable[[PipeRun], Awaitable[tuple[PipeOutcome, WorkingMemory]]]
"""The semantics of a pipe type: a function that runs a pipe, and returns the outcome and the final memory."""

SEMANTICS: Final[Mapping[str, Meaning]] = {
    "PipeLLM": run_llm,
    "PipeStructure": run_structure,
    "PipeExtract": run_extract,
    "PipeImgGen": run_img_gen,
    "PipeSearch": run_search,
    "PipeJudge": run_judge,
    "PipeCompose": run_compose,
    "PipeFunc": run_func,
    "PipeDocGen": run_doc_gen,
    "PipeSequence": run_sequence,
    "PipeParallel": run_parallel,
    "PipeCondition": run_condition,
    "PipeBatch": run_batch,
    "PipeSignature": run_signature,
}
"""Name of a pipe type → its semantics."""
