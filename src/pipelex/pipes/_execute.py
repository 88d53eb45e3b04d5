"""Running one pipe against the runtime port: the single place where every orchestrator meets the semantics."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipelex.content.stuff import Absence, Stuff, WorkingMemory
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall, PipeOutcome
from pipelex.pipes.effects.dry import DryRuntime
from pipelex.pipes.runtime import Runtime
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

NESTING_LIMIT: Final = 20
"""Pipes inside pipes; deeper than this a method is taken to call itself for ever."""

_SEMANTICS: Final[Mapping[str, Callable[[PipeRun], Awaitable[tuple[PipeOutcome, WorkingMemory]]]]] = {
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


CONTROLLERS: Final = frozenset({"PipeSequence", "PipeParallel", "PipeCondition", "PipeBatch"})
"""The pipe types that run other pipes. They hand values on, mostly without looking at them."""


@dataclass(frozen=True)
class Execution:
    """What one pipe gave, and the working memory it ended with."""

    outcome: PipeOutcome
    memory: WorkingMemory


async def execute_pipe(library: Library, call: PipeCall, runtime: Runtime) -> Execution:
    """Run one pipe on its inputs.

    Args:
        library: what the pipe and everything below it needs; its closure is enough.
        call: the pipe, its inputs and its place in the run.
        runtime: the orchestrator's side of this very pipe run.

    Raises:
        PipelexError: the pipe failed; the report's location names the innermost failing pipe and its path.
    """
    if len(call.path) > NESTING_LIMIT:
        raise PipelexError(
            "pipe.stack_overflow",
            f"pipe '{call.pipe}' runs {len(call.path)} levels deep; the limit is {NESTING_LIMIT}",
            category=ErrorCategory.CONTENT,
            params={"limit": NESTING_LIMIT},
            location=Location(pipe=call.pipe, path=call.path),
            advice="Check whether the method calls itself.",
        )
    pipe = library.pipe(call.pipe)
    absences = {
        name: Absence("not_provided")
        for name, slot in pipe.inputs.items()
        if name not in call.inputs and slot.presence == "optional"
    }
    memory = WorkingMemory(root=dict(call.inputs), absences=absences)
    effective = DryRuntime(library, runtime) if runtime.options.mode == "dry" else runtime
    run = PipeRun(library, pipe, call, effective, memory)
    try:
        if pipe.type not in CONTROLLERS:
            run = await run.loaded()
        outcome, memory = await _SEMANTICS[pipe.type](run)
        _check_output(run, outcome.value)
    except PipelexError as failed:
        raise failed.with_location(pipe=pipe.ref, path=call.path) from failed.__cause__
    return Execution(outcome, memory)


def unexpected_failure(call: PipeCall, bug: Exception) -> PipelexError:
    """The report of an exception nobody foresaw: a bug, which is to end the run with the pipe's name."""
    detail = f"pipe '{call.pipe}' failed unexpectedly: {type(bug).__name__}: {bug}"
    error = PipelexError("runtime.unexpected", detail, category=ErrorCategory.UNKNOWN)
    return error.with_location(pipe=call.pipe, path=call.path)


def _check_output(run: PipeRun, value: Stuff | Absence) -> None:
    slot = run.output
    if isinstance(value, Absence):
        return
    if value.is_list != slot.is_list:
        declared, produced = ("list" if flag else "single" for flag in (slot.is_list, value.is_list))
        raise run.failure(
            "pipe.output_multiplicity",
            f"pipe '{run.pipe.code}' declares {slot} and gave a {produced} value",
            output=slot.concept,
            declared=declared,
            produced=produced,
        )
    if not run.library.is_compatible(value.concept, slot.concept):
        raise run.failure(
            "pipe.output_invalid",
            f"pipe '{run.pipe.code}' declares {slot} and gave a {value.concept}",
            output_concept=slot.concept,
            fields=[],
        )
