import json
from typing import Any

import pytest

from pipelex.content import NATIVE_CONCEPTS, AnyShape, ListShape, ObjectShape, Shape, declared_field, render_content

IMAGE = NATIVE_CONCEPTS["Image"].shape
BERTH = ObjectShape(
    "docks.Berth",
    "A berth",
    (
        declared_field("code", "", type="text"),
        declared_field("depth", "", type="number"),
        declared_field("tags", "", type="list", item_type="text"),
        declared_field("photo", "", type="concept", concept=IMAGE),
        declared_field("note", "", type="concept", concept=NATIVE_CONCEPTS["Text"].shape),
    ),
)
FULL = {"code": "B4", "depth": 9.5, "tags": ["a", "b"], "photo": {"url": "http://p"}, "note": {"text": "n"}}


def native(code: str) -> Shape:
    return NATIVE_CONCEPTS[code].shape


@pytest.mark.parametrize(
    ("shape", "content", "text"),
    [
        (native("Text"), {"text": "a <b>"}, "a <b>"),
        (native("Number"), {"number": 3}, "3"),
        (native("Number"), {"number": 3.0}, "3"),
        (native("Number"), {"number": 3.25}, "3.25"),
        (native("YesNo"), {"yes_no": True, "probability": 0.9}, "yes"),
        (native("YesNo"), {"yes_no": False}, "no"),
        (native("Date"), {"date": "2024-01-15"}, "2024-01-15"),
        (native("Date"), {"date": "2024-01-15", "time": "10:30"}, "2024-01-15 10:30"),
        (native("Time"), {"time": "10:30"}, "10:30"),
        (native("Choice"), {"choice": "left"}, "left"),
        (native("Rating"), {"level": 2, "label": "good"}, "good"),
        (native("Rating"), {"level": 0}, "0"),
        (native("Html"), {"inner_html": "<b>x</b>"}, "<b>x</b>"),
        (native("JSON"), {"json_obj": {"é": 1}}, '{\n  "é": 1\n}'),
        (native("Image"), {"url": "http://p", "caption": "A quay"}, "Image: A quay (http://p)"),
        (native("Image"), {"url": "data:image/png;base64,AAAA"}, "Image"),
        (native("Document"), {"url": "http://d"}, "Document: http://d"),
        (BERTH, FULL, "# code\nB4\n\n# depth\n9.5\n\n# tags\n1. a\n2. b\n\n# photo\nImage: http://p\n\n# note\nn"),
        (BERTH, {"code": "B4"}, "# code\nB4"),
        (ListShape(native("Text")), [{"text": "a"}, {"text": "b"}], "1. a\n2. b"),
        (ListShape(BERTH), [{"code": "A"}, {"code": "B"}], "1.\n## code\nA\n\n2.\n## code\nB"),
        (ListShape(native("Text")), [], ""),
        (AnyShape(), {"text": "a"}, "a"),
        (AnyShape(), {"a": {"text": "x"}, "b": [1, 2]}, "# a\nx\n\n# b\n1. 1\n2. 2"),
        (AnyShape(), "a", "a"),
        (
            native("Page"),
            {"text_and_images": {"text": {"text": "T"}, "images": [{"url": "u"}], "raw_html": "<p>"}},
            "T\n\nImage: u",
        ),
    ],
)
def test_plain(shape: Shape, content: Any, text: str) -> None:
    assert render_content(shape, content) == text


def test_markdown_shows_files() -> None:
    assert render_content(IMAGE, {"url": "http://p", "caption": "Q"}, text_format="markdown") == "![Q](http://p)"


def test_html_escapes_all_but_html() -> None:
    berth = render_content(BERTH, {"code": "<B4>", "tags": ["&"]}, text_format="html")
    assert "&lt;B4&gt;" in berth
    assert "<li>&amp;</li>" in berth
    html = render_content(native("Html"), {"inner_html": "<b>", "css_class": 'a"b'}, text_format="html")
    assert html == '<div class="a&quot;b"><b></div>'
    link = render_content(native("Document"), {"url": "javascript:alert(1)"}, text_format="html")
    assert "javascript" not in link
    assert render_content(native("Markdown"), {"text": "*a* <script>"}, text_format="html") == (
        "<p><em>a</em> &lt;script&gt;</p>"
    )


def test_json_is_the_content() -> None:
    assert json.loads(render_content(BERTH, FULL, text_format="json")) == FULL


def test_files_may_be_replaced_by_tokens() -> None:
    text = render_content(BERTH, FULL, attach=lambda kind, content: f"[{kind} {content['url']}]")
    assert "[Image http://p]" in text


def test_deep_values_end() -> None:
    value: Any = "end"
    for _ in range(2_000):
        value = [value]
    assert "…" in render_content(AnyShape(), value)
