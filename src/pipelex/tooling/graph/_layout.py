"""Lays out a graph: the nodes of each group in layers along the flow, and inner groups before outer ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelex.tooling.graph._model import Direction, Group, Node, StaticGraph, children

_CHARACTER = 7.0
_LINE = 17.0
_PADDING = 14.0
_TITLE = 26.0
_GAP = 26.0
_LAYER_GAP = 54.0
_MOST_CHARACTERS = 34


@dataclass(frozen=True, slots=True)
class Box:
    """The place and size of a drawn item, in pixels from the top left."""

    x: float
    y: float
    width: float
    height: float

    def moved(self, x: float, y: float) -> "Box":
        return Box(self.x + x, self.y + y, self.width, self.height)


@dataclass(frozen=True)
class Layout:
    """Every node's and group's place, and the size of the whole."""

    boxes: dict[str, Box]
    width: float
    height: float


def shortened(text: str, most: int = _MOST_CHARACTERS) -> str:
    """A text on one line, cut to fit a node."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def lay_out(graph: StaticGraph, direction: Direction) -> Layout:
    """Find the places of all nodes and groups."""
    is_flat = direction == "left_to_right"
    holders = {item.id: item.parent for item in (*graph.groups, *graph.nodes)}
    inner: dict[str | None, dict[str, Box]] = {}
    sizes: dict[str, tuple[float, float]] = {node.id: _size(node) for node in graph.nodes}
    total = (0.0, 0.0)
    order = [*_deepest_first(graph.groups), None]
    for holder in order:
        group = holder.id if holder is not None else None
        items = [child.id for child in children(graph, group)]
        edges = _lifted(graph, holders, group)
        boxes, width, height = _layers(items, edges, sizes, is_flat)
        inner[group] = boxes
        if holder is not None:
            title = len(shortened(f"{holder.title} · {holder.kind}", 60)) * _CHARACTER
            sizes[holder.id] = (max(width, title) + 2 * _PADDING, height + _TITLE + 2 * _PADDING)
        else:
            total = (width + 2 * _PADDING, height + 2 * _PADDING)
    placed: dict[str, Box] = {}
    waiting: list[tuple[str | None, float, float]] = [(None, _PADDING, _PADDING)]
    while waiting:
        group, x, y = waiting.pop()
        for name, box in inner[group].items():
            placed[name] = box.moved(x, y)
            if name in inner:
                waiting.append((name, placed[name].x + _PADDING, placed[name].y + _TITLE + _PADDING))
    return Layout(placed, *total)


def _deepest_first(groups: Sequence[Group]) -> list[Group]:
    # A group is always made before the groups inside it.
    return list(reversed(groups))


def _size(node: Node) -> tuple[float, float]:
    lines = [line for line in (shortened(node.title), shortened(node.detail)) if line]
    width = max(len(line) for line in lines) * _CHARACTER + 2 * _PADDING
    return max(width, 60.0), len(lines) * _LINE + _PADDING


def _lifted(graph: StaticGraph, holders: dict[str, str | None], group: str | None) -> set[tuple[str, str]]:
    """The edges between the direct children of a group, which include edges between their contents."""
    found: set[tuple[str, str]] = set()
    for edge in graph.edges:
        ends = (_child_of(edge.source, holders, group), _child_of(edge.target, holders, group))
        if ends[0] is not None and ends[1] is not None and ends[0] != ends[1]:
            found.add((ends[0], ends[1]))
    return found


def _child_of(item: str, holders: dict[str, str | None], group: str | None) -> str | None:
    current: str | None = item
    while current is not None:
        parent = holders[current]
        if parent == group:
            return current
        current = parent
    return None


def _layers(
    items: Sequence[str], edges: Iterable[tuple[str, str]], sizes: dict[str, tuple[float, float]], is_flat: bool
) -> tuple[dict[str, Box], float, float]:
    ranks = _ranks(items, sorted(edges))
    layers: dict[int, list[str]] = {}
    for item in items:
        layers.setdefault(ranks[item], []).append(item)
    rows = [layers[rank] for rank in sorted(layers)]
    _untangle(rows, sorted(edges))
    across = [sum(_across(sizes[name], is_flat) for name in row) + _GAP * (len(row) - 1) for row in rows]
    widest = max(across, default=0.0)
    boxes: dict[str, Box] = {}
    along = 0.0
    for row, used in zip(rows, across, strict=True):
        thickness = max(_along(sizes[name], is_flat) for name in row)
        place = (widest - used) / 2
        for name in row:
            width, height = sizes[name]
            shift = along + (thickness - _along(sizes[name], is_flat)) / 2
            boxes[name] = Box(shift, place, width, height) if is_flat else Box(place, shift, width, height)
            place += _across(sizes[name], is_flat) + _GAP
        along += thickness + _LAYER_GAP
    along = max(0.0, along - _LAYER_GAP)
    return boxes, *((along, widest) if is_flat else (widest, along))


def _across(size: tuple[float, float], is_flat: bool) -> float:
    return size[1] if is_flat else size[0]


def _along(size: tuple[float, float], is_flat: bool) -> float:
    return size[0] if is_flat else size[1]


def _ranks(items: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest path to each item. Loops, which only occur between groups, are cut."""
    ranks = dict.fromkeys(items, 0)
    for _ in range(len(items)):
        is_settled = True
        for source, target in edges:
            if ranks[target] <= ranks[source] and ranks[source] + 1 < len(items):
                ranks[target] = ranks[source] + 1
                is_settled = False
        if is_settled:
            break
    return ranks


def _untangle(rows: list[list[str]], edges: Sequence[tuple[str, str]]) -> None:
    """Order each layer by the places of its items' sources, so that fewer edges cross."""
    sources: dict[str, list[str]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    place: dict[str, float] = {}
    for row in rows:
        given = {name: index for index, name in enumerate(row)}
        known = {name: [place[one] for one in sources.get(name, ()) if one in place] for name in row}
        row.sort(key=lambda name: (sum(known[name]) / len(known[name]) if known[name] else 0.5, given[name]))
        for index, name in enumerate(row):
            place[name] = (index + 0.5) / len(row)
