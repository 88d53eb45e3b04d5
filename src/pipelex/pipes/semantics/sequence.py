"""PipeSequence: pipes one after another (section 7.1 of the language reference)."""

import copy
from dataclasses import replace

from pipelex.content.stuff import Absence, Stuff, WorkingMemory
from pipelex.language.blueprints import BindingStep, PipeSequenceBlueprint, PipeStep
from pipelex.language.references import Reference
from pipelex.library import Library
from pipelex.pipes.calls import PipeOutcome, SlotOverride
from pipelex.pipes.references import ListReference
from pipelex.pipes.semantics._paths import reach
from pipelex.pipes.semantics._run import ChildStep, PipeRun, run_child, run_over


async def run_sequence(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeSequenceBlueprint)
    memory = run.memory
    later_reads = _reads_after_each_step(run.library, blueprint)
    value: Stuff | Absence = Absence("declared_absent", pipe=run.pipe.ref)
    for number, step in enumerate(blueprint.steps, start=1):
        if isinstance(step, BindingStep):
            value = await _bind(run, memory, step.from_path)
            memory = memory.with_result(step.result, value)
            continue
        value, exports = await _run_step(run, step, number, memory, later_reads[number - 1])
        for name, exported in exports.items():
            memory = memory.with_value(name, exported)
        memory = memory.with_result(step.result, value)
    wanted = {name: stuff for name in run.call.exports if (stuff := memory.get(name)) is not None}
    outcome = PipeOutcome.of(value)
    return (outcome.model_copy(update={"exports": wanted}) if wanted else outcome), memory


async def _run_step(
    run: PipeRun, step: PipeStep, number: int, memory: WorkingMemory, read_later: frozenset[str]
) -> tuple[Stuff | Absence, dict[str, Stuff]]:
    segment = f"{number}-{Reference.parse(step.pipe).code}"
    if step.batch_over is not None and step.batch_as is not None:
        items = await _bind(run, memory, step.batch_over)
        if isinstance(items, Absence):
            return Absence("skipped", pipe=step.pipe, cause=step.batch_over), {}
        child = ChildStep(step.pipe, segment, override=step_override(step))
        return await run_over(run, child, memory, items=items, item_name=step.batch_as), {}
    inner = run.library.inner_names(step.pipe)
    # The exports of this call are read by its callers, so they count as read later, too.
    needed = inner if run.runtime.options.full_memory else inner & (read_later | frozenset(run.call.exports))
    outcome = await run_child(
        run,
        ChildStep(step.pipe, segment, override=step_override(step), exports=tuple(sorted(needed - {step.result}))),
        memory,
    )
    return outcome.value, outcome.exports


def step_override(step: PipeStep) -> SlotOverride | None:
    """The number of values that a step asks its pipe for; None if it leaves that to the pipe."""
    if step.number is None:
        return None
    is_list, count = step.number
    return SlotOverride.sparse(is_list=is_list, count=count)


async def _bind(run: PipeRun, memory: WorkingMemory, path: str) -> Stuff | Absence:
    """See `bind`. A list that is held by reference is loaded if the path leads into it."""
    root, *fields = path.split(".")
    value = memory.get(root)
    if fields and isinstance(value, ListReference):
        memory = WorkingMemory(root={root: await run.runtime.load(value)})
    return bind(run, memory, path)


def bind(run: PipeRun, memory: WorkingMemory, path: str) -> Stuff | Absence:
    """A deep copy of the value at a dotted path of the memory; a leaf is wrapped in its native concept."""
    root, *fields = path.split(".")
    value = memory.get(root)
    if value is None:
        absence = memory.absence_of(root)
        slot = run.pipe.inputs.get(root)
        if absence is None and (slot is None or slot.presence != "optional"):
            raise run.failure(
                "pipe.binding_failed", f"'{path}': nothing is named '{root}' at this point", binding=path, segment=root
            )
        return Absence("declared_absent", pipe=run.pipe.ref, cause=root)
    if not fields:
        return replace(value, content=copy.deepcopy(value.content))
    found = reach(run.library, value, fields)
    if found is None:
        return Absence("declared_absent", pipe=run.pipe.ref, cause=path)
    return Stuff(found.concept, copy.deepcopy(found.content), found.is_list)


def _reads_after_each_step(library: Library, blueprint: PipeSequenceBlueprint) -> list[frozenset[str]]:
    """The names that later steps read, for each step."""
    reads: list[frozenset[str]] = []
    later: frozenset[str] = frozenset()
    for step in reversed(blueprint.steps):
        reads.append(later)
        if isinstance(step, BindingStep):
            later |= {step.from_path.partition(".")[0]}
            continue
        later |= library.pipe(step.pipe).inputs.keys()
        if step.batch_over is not None:
            later |= {step.batch_over.partition(".")[0]}
    reads.reverse()
    return reads
