"""Finds the place of a pipe in a run from the ids of pipes."""

import re
from dataclasses import replace
from typing import Final, NamedTuple

from pipelex.pipes.effects.kind import pipe_named_in
from pipelex.pipes.trace import PipeTrace, pipes_of

_SEGMENT: Final = re.compile(r"^(?:(?P<step>\d+)-)?(?P<name>.*?)(?:\[(?P<item>\d+)\])?$", re.DOTALL)
"""A step of a path: `2-analyze[17]`, `1-summarize`, `analyze[17]`, `long_text`."""


_SLICE: Final = re.compile(r"\[\d+-\d+\]$")
"""The end of the id of a slice of a batch: `2-analyze[0-499]`."""


class Step(NamedTuple):
    """One step of a path."""

    rank: int | None
    """The number of the step in its sequence, from 1."""
    name: str
    item: int | None
    """The rank of the item in its batch, from 0."""


def step_of(trace_id: str) -> Step:
    """The last step of a pipe's id.

    Args:
        trace_id: the id, see `PipeTrace.id`.
    """
    found = _SEGMENT.match(trace_id.rpartition("/")[2])
    assert found is not None, "every text is a name at least"
    rank, item = found["step"], found["item"]
    return Step(None if rank is None else int(rank), found["name"], None if item is None else int(item))


def without_slices(root: PipeTrace) -> PipeTrace:
    """The tree without the slices that an engine cuts a long batch into.

    The children and effects of a slice move to the pipe whose batch it is.
    """
    return _merged(root) if any(_SLICE.search(pipe.id) for pipe in pipes_of(root)) else root


def _merged(root: PipeTrace) -> PipeTrace:
    children: list[PipeTrace] = []
    effects, told, is_gone = list(root.effects), list(root.told_usage), root.is_gone
    for child in map(_merged, root.children):
        if _SLICE.search(child.id):
            children += child.children
            effects += child.effects
            told += child.told_usage
            is_gone = is_gone or child.is_gone
        else:
            children.append(child)
    return replace(root, children=children, effects=effects, told_usage=tuple(told), is_gone=is_gone)


def without_later(root: PipeTrace, pipe: str) -> PipeTrace | None:
    """The tree without all runs of a pipe, and without the steps that followed them in the enclosing sequences.

    Args:
        root: the tree.
        pipe: reference of the pipe, or its code.

    Returns:
        The rest of the tree, or the same object if nothing was removed; None if the root itself is the pipe.
    """
    if _is_called(root.pipe, pipe):
        return None
    left = [without_later(child, pipe) for child in root.children]
    cut = [child.id for child, kept in zip(root.children, left, strict=True) if kept is not child]
    children = [kept for kept in left if kept is not None]
    if cut and root.type == "PipeSequence":
        last = min((step_of(id_).rank or 0 for id_ in cut), default=0)
        children = [child for child in children if (step_of(child.id).rank or 0) <= last]
    effects = root.effects[: _first_of(root, pipe)]
    if cut:  # effects of a pipe that runs others may have come after those
        effects = []
    is_same = not cut and len(effects) == len(root.effects)
    return root if is_same else replace(root, children=children, effects=effects)


def _is_called(ref: str, name: str) -> bool:
    """Whether a name means a pipe; either of them may be the code alone."""
    return ref == name or (("." not in ref or "." not in name) and ref.rpartition(".")[2] == name.rpartition(".")[2])


def _first_of(root: PipeTrace, pipe: str) -> int:
    """The index of the first effect of a pipe that ran inside another pipe's workflow."""
    code = pipe.rpartition(".")[2]
    if code == root.pipe.rpartition(".")[2]:  # they are its own
        return len(root.effects)
    ranks = (rank for rank, effect in enumerate(root.effects) if pipe_named_in(effect.summary) == code)
    return next(ranks, len(root.effects))
