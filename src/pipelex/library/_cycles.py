"""Finds concepts and pipes that lead back to themselves, through any number of others."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pipelex.language.blueprints import CalledPipe, ConceptBlueprint, Keys, PipeBlueprint

Edge = tuple[str, Keys] | CalledPipe
"""A reference to another concept or pipe, and its keys."""
Cycle = tuple[list[str], Keys]
"""The members, with the first repeated at the end, and the keys in the first that lead to the second."""


def refinement_cycles(concepts: Mapping[str, ConceptBlueprint]) -> Iterator[Cycle]:
    """Concepts that refine themselves."""
    edges: dict[str, list[Edge]] = {
        ref: [(blueprint.refines, ("refines",))] for ref, blueprint in concepts.items() if blueprint.refines is not None
    }
    return _cycles(edges)


def structure_cycles(concepts: Mapping[str, ConceptBlueprint]) -> Iterator[Cycle]:
    """Concepts whose content would contain itself; a refining concept contains what its parent does."""
    edges: dict[str, list[Edge]] = {}
    for ref, blueprint in concepts.items():
        found = edges.setdefault(ref, [])
        if blueprint.refines is not None:
            found.append((blueprint.refines, ("refines",)))
        if isinstance(blueprint.structure, dict):
            for name, entry in blueprint.structure.items():
                if entry.concept_ref is not None:
                    found.append((entry.concept_ref, ("structure", name, "concept_ref")))
                if entry.item_concept_ref is not None:
                    found.append((entry.item_concept_ref, ("structure", name, "item_concept_ref")))
    for cycle, keys in _cycles(edges):
        if any(
            concepts[here].refines != there for here, there in pairwise(cycle)
        ):  # the others are loops of refinement alone
            yield cycle, keys


def pipe_cycles(pipes: Mapping[str, PipeBlueprint]) -> Iterator[Cycle]:
    """Pipes that run themselves, directly or through controllers."""
    return _cycles({ref: list(blueprint.called_pipes()) for ref, blueprint in pipes.items()})


def _cycles(edges: Mapping[str, Sequence[Edge]]) -> Iterator[Cycle]:
    """One cycle of each strongly connected part of a graph, starting at the part's first declared member."""
    position = {ref: index for index, ref in enumerate(edges)}
    knots = [sorted(knot, key=position.__getitem__) for knot in _knots(edges)]
    for knot in sorted(knots, key=lambda knot: position[knot[0]]):
        yield _shortest_loop(knot[0], set(knot), edges)


def _knots(edges: Mapping[str, Sequence[Edge]]) -> Iterator[list[str]]:
    """The strongly connected parts that contain a cycle, by Tarjan's algorithm on an explicit stack."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    is_waiting: set[str] = set()
    for root in edges:
        if root in order:
            continue
        work: list[tuple[str, Iterator[Edge]]] = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        waiting.append(root)
        is_waiting.add(root)
        while work:
            here, rest = work[-1]
            for there, _ in rest:
                if there not in edges:
                    continue
                if there not in order:
                    order[there] = low[there] = len(order)
                    waiting.append(there)
                    is_waiting.add(there)
                    work.append((there, iter(edges[there])))
                    break
                if there in is_waiting:
                    low[here] = min(low[here], order[there])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == order[here]:
                    knot = [waiting.pop()]
                    while knot[-1] != here:
                        knot.append(waiting.pop())
                    is_waiting.difference_update(knot)
                    if len(knot) > 1 or any(there == here for there, _ in edges[here]):
                        yield knot


def _shortest_loop(first: str, members: set[str], edges: Mapping[str, Sequence[Edge]]) -> Cycle:
    came_from: dict[str, tuple[str, Keys]] = {}
    level = [first]
    while first not in came_from:
        following: list[str] = []
        for here in level:
            for there, keys in edges[here]:
                if there in members and there not in came_from:
                    came_from[there] = (here, keys)
                    following.append(there)
        level = following
    loop = [first]
    here, keys = came_from[first]
    while here != first:
        loop.append(here)
        here, keys = came_from[here]
    return [first, *reversed(loop[1:]), first], keys
