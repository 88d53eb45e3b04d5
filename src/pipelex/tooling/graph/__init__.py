"""The static graph of a method, with its pipes and the values between them, and the graph of a run.

Controllers are groups, and everything else is a node. An edge is labelled with the name of its value.
"""

from pipelex.tooling.graph._build import static_graph
from pipelex.tooling.graph._html import to_html
from pipelex.tooling.graph._mermaid import to_mermaid
from pipelex.tooling.graph._model import Direction, Edge, EdgeKind, Group, Node, NodeKind, StaticGraph
from pipelex.tooling.graph._run import run_graph

__all__ = [
    "Direction",
    "Edge",
    "EdgeKind",
    "Group",
    "Node",
    "NodeKind",
    "StaticGraph",
    "run_graph",
    "static_graph",
    "to_html",
    "to_mermaid",
]
