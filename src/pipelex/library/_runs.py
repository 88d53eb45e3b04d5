"""The minimum number of pipes that a pipe runs, itself included, computed before anything runs."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from pipelex.language.blueprints import (
    SPECIAL_OUTCOMES,
    BindingStep,
    PipeBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
)


def least_runs(blueprints: Mapping[str, PipeBlueprint], callees: Mapping[str, list[str]]) -> dict[str, int]:
    """Pipe → the minimum number of pipe runs in one run of it, if lists are empty and the shortest outcomes are chosen.

    Args:
        blueprints: every pipe of a library.
        callees: the pipes that each may run.
    """
    found: dict[str, int] = {}
    try:
        order = tuple(TopologicalSorter(callees).static_order())
    except CycleError:
        return {}
    for ref in order:
        if ref in blueprints:
            found[ref] = 1 + _below(blueprints[ref], found)
    return found


def _below(blueprint: PipeBlueprint, known: Mapping[str, int]) -> int:
    if isinstance(blueprint, PipeConditionBlueprint):
        outcomes = (*blueprint.outcomes.values(), blueprint.default_outcome)
        return min(0 if outcome in SPECIAL_OUTCOMES else known.get(outcome, 1) for outcome in outcomes)
    return sum(known.get(ref, 1) for ref in _always_run(blueprint))


def _always_run(blueprint: PipeBlueprint) -> Iterator[str]:
    if isinstance(blueprint, PipeSequenceBlueprint):
        steps = [step for step in blueprint.steps if not isinstance(step, BindingStep)]
    elif isinstance(blueprint, PipeParallelBlueprint):
        steps = list(blueprint.branches)
    else:
        return
    yield from (step.pipe for step in steps if step.batch_over is None)
