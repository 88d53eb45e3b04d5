"""The values that each type of controller hands on (sections 7 and 8.1 of the language reference)."""

from collections.abc import Mapping
from dataclasses import replace

from pipelex.language.blueprints import (
    BindingStep,
    PipeBatchBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
)
from pipelex.language.references import Slot
from pipelex.language.templates import analyse_template
from pipelex.library._validate._context import shown
from pipelex.library._validate._outputs import check_given_output, check_parallel_output
from pipelex.library._validate._walk import Known, Walk


def check_sequence(walk: Walk, blueprint: PipeSequenceBlueprint) -> None:
    left: dict[str, Known] = {}
    last = Known(None)
    for index, step in enumerate(blueprint.steps):
        keys = ("steps", index)
        if isinstance(step, BindingStep):
            last = Known(walk.bind(step.from_path, (*keys, "from")), texts=walk.texts_at(step.from_path))
        else:
            last, inner = walk.step(step, keys)
            left |= inner
            _leave(walk, inner)
        if step.result is not None:
            walk.memory[step.result] = left[step.result] = last
    key = "from" if isinstance(blueprint.steps[-1], BindingStep) else "pipe"
    walk.output(last, ("steps", len(blueprint.steps) - 1, key), "sequence_step")
    walk.flows.inner[walk.pipe.ref] = left
    if walk.is_murky:
        walk.flows.murky.add(walk.pipe.ref)
    walk.unused("step")


def _leave(walk: Walk, inner: Mapping[str, Known]) -> None:
    """Put the names that a nested pipe leaves into memory. The standard hides them, so an input stays an input."""
    for name, value in inner.items():
        shadowed = walk.memory.get(name)
        walk.memory[name] = replace(value, is_input=shadowed is not None and shadowed.is_input)


def check_parallel(walk: Walk, blueprint: PipeParallelBlueprint) -> None:
    results: dict[str, tuple[int, Slot | None]] = {}
    for index, branch in enumerate(blueprint.branches):
        value, _ = walk.step(branch, ("branches", index))
        results[branch.result or ""] = (index, value.slot)
    check_parallel_output(walk.checks, walk.pipe, results)
    if blueprint.add_each_output:
        walk.flows.inner[walk.pipe.ref] = {name: Known(slot) for name, (_, slot) in results.items()}
    walk.unused("branch")


def check_condition(walk: Walk, blueprint: PipeConditionBlueprint) -> None:
    is_readable = True
    for site in blueprint.sites:
        analysis = analyse_template(
            site.template, category=site.category, sigils=site.has_sigils, declared=tuple(walk.memory)
        )
        is_readable = is_readable and analysis.is_parsed
        walk.used.update(read.root for read in analysis.reads)
    if blueprint.add_alias_from_expression_to is not None:
        walk.memory[blueprint.add_alias_from_expression_to] = Known(None)
    for outcome, keys in blueprint.called_pipes():
        walk.output(walk.call(outcome, keys), keys, "condition")
    if blueprint.can_continue and walk.pipe.output.presence != "optional":
        remedy = (
            f"declare the output as '{shown(walk.pipe.output)}?'"
            if not walk.pipe.output.is_list
            else "a list is never absent: run a pipe that returns an empty list instead"
        )
        walk.checks.report(
            walk.pipe,
            "method.optional_unhandled",
            f"the condition '{walk.label}' may continue without running anything, so its output may be absent: {remedy}",
            "output",
            category="optional_output_required",
            input=None,
            site="condition_output",
        )
    # An alias may stand for any input, and an unreadable expression may read any input.
    if is_readable and blueprint.add_alias_from_expression_to is None:
        walk.unused("outcome, nor the expression,")


def check_batch(walk: Walk, blueprint: PipeBatchBlueprint) -> None:
    slot = walk.pipe.inputs[blueprint.input_list_name]
    walk.used.add(blueprint.input_list_name)
    given = walk.call(
        blueprint.branch_pipe_code, ("branch_pipe_code",), {blueprint.input_item_name: Slot(slot.concept)}
    )
    if given.slot is not None:
        listed = Slot(given.slot.concept, is_list=True, count=walk.pipe.output.count)
        check_given_output(walk.checks, walk.pipe, listed, ("branch_pipe_code",), "sequence_step")
    walk.unused("branch")
