"""A pipe that is only declared (section 5.1 of the language reference)."""

from pipelex.content.structure import example
from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._run import PipeRun


async def run_signature(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    """Make up a value of the declared output in a dry run; refuse a real run."""
    if run.runtime.options.mode != "dry":
        raise run.failure("method.not_runnable", f"pipe '{run.pipe.code}' is declared and not written yet")
    slot = run.output
    content = example(
        run.library.shape(slot.concept), seed_text=run.pipe.code, is_sparse=run.runtime.options.mocks.is_sparse
    )
    value = Stuff.of_list(slot.concept, [content] * (slot.count or 2)) if slot.is_list else Stuff(slot.concept, content)
    return PipeOutcome.of(value), run.memory.with_result(None, value)
