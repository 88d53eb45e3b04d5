"""PipeBatch: one pipe on every item of a list (section 7.4 of the language reference)."""

from pipelex.content.stuff import WorkingMemory
from pipelex.language.blueprints import PipeBatchBlueprint
from pipelex.language.references import Reference
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._run import ChildStep, PipeRun, run_over


async def run_batch(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeBatchBlueprint)
    items = run.memory.get(blueprint.input_list_name)
    if items is None:
        raise run.failure(
            "pipe.input_unresolved",
            f"the list '{blueprint.input_list_name}' of pipe '{run.pipe.code}' has no value",
            variable=blueprint.input_list_name,
        )
    step = ChildStep(blueprint.branch_pipe_code, Reference.parse(blueprint.branch_pipe_code).code)
    value = await run_over(run, step, run.memory, items=items, item_name=blueprint.input_item_name)
    return PipeOutcome.of(value), run.memory.with_result(None, value)
