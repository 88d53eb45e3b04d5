"""The drawing of a method as data: groups, nodes and edges, without places."""

from dataclasses import dataclass
from typing import Literal

from pipelex.errors import Json

NodeKind = Literal["input", "output", "operator", "signature", "expression", "binding", "combine", "special", "more"]
EdgeKind = Literal["data", "outcome", "item"]
Direction = Literal["top_down", "left_to_right"]


@dataclass(frozen=True, slots=True)
class Group:
    """A controller, or a repetition of one step over a list."""

    id: str
    title: str
    kind: str
    """A controller's type, or `batch`."""
    parent: str | None = None
    description: str = ""
    pipe: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """Something that takes or gives values."""

    id: str
    title: str
    kind: NodeKind
    detail: str = ""
    """A second line: the pipe's type, a slot, an expression."""
    parent: str | None = None
    description: str = ""
    pipe: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A value or a choice that goes from one node to another."""

    source: str
    target: str
    label: str = ""
    kind: EdgeKind = "data"


@dataclass(frozen=True, slots=True)
class StaticGraph:
    """A drawing of a method, without places."""

    main: str
    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "main_pipe": self.main,
            "groups": [_members(group) for group in self.groups],
            "nodes": [_members(node) for node in self.nodes],
            "edges": [_members(edge) for edge in self.edges],
        }


def _members(item: Group | Node | Edge) -> dict[str, Json]:
    names = item.__dataclass_fields__
    return {name: value for name in names if (value := getattr(item, name)) not in (None, "")}


def children(graph: StaticGraph, parent: str | None) -> list[Group | Node]:
    """The members directly inside a group, or at the top: groups first."""
    groups = [group for group in graph.groups if group.parent == parent]
    return [*groups, *(node for node in graph.nodes if node.parent == parent)]
