from typing import Any

from pipelex.content import (
    NATIVE_CONCEPTS,
    FieldShape,
    ListShape,
    ObjectShape,
    Shape,
    Stuff,
    declared_field,
    native_code,
    refined,
)

IMAGE = NATIVE_CONCEPTS["Image"].shape
BERTH = ObjectShape(
    "docks.Berth",
    "A berth",
    (
        declared_field("code", "", type="text"),
        declared_field("depth", "", type="number"),
        declared_field("opened", "", type="date"),
        declared_field("tags", "", type="list", item_type="text"),
        declared_field("photo", "", type="concept", concept=refined(IMAGE, "docks.Photo", "A photo")),
        FieldShape("plans", "", ListShape(NATIVE_CONCEPTS["Document"].shape)),
    ),
)


class Concepts:
    def shape(self, ref: str) -> Shape:
        code = native_code(ref)
        return BERTH if code is None else NATIVE_CONCEPTS[code].shape


def values() -> dict[str, Any]:
    page = {
        "text_and_images": {"text": {"text": "PAGE"}, "images": [{"url": "i1"}, {"url": "i2"}]},
        "page_view": {"url": "v"},
    }
    berth = {
        "code": "B4",
        "depth": 9.5,
        "opened": "2024-01-15",
        "tags": ["a", "b"],
        "photo": {"url": "p"},
        "plans": [{"url": "d1"}, {"url": "d2"}],
    }
    return {
        "seed": Stuff("native.Text", {"text": "SEED"}),
        "tagged": Stuff("native.Text", {"text": "a < b & c"}),
        "count": Stuff("native.Number", {"number": 3.0}),
        "half": Stuff("native.Number", {"number": 0.5}),
        "yes": Stuff("native.YesNo", {"yes_no": True}),
        "no": Stuff("native.YesNo", {"yes_no": False}),
        "day": Stuff("native.Date", {"date": "2024-01-15", "time": "10:30"}),
        "markup": Stuff("native.Html", {"inner_html": "<b>x</b>"}),
        "source": Stuff("native.Markdown", {"text": "*x*"}),
        "data": Stuff("native.JSON", {"json_obj": {"a": [1, 2], "_own": 5, "items": 7}}),
        "photo": Stuff("native.Image", {"url": "p", "caption": "A quay"}),
        "docs": Stuff.of_list("native.Document", [{"url": "d1"}, {"url": "d2"}, {"url": "d1"}]),
        "notes": Stuff.of_list("native.Text", [{"text": "b"}, {"text": "a"}]),
        "none": Stuff.of_list("native.Text", []),
        "page": Stuff("native.Page", page),
        "berth": Stuff("docks.Berth", berth),
        "berths": Stuff.of_list("docks.Berth", [berth, {"code": "B5"}]),
        "parts": Stuff("native.Composite", {"left": {"text": "L"}, "right": {"number": 4}}),
        "open": Stuff("native.Anything", "free"),
    }
