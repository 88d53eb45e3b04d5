"""PipeParallel: pipes side by side, their results combined (section 7.2 of the language reference)."""

from collections.abc import Awaitable, Callable
from functools import partial

from pipelex.content.structure import ObjectShape
from pipelex.content.stuff import Absence, Json, Stuff, WorkingMemory
from pipelex.language.blueprints import PipeParallelBlueprint, PipeStep
from pipelex.language.references import Reference
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._fields import fill_object
from pipelex.pipes.semantics._run import ChildStep, PipeRun, run_child, run_over
from pipelex.pipes.semantics.sequence import step_override

COMPOSITE = "native.Composite"


async def run_parallel(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeParallelBlueprint)
    efforts: list[Callable[[], Awaitable[Stuff | Absence]]] = [
        partial(_run_branch, run, branch, number) for number, branch in enumerate(blueprint.branches, start=1)
    ]
    values = await run.runtime.together(efforts)
    # The results are new values that nothing else refers to, so the memory may share them with the combination.
    results = {branch.result or "": value for branch, value in zip(blueprint.branches, values, strict=True)}
    present = {name: value for name, value in results.items() if isinstance(value, Stuff)}
    combined = _combine(run, {name: await run.runtime.load(value) for name, value in present.items()})
    memory = run.memory
    if blueprint.add_each_output:
        for name, value in results.items():
            memory = memory.with_value(name, value)
    memory = memory.with_result(None, combined)
    exports = {name: present[name] for name in run.call.exports if name in present}
    outcome = PipeOutcome.of(combined)
    return (outcome.model_copy(update={"exports": exports}) if exports else outcome), memory


async def _run_branch(run: PipeRun, branch: PipeStep, number: int) -> Stuff | Absence:
    step = ChildStep(branch.pipe, f"{number}-{Reference.parse(branch.pipe).code}", override=step_override(branch))
    if branch.batch_over is not None and branch.batch_as is not None:
        items = run.memory.get(branch.batch_over)
        if items is None:
            return Absence("skipped", pipe=branch.pipe, cause=branch.batch_over)
        return await run_over(run, step, run.memory, items=items, item_name=branch.batch_as)
    return (await run_child(run, step, run.memory)).value


def _combine(run: PipeRun, present: dict[str, Stuff]) -> Stuff:
    concept = run.output.concept
    if run.library.native_base(concept) == "Composite":
        content: Json = {name: value.content for name, value in present.items()}
        return Stuff(concept, content)
    shape = run.library.shape(concept)
    fields = {name: value for name, value in present.items() if isinstance(shape, ObjectShape) and shape.field(name)}
    return Stuff(concept, fill_object(run, concept, fields))
