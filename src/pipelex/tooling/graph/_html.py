"""A graph as one self-contained HTML page: the drawing is inline SVG, and nothing is fetched."""

import html
from collections.abc import Iterator
from typing import Final

from pipelex.tooling.graph._layout import Box, Layout, lay_out, shortened
from pipelex.tooling.graph._model import Direction, Edge, Group, Node, StaticGraph
from pipelex.tooling.pages import policy

_STYLE: Final = """
body { margin: 0; font: 12px system-ui, sans-serif; color: #1d2733; background: #f6f7f9; }
header { position: fixed; top: 0; left: 0; right: 0; padding: 8px 14px; background: #fffe; border-bottom: 1px solid #d8dde3; }
header b { font-size: 14px; }
header button { margin-left: 8px; }
#about { position: fixed; right: 12px; bottom: 12px; max-width: 380px; padding: 10px 14px; background: #fff;
  border: 1px solid #c6ccd4; border-radius: 6px; white-space: pre-wrap; display: none; }
svg { width: 100vw; height: 100vh; display: block; cursor: grab; }
.group rect { fill: #fff; fill-opacity: .55; stroke: #8b98a8; }
.group.batch > rect, .group.PipeBatch > rect { stroke-dasharray: 7 4; }
.group text { font-weight: 600; fill: #44505f; }
.node rect { fill: #fff; stroke: #4a6fa5; }
.node .detail { fill: #67727f; }
.input rect, .output rect { fill: #e8f1fb; }
.expression rect { fill: #fff4d6; stroke: #b98a1c; }
.combine rect { fill: #eaf6ec; stroke: #4f9a5d; }
.special rect { fill: #fbe9e7; stroke: #b5544a; }
.signature rect, .more rect { stroke-dasharray: 4 3; }
.edge path { fill: none; stroke: #7a8796; stroke-width: 1.2; }
.edge.outcome path { stroke: #b98a1c; stroke-dasharray: 5 3; }
.edge.item path { stroke-width: 2.6; }
.edge text { font-size: 10px; fill: #55606d; paint-order: stroke; stroke: #f6f7f9; stroke-width: 3px; }
"""

_SCRIPT: Final = """
const svg = document.querySelector("svg"), about = document.getElementById("about");
const whole = svg.getAttribute("viewBox").split(" ").map(Number);
let view = whole.slice();
const show = () => svg.setAttribute("viewBox", view.join(" "));
const scale = () => Math.max(view[2] / svg.clientWidth, view[3] / svg.clientHeight);
function zoom(by, x, y) {
  view = [x - (x - view[0]) * by, y - (y - view[1]) * by, view[2] * by, view[3] * by]; show();
}
svg.addEventListener("wheel", event => {
  event.preventDefault();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, point.x, point.y);
}, { passive: false });
let held = null;
svg.addEventListener("pointerdown", event => { held = [event.clientX, event.clientY]; });
window.addEventListener("pointerup", () => { held = null; });
window.addEventListener("pointermove", event => {
  if (!held) return;
  view[0] -= (event.clientX - held[0]) * scale(); view[1] -= (event.clientY - held[1]) * scale();
  held = [event.clientX, event.clientY]; show();
});
const middle = by => zoom(by, view[0] + view[2] / 2, view[1] + view[3] / 2);
document.getElementById("in").onclick = () => middle(1 / 1.3);
document.getElementById("out").onclick = () => middle(1.3);
document.getElementById("all").onclick = () => { view = whole.slice(); show(); };
svg.addEventListener("click", event => {
  const item = event.target.closest("[data-about]");
  about.style.display = item ? "block" : "none";
  about.textContent = item ? item.getAttribute("data-about") : "";
});
document.body.setAttribute("data-ready", "yes");
"""


def to_html(graph: StaticGraph, direction: Direction = "top_down") -> str:
    """The graph as a page: zoom with the wheel, drag to move, click something to read about it."""
    layout = lay_out(graph, direction)
    title = html.escape(graph.main)
    drawing = "\n".join(_drawing(graph, layout, direction))
    top = 44
    view = f"0 {-top} {layout.width:.0f} {layout.height + top:.0f}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy(_SCRIPT)}">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<svg viewBox="{view}" role="img" aria-label="{title}">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
<path d="M0 0 L8 4 L0 8 z" fill="#7a8796"/></marker></defs>
{drawing}
</svg>
<header><b>{title}</b><button id="in">+</button><button id="out">−</button><button id="all">Whole</button></header>
<div id="about"></div>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _drawing(graph: StaticGraph, layout: Layout, direction: Direction) -> Iterator[str]:
    for group in graph.groups:
        yield _group(group, layout.boxes[group.id])
    for edge in graph.edges:
        yield _edge(edge, layout.boxes[edge.source], layout.boxes[edge.target], direction)
    for node in graph.nodes:
        yield _node(node, layout.boxes[node.id])


def _about(item: Group | Node) -> str:
    detail = item.detail if isinstance(item, Node) else item.kind
    lines = [item.pipe or item.title, item.title if item.pipe else "", detail, item.description]
    return html.escape("\n".join(dict.fromkeys(line for line in lines if line)), quote=True)


def _group(group: Group, box: Box) -> str:
    kind = "" if group.kind == "batch" else f" · {group.kind}"
    label = html.escape(shortened(group.title + kind, 60))
    return (
        f'<g class="group {group.kind}" data-about="{_about(group)}">'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8"/>'
        f'<text x="{box.x + 12:.1f}" y="{box.y + 19:.1f}">{label}</text></g>'
    )


def _node(node: Node, box: Box) -> str:
    radius = box.height / 2 if node.kind in ("input", "output", "special") else 4
    middle = box.x + box.width / 2
    lines = [
        f'<text x="{middle:.1f}" y="{box.y + 19:.1f}" text-anchor="middle">{html.escape(shortened(node.title))}</text>'
    ]
    if node.detail:
        lines.append(
            f'<text class="detail" x="{middle:.1f}" y="{box.y + 36:.1f}" text-anchor="middle">'
            f"{html.escape(shortened(node.detail))}</text>"
        )
    return (
        f'<g class="node {node.kind}" data-about="{_about(node)}">'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius:.1f}"/>'
        f"{''.join(lines)}</g>"
    )


def _edge(edge: Edge, source: Box, target: Box, direction: Direction) -> str:
    if direction == "left_to_right":
        x1, y1 = source.x + source.width, source.y + source.height / 2
        x2, y2 = target.x, target.y + target.height / 2
        bend = max(24.0, (x2 - x1) / 2)
        path = f"M{x1:.1f} {y1:.1f} C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    else:
        x1, y1 = source.x + source.width / 2, source.y + source.height
        x2, y2 = target.x + target.width / 2, target.y
        bend = max(24.0, (y2 - y1) / 2)
        path = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    label = ""
    if edge.label:
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        text = html.escape(shortened(edge.label, 28))
        label = f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'
    return f'<g class="edge {edge.kind}"><path d="{path}" marker-end="url(#arrow)"/>{label}</g>'
