"""The value at the end of a path of fields."""

import pytest

from pipelex.content import Json, Stuff
from pipelex.errors import PipelexError
from pipelex.library import Library
from pipelex.pipes.semantics._paths import reach

BERTH: Json = {
    "code": "B4",
    "opened": {"date": "2026-01-31"},
    "tags": ["a", "b"],
    "cranes": [{"name": "Big", "load": 40}, {"name": "Small"}],
    "odds": ["a", 1],
    "extra": {"owner": "Ada"},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", Stuff("harbour.Berth", BERTH)),
        ("code", Stuff("native.Text", {"text": "B4"})),
        ("opened", Stuff("native.Date", {"date": "2026-01-31"})),
        ("tags", Stuff.of_list("native.Text", [{"text": "a"}, {"text": "b"}])),
        ("cranes.name", Stuff.of_list("native.Text", [{"text": "Big"}, {"text": "Small"}])),
        ("cranes.load", Stuff.of_list("native.Number", [{"number": 40}])),
        ("extra", Stuff("native.JSON", {"json_obj": {"owner": "Ada"}})),
        ("odds", Stuff.of_list("native.Anything", ["a", 1])),
        ("notes", None),
    ],
)
def test_paths_are_followed(berths: Library, path: str, expected: Stuff | None) -> None:
    assert reach(berths, Stuff("harbour.Berth", BERTH), path.split(".") if path else []) == expected


def test_a_path_goes_through_every_item(berths: Library) -> None:
    several = Stuff.of_list("harbour.Berth", [BERTH, {"code": "B5", "cranes": []}])
    assert reach(berths, several, ["cranes", "load"]) == Stuff.of_list("native.Number", [{"number": 40}])


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("cdoe", "'cdoe' is not a field at this point of harbour.Berth; its fields are code, notes"),
        ("code.first", "'first' is not a field at this point of harbour.Berth"),
        ("extra.owner", "'owner' is not a field at this point"),
    ],
)
def test_a_path_that_leaves_the_structure_is_an_error(berths: Library, path: str, says: str) -> None:
    with pytest.raises(PipelexError, match=says) as refused:
        reach(berths, Stuff("harbour.Berth", BERTH), path.split("."))
    assert refused.value.code == "method.field_path_unresolved"
