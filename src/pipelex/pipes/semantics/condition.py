"""PipeCondition: chooses a pipe by an expression's value (section 7.3 of the language reference)."""

from dataclasses import replace

from pipelex.content.stuff import Absence, WorkingMemory
from pipelex.language.blueprints import SPECIAL_OUTCOMES, PipeConditionBlueprint
from pipelex.language.references import Reference
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._run import ChildStep, PipeRun, run_child
from pipelex.pipes.semantics._templates import render_text
from pipelex.templating import Style


async def run_condition(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeConditionBlueprint)
    template = blueprint.template_text
    rendered = await render_text(await run.loaded(), template, category="expression", sigils=False, style=Style())
    answer = rendered.text.strip()
    chosen = _chosen(run, blueprint, answer)
    memory = run.memory
    alias = blueprint.add_alias_from_expression_to
    if alias is not None and answer in memory.root:
        memory = replace(memory, aliases={**memory.aliases, alias: answer})
    if chosen == "fail":
        raise run.failure(
            "pipe.condition_refused",
            f"the condition '{run.pipe.code}' came to '{answer}', for which the method says to fail",
            outcome=answer,
        )
    if chosen == "continue":
        absence = Absence("declared_absent", pipe=run.pipe.ref)
        return PipeOutcome.of(absence), memory.with_result(None, absence)
    outcome = await run_child(run, ChildStep(chosen, Reference.parse(chosen).code, override=run.call.override), memory)
    return PipeOutcome.of(outcome.value), memory.with_result(None, outcome.value)


def _chosen(run: PipeRun, blueprint: PipeConditionBlueprint, answer: str) -> str:
    """The outcome for an answer. A dry run does not choose `fail`, because its answer comes from made-up values."""
    chosen = blueprint.outcomes.get(answer, blueprint.default_outcome)
    if chosen != "fail" or run.runtime.options.mode != "dry":
        return chosen
    if not answer:
        raise run.failure(
            "pipe.condition_unmatched",
            f"the condition '{run.pipe.code}' comes to nothing: it has no value to choose by",
        )
    outcomes = (*blueprint.outcomes.values(), blueprint.default_outcome)
    return next((outcome for outcome in outcomes if outcome not in SPECIAL_OUTCOMES), chosen)
