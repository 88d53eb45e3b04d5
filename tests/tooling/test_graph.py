import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelex.tooling.graph import Direction, StaticGraph, static_graph, to_html, to_mermaid
from pipelex.tooling.graph._layout import Box, lay_out
from tests.tooling.methods import EVERYTHING, load

HOSTILE = (
    EVERYTHING.replace("'deep' if depth.number > 9 else 'flat'", "'</script><img src=x>\\\"]' if depth.number else 1")
    .replace('default_outcome = "fail"', 'default_outcome = "tell"')
    .replace("Measure", "</script><script>alert(1)</script> https://evil.invalid")
    .replace("Side by side", '\\" onload=alert(1) `x` ]] --> end')
)


def graph_of(text: str = EVERYTHING, pipe: str | None = None) -> StaticGraph:
    loaded = load(text)
    assert loaded.library is not None
    return static_graph(loaded.library, loaded.pipe_ref(pipe))


def edges(graph: StaticGraph) -> set[tuple[str, str, str, str]]:
    titles = {node.id: node.title for node in graph.nodes}
    return {(titles[edge.source], titles[edge.target], edge.label, edge.kind) for edge in graph.edges}


def test_values_are_followed_through_every_controller() -> None:
    expression = "'deep' if depth.number > 9 else 'flat'"
    assert edges(graph_of()) == {
        ("notices", "read", "notice", "item"),
        ("scan", "read", "scan", "data"),
        ("berth", "berth.code → code", "berth", "data"),
        ("berth", "measure", "berth", "data"),
        ("berth.code → code", "name", "code", "data"),
        ("measure", "Composite", "depth", "data"),
        ("name", "Composite", "title", "data"),
        ("measure", expression, "depth", "data"),
        (expression, "tell", "deep | flat", "outcome"),
        (expression, "fail", "otherwise", "outcome"),
        ("name", "tell", "title", "data"),
        ("tell", "output", "", "data"),
    }


def test_controllers_are_groups_inside_groups() -> None:
    graph = graph_of()
    titles = {group.id: group.title for group in graph.groups}
    assert [(group.title, group.kind, titles.get(group.parent or "")) for group in graph.groups] == [
        ("plan", "PipeSequence", None),
        ("for each notice of notices", "batch", "plan"),
        ("both", "PipeParallel", "plan"),
        ("again: for each notice of notices", "PipeBatch", "plan"),
        ("choose", "PipeCondition", "plan"),
    ]
    assert {node.title: node.kind for node in graph.nodes}["name"] == "signature"


@pytest.mark.parametrize("pipe", ["plan", "both", "again", "choose", "read", "name"])
@pytest.mark.parametrize("direction", ["top_down", "left_to_right"])
def test_nothing_overlaps_and_everything_is_inside_its_group(pipe: str, direction: Direction) -> None:
    graph = graph_of(pipe=pipe)
    layout = lay_out(graph, direction)
    items = {item.id: item.parent for item in (*graph.groups, *graph.nodes)}
    for name, parent in items.items():
        box = layout.boxes[name]
        holder = layout.boxes[parent] if parent is not None else Box(0, 0, layout.width, layout.height)
        assert holder.x <= box.x
        assert holder.y <= box.y
        assert box.x + box.width <= holder.x + holder.width
        assert box.y + box.height <= holder.y + holder.height
        for other, its_parent in items.items():
            if other > name and its_parent == parent:
                second = layout.boxes[other]
                is_apart = (
                    box.x + box.width <= second.x
                    or second.x + second.width <= box.x
                    or box.y + box.height <= second.y
                    or second.y + second.height <= box.y
                )
                assert is_apart, (name, other)


@pytest.mark.parametrize("direction", ["top_down", "left_to_right"])
def test_the_page_needs_nothing_else(direction: Direction) -> None:
    page = to_html(graph_of(), direction)
    assert re.findall(r"https?:|//[a-z]|(?<!-)\b(?:src|href|import)\b", page) == []
    assert "default-src 'none'" in page
    assert page.count("<svg") == page.count("</svg>") == 1


def test_names_and_descriptions_are_text_wherever_they_stand() -> None:
    graph = graph_of(HOSTILE)
    page = to_html(graph)
    assert page.count("<script>") == 1
    assert page.count("</script>") == 1
    assert "<img" not in page
    assert not re.search(r'"[^"<>]*" onload=', page)
    for line in to_mermaid(graph).splitlines():
        labels = re.findall(r'"([^"]*)"', line)
        assert line.count('"') == 2 * len(labels)
        assert not any(set("<>`{}") & set(label.replace("<br/>", "")) for label in labels)


def test_mermaid_says_the_direction_and_closes_its_groups() -> None:
    text = to_mermaid(graph_of(), "left_to_right")
    assert text.startswith("flowchart LR\n")
    assert text.count("subgraph ") == sum(line.strip() == "end" for line in text.splitlines()) == 5
    assert re.search(r"n\d+ ==>\|\"notice\"\| n\d+", text)
    assert re.search(r"n\d+ -\.->\|\"otherwise\"\| n\d+", text)


def test_json_leaves_out_what_has_no_value() -> None:
    found = json.loads(json.dumps(graph_of().to_json()))
    assert found["main_pipe"] == "harbour.plan"
    assert found["nodes"][0] == {"id": "n0", "title": "notices", "kind": "input", "detail": "Notice[]"}
    assert {"source", "target", "kind"} <= found["edges"][-1].keys()


def test_a_method_that_unfolds_without_end_is_cut() -> None:
    levels = 'domain = "x"\n[pipe.p0]\ntype = "PipeLLM"\ndescription = "d"\noutput = "Text"\nprompt = "x"\n'
    for level in range(1, 16):
        steps = ", ".join(f'{{ pipe = "p{level - 1}" }}' for _ in range(3))
        levels += f'[pipe.p{level}]\ntype = "PipeSequence"\ndescription = "d"\noutput = "Text"\nsteps = [{steps}]\n'
    graph = graph_of(levels, "p15")
    assert 1500 <= len(graph.nodes) < 5000
    assert any(node.kind == "more" for node in graph.nodes)


BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
def test_the_page_opens_in_a_browser(tmp_path: Path) -> None:
    assert BROWSER is not None
    page = tmp_path / "graph.html"
    page.write_text(to_html(graph_of(HOSTILE)), encoding="utf-8")
    seen = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert 'data-ready="yes"' in seen.stdout
