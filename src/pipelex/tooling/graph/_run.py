"""Turns the graph document of a run into the same kind of drawing as a method's.

Source of the document: section A.1 of the command-line reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, as_object, as_objects, exactly
from pipelex.tooling.graph._model import Edge, Group, Node, StaticGraph

_STEP: Final = re.compile(r"^(\d+)-")
"""The beginning of the path of a sequence's step."""

_Table = Mapping[str, Json]


def run_graph(document: Mapping[str, Json]) -> StaticGraph:
    """The drawing of a run's graph document.

    Controllers are groups, and operators are nodes with their state and duration. An edge leads from each step of a
    sequence to the next.

    Raises:
        PipelexError: the document is not a graph of a run (`input.invalid`).
    """
    try:
        pipeline, nodes = as_object(document["pipeline_ref"]), as_objects(document["nodes"])
        contained = [edge for edge in as_objects(document["edges"]) if edge.get("kind", "contains") == "contains"]
        parents = {exactly(edge["target"], str): exactly(edge["source"], str) for edge in contained}
        groups = [_group(node, parents) for node in nodes if node["kind"] == "controller"]
        leaves = [_leaf(node, parents) for node in nodes if node["kind"] != "controller"]
        return StaticGraph(str(pipeline["entrypoint"]), tuple(groups), tuple(leaves), tuple(_steps(nodes, parents)))
    except (KeyError, TypeError, AttributeError) as wrong:
        raise PipelexError(
            "input.invalid",
            f"this is not the graph of a run: {type(wrong).__name__}: {wrong}",
            category=ErrorCategory.CONTENT,
            params={"input": "graph", "field": str(wrong)},
            advice="Give it a graphspec.json, as `pipelex run` leaves it beside a result.",
        ) from None


def _group(node: _Table, parents: Mapping[str, str]) -> Group:
    return Group(
        id=_id(node),
        title=f"{_title(node)} ({_state(node)})",
        kind=str(node["pipe_type"]),
        parent=parents.get(_id(node)),
        description=str(node.get("description", "")),
        pipe=f"{node['domain_code']}.{node['pipe_code']}",
    )


def _leaf(node: _Table, parents: Mapping[str, str]) -> Node:
    return Node(
        id=_id(node),
        title=_title(node),
        kind="operator",
        detail=f"{node['pipe_type']} · {_state(node)}",
        parent=parents.get(_id(node)),
        description=str(node.get("description", "")),
        pipe=f"{node['domain_code']}.{node['pipe_code']}",
    )


def _id(node: _Table) -> str:
    return exactly(node["id"], str)


def _title(node: _Table) -> str:
    """The last step of the path, which has the rank and the item, unlike the pipe's code."""
    return str(node["path"]).rpartition("/")[2] or str(node["pipe_code"])


def _state(node: _Table) -> str:
    timing, error = as_object(node.get("timing") or {}), as_object(node.get("error") or {})
    took = f" · {exactly(timing['duration'], float):.2f} s" if timing else ""
    return f"{node['status']}{took}{' · ' + str(error['code']) if error else ''}"


def _steps(nodes: Sequence[_Table], parents: Mapping[str, str]) -> list[Edge]:
    by_parent: dict[str, dict[int, list[str]]] = {}
    for node in nodes:
        step, parent = _STEP.match(_title(node)), parents.get(_id(node))
        if step is not None and parent is not None and node["kind"] != "controller":
            by_parent.setdefault(parent, {}).setdefault(int(step[1]), []).append(_id(node))
    return [
        Edge(source, target)
        for steps in by_parent.values()
        for number in steps
        for source in steps[number]
        for target in steps.get(number + 1, ())
    ]
