"""Values of every shape, laid out as blocks for a document."""

from typing import Any, cast

import pytest

from pipelex.content import Json, Stuff
from pipelex.library import Library
from pipelex.pipes.effects.layout import humanised, laid_out, rows_of


def blocks(berths: Library, concept: str, content: Any) -> list[dict[str, Json]]:
    """The blocks below the heading of one value, or of a list."""
    value = (
        Stuff.of_list(concept, cast("list[Json]", content)) if isinstance(content, list) else Stuff(concept, content)
    )
    heading, *others = laid_out(berths, "the_value", value)
    assert heading == {"kind": "heading", "text": "The value", "level": 1, "sheet": True}
    return others


def paragraph(text: str) -> dict[str, Json]:
    return {"kind": "paragraph", "text": text}


SHAPES: list[tuple[str, Any, list[Any]]] = [
    ("native.Text", {"text": "One\r\n\r\n\r\n\r\nTwo\nlines"}, [paragraph("One"), paragraph("Two\nlines")]),
    ("native.Number", {"number": 2.5}, [paragraph("2.5")]),
    ("native.YesNo", {"yes_no": True}, [paragraph("yes")]),
    ("native.Markdown", {"text": "# A"}, [{"kind": "markdown", "text": "# A"}]),
    ("native.Html", {"inner_html": "<b>A</b>"}, [{"kind": "html", "text": "<b>A</b>"}]),
    ("native.Image", {"url": "a.png"}, [{"kind": "image", "content": {"url": "a.png"}}]),
    ("native.JSON", {"json_obj": {"a": 1}}, [{"kind": "code", "text": '{\n  "a": 1\n}'}]),
    (
        "native.SearchResult",
        {"answer": "Yes", "sources": []},
        [paragraph("Yes"), {"kind": "bullets", "items": []}],
    ),
    ("native.Number", [{"number": 1}, {"number": 2}], [{"kind": "bullets", "items": ["1", "2"]}]),
    ("native.YesNo", [{"yes_no": False}], [{"kind": "bullets", "items": ["no"]}]),
    ("native.Text", [], []),
    (
        "native.Image",
        [{"url": "a.png"}, {"url": "b.png"}],
        [{"kind": "image", "content": {"url": name}} for name in ("a.png", "b.png")],
    ),
    (
        "harbour.Crane",
        [{"name": "A", "load": 2}, {"name": "B", "load": None}],
        [{"kind": "table", "columns": ["Name", "Load"], "rows": [["A", 2], ["B", None]]}],
    ),
]


@pytest.mark.parametrize(("concept", "content", "expected"), SHAPES)
def test_blocks_follow_the_shape(berths: Library, concept: str, content: Any, expected: list[Any]) -> None:
    assert blocks(berths, concept, content) == expected


def test_a_document_is_described(berths: Library) -> None:
    (block,) = blocks(berths, "native.Document", {"url": "plans/a.pdf", "filename": "a.pdf"})
    assert block["kind"] == "paragraph"
    assert "a.pdf" in str(block["text"])


def test_a_page_shows_its_text_and_images_but_not_its_view(berths: Library) -> None:
    page = {"text_and_images": {"text": {"text": "Read"}, "images": [{"url": "i"}]}, "page_view": {"url": "whole"}}
    found = blocks(berths, "native.Page", page)
    assert [block["kind"] for block in found] == ["paragraph", "image"]
    assert "whole" not in str(found)


def test_a_page_without_text_has_no_blocks(berths: Library) -> None:
    assert blocks(berths, "native.TextAndImages", {"text": None, "images": []}) == []


def test_simple_fields_are_pairs_and_others_have_headings(berths: Library) -> None:
    berth = {
        "code": "B4",
        "notes": "First\nSecond",
        "opened": {"date": "2026-01-31"},
        "depth": {"number": 9.5},
        "is_free": {"yes_no": True},
        "tags": ["a", "b"],
        "cranes": [{"name": "Big", "load": 40}],
        "photos": [{"url": "p.png"}],
        "extra": {"owner": "Ada", "history": [1, 2], "more": {"deep": {"est": True}}, "none": None},
    }
    pairs, *others = blocks(berths, "harbour.Berth", berth)
    assert rows_of(pairs) == [["Code", "B4"], ["Opened", "2026-01-31"], ["Depth", 9.5], ["Is free", True]]
    headings = [(block["text"], block["level"]) for block in others if block["kind"] == "heading"]
    assert headings == [
        *((name, 2) for name in ("Notes", "Tags", "Cranes", "Photos", "Extra")),
        ("History", 3),
        ("More", 3),
        ("Deep", 4),
    ]
    assert {"kind": "image", "content": {"url": "p.png"}} in others
    assert {"kind": "bullets", "items": ["a", "b"]} in others
    assert {"kind": "pairs", "rows": [["Owner", "Ada"]]} in others


def test_booleans_are_yes_and_no_in_lists_of_every_kind(berths: Library) -> None:
    berth = {"code": "B4", "checks": [True, False], "extra": {"odd": [True, [False]]}}
    found = blocks(berths, "harbour.Berth", berth)
    assert {"kind": "bullets", "items": ["yes", "no"]} in found
    assert paragraph("yes") in found
    assert "True" not in str([block.get("text") for block in found])


def test_items_that_do_not_fit_into_a_table_are_numbered(berths: Library) -> None:
    found = blocks(berths, "harbour.Berth", [{"code": "B1", "tags": ["a"]}, {"code": "B2"}])
    assert [block["text"] for block in found if block["kind"] == "heading"] == ["1", "Tags", "2"]


def test_what_is_nested_too_deep_is_shown_as_json(berths: Library) -> None:
    deep: Any = "end"
    for _ in range(60):
        deep = {"in": deep}
    kinds = [block["kind"] for block in blocks(berths, "harbour.Berth", {"code": "B", "extra": deep})]
    assert kinds[-1] == "code"
    assert kinds.count("heading") < 60


@pytest.mark.parametrize(("name", "shown"), [("berth_notes", "Berth notes"), ("a", "A"), ("_x_", "X"), ("", "")])
def test_names_are_written_for_people(name: str, shown: str) -> None:
    assert humanised(name) == shown
