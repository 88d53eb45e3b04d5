from typing import Final

from pipelex.tooling.graph._model import Direction, EdgeKind, Group, Node, StaticGraph, children

_SHAPES: Final[dict[str, tuple[str, str]]] = {
    "input": ("([", "])"),
    "output": ("([", "])"),
    "expression": ("{{", "}}"),
    "binding": ("[/", "/]"),
    "combine": ("[[", "]]"),
    "special": ("((", "))"),
}
_ARROWS: Final[dict[EdgeKind, str]] = {"data": "-->", "outcome": "-.->", "item": "==>"}


def to_mermaid(graph: StaticGraph, direction: Direction = "top_down") -> str:
    """The graph as the text of a Mermaid flowchart."""
    lines = [f"flowchart {'LR' if direction == 'left_to_right' else 'TD'}"]
    _mermaid_inside(graph, None, "    ", lines)
    for edge in graph.edges:
        label = f'|"{escape_mermaid(edge.label)}"|' if edge.label else ""
        lines.append(f"    {edge.source} {_ARROWS[edge.kind]}{label} {edge.target}")
    return "\n".join(lines) + "\n"


def _mermaid_inside(graph: StaticGraph, parent: str | None, indent: str, lines: list[str]) -> None:
    # An explicit stack, because controllers may be nested deeply.
    waiting: list[tuple[str, Group | Node | None]] = [(indent, item) for item in reversed(children(graph, parent))]
    while waiting:
        space, item = waiting.pop()
        if item is None:
            lines.append(f"{space}end")
        elif isinstance(item, Node):
            opening, closing = _SHAPES.get(item.kind, ("[", "]"))
            text = escape_mermaid(item.title) + (f"<br/>{escape_mermaid(item.detail)}" if item.detail else "")
            lines.append(f'{space}{item.id}{opening}"{text}"{closing}')
        else:
            kind = f" · {item.kind}" if item.kind != "batch" else ""
            lines.append(f'{space}subgraph {item.id}["{escape_mermaid(item.title + kind)}"]')
            waiting.append((space, None))
            waiting += [(space + "    ", child) for child in reversed(children(graph, item.id))]


def escape_mermaid(text: str) -> str:
    """A text for a quoted Mermaid label. Characters that could end the label or start markup become entities."""
    flat = " ".join(text.split())
    return "".join(
        character if character.isalnum() or character in " .,:;_-+()[]?!=→…·/|" else f"#{ord(character)};"
        for character in flat
    )
