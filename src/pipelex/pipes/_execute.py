"""Runs one pipe against the runtime port: the one entry through which every orchestrator uses the semantics."""

from dataclasses import dataclass
from typing import Final

from pipelex.content.stuff import Absence, Stuff, WorkingMemory
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall, PipeOutcome
from pipelex.pipes.effects.dry import DryRuntime
from pipelex.pipes.rendering import TemplateUse
from pipelex.pipes.runtime import Runtime
from pipelex.pipes.semantics import SEMANTICS
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.tally import RunTally

NESTING_LIMIT: Final = 20
"""The maximum nesting of pipes. A method that runs deeper is assumed to call itself without end."""


@dataclass(frozen=True)
class Execution:
    """The outcome of one pipe, and the working memory it ended with."""

    outcome: PipeOutcome
    memory: WorkingMemory


async def execute_pipe(library: Library, call: PipeCall, runtime: Runtime) -> Execution:
    """Run one pipe on its inputs.

    Args:
        library: the library that the pipe and everything below it need; its closure is enough.
        call: the pipe, its inputs and its place in the run.
        runtime: the orchestrator's implementation for this pipe run.

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
    tally = RunTally(runtime.options.max_pipe_runs)
    run = PipeRun(library, pipe, call, effective, memory, tally, TemplateUse())
    try:
        tally.expect(library, pipe.ref)
        tally.add(1)
        if not pipe.blueprint.is_controller:
            run = await run.loaded()
        outcome, memory = await SEMANTICS[pipe.type](run)
        _check_output(run, outcome.value)
    except PipelexError as failed:
        raise failed.with_location(pipe=pipe.ref, path=call.path) from failed.__cause__
    return Execution(outcome.model_copy(update={"runs": tally.total}) if tally.total > 1 else outcome, memory)


def unexpected_failure(call: PipeCall, bug: Exception) -> PipelexError:
    """The error for an unexpected exception, which is a bug: it ends the run and names the pipe."""
    detail = f"pipe '{call.pipe}' failed unexpectedly: {type(bug).__name__}: {bug}"
    error = PipelexError("runtime.unexpected", detail, category=ErrorCategory.UNKNOWN)
    return error.with_location(pipe=call.pipe, path=call.path)


def _check_output(run: PipeRun, value: Stuff | Absence) -> None:
    slot = run.output
    if isinstance(value, Absence):
        return
    if value.is_list != slot.is_list and not slot.takes_any_number:
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
