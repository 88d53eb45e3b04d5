import csv
import datetime
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelex.content import (
    NATIVE_CONCEPTS,
    InputSlot,
    ObjectShape,
    Shape,
    Stuff,
    UnresolvedConcept,
    declared_field,
    example,
    load_inputs_file,
    native_code,
    read_inputs,
    refined,
    write_csv,
)
from pipelex.content._csv import read_csv
from pipelex.errors import InputError, PipelexError, near_names
from tests.support.untyped import untyped

BOAT = ObjectShape(
    "docks.Boat",
    "A boat",
    (
        declared_field("name", "Name", type="text", required=True),
        declared_field("length_m", "Length", type="number"),
        declared_field("crew", "Crew", type="integer"),
        declared_field("is_docked", "Docked", type="boolean"),
        declared_field("built", "Built", type="date"),
        declared_field("kind", "Kind", type=None, choices=["tug", "ferry"]),
    ),
)
REPORT = ObjectShape(
    "docks.Report",
    "A report",
    (
        declared_field("photo", "Photo", type="concept", concept=NATIVE_CONCEPTS["Image"].shape),
        declared_field("notes", "Notes", type="list", item_type="concept", concept=NATIVE_CONCEPTS["Text"].shape),
    ),
)
CONCEPT_FIELD = ObjectShape(
    "docks.Entry",
    "An entry",
    (
        declared_field("concept", "Concept", type="text", required=True),
        declared_field("content", "Content", type="text", required=True),
    ),
)


class Concepts:
    """Three structures, a refinement of one and of Text, and the natives."""

    def __init__(self) -> None:
        shapes: list[Shape] = [BOAT, REPORT, CONCEPT_FIELD]
        self._shapes = {shape.concept: shape for shape in shapes if isinstance(shape, ObjectShape)}
        self._shapes["docks.Tug"] = refined(BOAT, "docks.Tug", "A tug")  # type: ignore[assignment]
        self._shapes["docks.Notice"] = refined(NATIVE_CONCEPTS["Text"].shape, "docks.Notice", "")  # type: ignore[assignment]

    def shape(self, ref: str) -> Shape:
        code = native_code(ref)
        return self._shapes[ref] if code is None else NATIVE_CONCEPTS[code].shape

    def native_base(self, ref: str) -> str | None:
        return native_code(ref) or getattr(self.shape(ref), "native", None)

    def is_compatible(self, given: str, expected: str) -> bool:
        chains = {"docks.Tug": "docks.Boat", "docks.Notice": "native.Text"}
        return expected in (given, chains.get(given), "native.Anything")

    def resolve(self, text: str) -> str:
        code = native_code(text)
        if code is not None:
            return f"native.{code}"
        known = {ref.rpartition(".")[2]: ref for ref in self._shapes} | {ref: ref for ref in self._shapes}
        if text not in known:
            raise UnresolvedConcept(f"no concept is called '{text}'", near_names(text, known))
        return known[text]


def read(value: Any, concept: str, base_dir: Path | None = None, **slot: Any) -> Stuff:
    slots = {"x": InputSlot(concept, **slot)}
    return read_inputs({"x": value}, slots, base_dir=base_dir, concepts=Concepts())["x"]


def refused(value: Any, concept: str, base_dir: Path | None = None, **slot: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(value, concept, base_dir, **slot)
    assert caught.value.report.faults
    assert caught.value.report.params["input"] == "x"
    return caught.value


@pytest.mark.parametrize(
    ("concept", "value", "stuff"),
    [
        ("native.Text", "hi", Stuff("native.Text", {"text": "hi"})),
        ("native.Text", {"text": "hi"}, Stuff("native.Text", {"text": "hi"})),
        ("docks.Notice", "hi", Stuff("docks.Notice", {"text": "hi"})),
        ("native.Text", {"concept": "Notice", "content": "hi"}, Stuff("docks.Notice", {"text": "hi"})),
        ("native.Text", "boats.csv", Stuff("native.Text", {"text": "boats.csv"})),
        ("native.Number", 3, Stuff("native.Number", {"number": 3})),
        ("native.YesNo", False, Stuff("native.YesNo", {"yes_no": False})),
        ("native.Date", "2024-01-15", Stuff("native.Date", {"date": "2024-01-15"})),
        ("native.Date", datetime.date(2024, 1, 15), Stuff("native.Date", {"date": "2024-01-15"})),
        ("native.Date", datetime.datetime(2024, 1, 15, 8), Stuff("native.Date", {"date": "2024-01-15", "time": "08:00:00"})),
        ("native.Date", "2024-01-15T08:00+02:00", Stuff("native.Date", {"date": "2024-01-15", "time": "08:00+02:00"})),
        ("native.Time", datetime.time(8, 30), Stuff("native.Time", {"time": "08:30:00"})),
        ("native.Image", "https://a.b/c.png", Stuff("native.Image", {"url": "https://a.b/c.png"})),
        ("native.Image", "data:image/png;base64,AA", Stuff("native.Image", {"url": "data:image/png;base64,AA"})),
        ("native.Document", "pipelex-storage://x", Stuff("native.Document", {"url": "pipelex-storage://x"})),
        ("native.JSON", {"a": [1]}, Stuff("native.JSON", {"json_obj": {"a": [1]}})),
        ("native.JSON", {"items": [1]}, Stuff("native.JSON", {"json_obj": {"items": [1]}})),
        ("native.JSON", {"json_obj": {"a": 1}}, Stuff("native.JSON", {"json_obj": {"a": 1}})),
        ("native.Anything", 4, Stuff("native.Anything", 4)),
        ("native.Anything", {"concept": "Boat", "content": {"name": "A"}}, Stuff("docks.Boat", {"name": "A"})),
        ("native.Dynamic", "hi", Stuff("native.Text", {"text": "hi"})),
        ("native.Dynamic", {"concept": "Number", "content": 4}, Stuff("native.Number", {"number": 4})),
        ("native.Html", {"inner_html": "<b>"}, Stuff("native.Html", {"inner_html": "<b>"})),
        ("docks.Boat", {"name": "A", "crew": None}, Stuff("docks.Boat", {"name": "A"})),
        ("docks.Boat", {"concept": "docks.Tug", "content": {"name": "A"}}, Stuff("docks.Tug", {"name": "A"})),
        ("docks.Entry", {"concept": "a", "content": "b"}, Stuff("docks.Entry", {"concept": "a", "content": "b"})),
        ("docks.Report", {"photo": "http://p", "notes": ["a"]}, Stuff("docks.Report", {"photo": {"url": "http://p"}, "notes": [{"text": "a"}]})),
    ],
)  # fmt: skip
def test_bare_values_and_envelopes(concept: str, value: Any, stuff: Stuff) -> None:
    assert read(value, concept) == stuff


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        ("a", ["a"]),
        ({"items": ["a"]}, ["a"]),
        ({"concept": "Text", "content": ["a"]}, ["a"]),
        ({"concept": "Text", "content": {"items": [{"text": "a"}]}}, ["a"]),
        ([{"concept": "Text", "content": "a"}, "b"], ["a", "b"]),
    ],
)
def test_lists(value: Any, items: list[str]) -> None:
    assert read(value, "native.Text", is_list=True) == Stuff.of_list("native.Text", [{"text": text} for text in items])


def test_a_list_takes_the_more_specific_concept_of_its_envelope() -> None:
    value = {"concept": "Tug", "content": [{"name": "A"}]}
    assert read(value, "docks.Boat", is_list=True).concept == "docks.Tug"


@pytest.mark.parametrize(
    ("concept", "value", "slot", "code", "detail"),
    [
        ("native.Text", None, {}, "input.invalid", "the input 'x' is null: leave it out instead"),
        ("native.Text", 3, {}, "input.invalid", "x must be a text, not the number 3"),
        ("native.Number", True, {}, "input.invalid", "x must be a number, not true"),
        ("native.Text", ["a"], {}, "input.wrong_multiplicity", "the input 'x' takes one native.Text, not a list"),
        ("native.Anything", ["a"], {}, "input.wrong_multiplicity", "the input 'x' takes one native.Anything, not a list"),
        ("native.Text", ["a"], {"is_list": True, "count": 2}, "input.wrong_multiplicity", "the input 'x' takes exactly 2 values of native.Text; 1 is given"),
        ("native.Text", ["a", 3, None], {"is_list": True}, "input.invalid", "x[1] must be a text, not the number 3 (and 1 more fault)"),
        ("docks.Boat", {"concept": "Number", "content": 3}, {}, "input.wrong_concept", "the input 'x' takes a docks.Boat, not a native.Number"),
        ("docks.Tug", {"concept": "Boat", "content": {"name": "A"}}, {}, "input.wrong_concept", "the input 'x' takes a docks.Tug, not a docks.Boat"),
        ("docks.Boat", {"concept": "Boot", "content": {}}, {}, "input.wrong_concept", "the input 'x': no concept is called 'Boot'"),
        ("native.Html", "hi", {}, "input.wrong_concept", "x takes a native.Html, but a bare text is a Text: give an object with its fields"),
        ("docks.Boat", {"nam": "A"}, {}, "input.invalid", "x.name is required (and 1 more fault)"),
        ("native.Image", "a.png", {}, "security.input_path_refused", "x: 'a.png' is a local path, which only a local run can read: give a URL or a storage URI"),
    ],
)  # fmt: skip
def test_refusals(concept: str, value: Any, slot: dict[str, Any], code: str, detail: str) -> None:
    error = refused(value, concept, **slot)
    assert (error.code, error.report.detail) == (code, detail)


def test_a_dynamic_value_without_a_concept_says_how_to_name_one() -> None:
    assert "concept" in refused({"a": 1}, "native.Dynamic").report.detail


def test_all_faults_come_at_once() -> None:
    slots = {
        "note": InputSlot("native.Text"),
        "boat": InputSlot("docks.Boat"),
        "extra": InputSlot("native.Text", presence="optional"),
    }
    with pytest.raises(InputError) as caught:
        read_inputs({"boat": {"name": 3, "crew": 1.5}, "nots": "a"}, slots, base_dir=None, concepts=Concepts())
    found = [(fault.code, fault.location.input, fault.location.field) for fault in caught.value.report.faults]
    assert found == [
        ("input.unexpected", "nots", None),
        ("input.missing", "note", None),
        ("input.invalid", "boat", "name"),
        ("input.invalid", "boat", "crew"),
    ]
    assert caught.value.report.advice == "Did you mean note?"


@pytest.mark.parametrize(
    ("name", "declared", "told"),
    [
        ("nots", ["note"], "'nots' is not an input; did you mean 'note'? The only declared input is note"),
        ("age", ["note", "boat"], "'age' is not an input: the declared inputs are note, boat"),
        ("age", [], "'age' is not an input: the pipe takes no inputs"),
        ("x", [f"in_{n}" for n in range(9)], "inputs are in_0, in_1, in_2, in_3, in_4, in_5, in_6, in_7 and 1 more"),
    ],
)
def test_an_unknown_input_is_told_with_those_there_are(name: str, declared: list[str], told: str) -> None:
    slots = {each: InputSlot("native.Text", presence="optional") for each in declared}
    with pytest.raises(InputError) as caught:
        read_inputs({name: "a"}, slots, base_dir=None, concepts=Concepts())
    assert str(caught.value).endswith(told)


def test_a_name_is_not_proposed_that_has_a_value() -> None:
    slots = {"note": InputSlot("native.Text"), "notes": InputSlot("native.Text", presence="optional")}
    with pytest.raises(InputError) as caught:
        read_inputs({"note": "a", "notez": "b"}, slots, base_dir=None, concepts=Concepts())
    assert [fault.suggestions for fault in caught.value.report.faults] == [("notes",)]


MANY = {f"key{number}": 1 for number in range(5_000)}
LONG = "x" * 100_000


@pytest.mark.parametrize(
    "raw",
    [
        {"boat": {"name": "A"}, **MANY},
        {"boat": {"name": "A"}, LONG: 1},
        {"boat": {"name": "A", **MANY}},
        {"boat": {"name": "A", LONG: 1}},
        {"boat": {"name": "A"}, "boats": [{"name": number} for number in range(5_000)]},
    ],
    ids=["many names", "a long name", "many fields", "a long field", "many items"],
)
def test_a_report_of_many_faults_is_bounded(raw: dict[str, Any]) -> None:
    slots = {"boat": InputSlot("docks.Boat"), "boats": InputSlot("docks.Boat", is_list=True, presence="optional")}
    with pytest.raises(InputError) as caught:
        read_inputs(raw, slots, base_dir=None, concepts=Concepts())
    faults = caught.value.report.faults
    assert 1 <= len(faults) <= 101
    assert len(faults) == 1 or re.search(r"4,9\d\d more", faults[-1].detail)
    assert max(len(str(fault)) for fault in faults) < 2_000


def test_a_report_of_many_columns_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "boats.csv").write_text(",".join([LONG, *MANY]) + "\nA\n", encoding="utf-8")
    faults = refused("boats.csv", "docks.Boat", tmp_path, is_list=True).report.faults
    assert len(faults) == 101
    assert max(len(str(fault)) for fault in faults) < 2_000


def test_optional_inputs_may_be_left_out() -> None:
    slots = {"x": InputSlot("native.Text", presence="optional")}
    assert read_inputs({}, slots, base_dir=None, concepts=Concepts()) == {}


def test_local_files_become_file_urls(tmp_path: Path) -> None:
    (tmp_path / "a plan.pdf").write_bytes(b"%PDF")
    url = (tmp_path / "a plan.pdf").resolve().as_uri()
    content = {"url": url, "filename": "a plan.pdf", "mime_type": "application/pdf"}
    for text in ("a plan.pdf", str(tmp_path / "a plan.pdf"), url):
        assert read(text, "native.Document", tmp_path).content == content
    named = read({"url": "a plan.pdf", "filename": "plan"}, "native.Document", tmp_path)
    assert untyped(named.content)["filename"] == "plan"


def test_a_file_inside_a_structure_is_resolved_too(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8\xff")
    assert untyped(read({"photo": "p.jpg"}, "docks.Report", tmp_path).content)["photo"]["mime_type"] == "image/jpeg"


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.jpg").write_bytes(b"\xff\xd8\xff")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert untyped(read("~/p.jpg", "native.Image", Path("/")).content)["filename"] == "p.jpg"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nothing.png", "input.reference_not_found"),
        (".", "input.file_unreadable"),
        ("a\0b.png", "input.file_unreadable"),
        ("file://elsewhere/p.png", "input.file_unreadable"),
        ("", "input.file_unreadable"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, code: str) -> None:
    assert refused(text, "native.Image", tmp_path).code == code


# --- tables -----------------------------------------------------------------------------------------------------------

TABLE = """name,length_m,crew,is_docked,built,kind
"A, the first",9.5,3,true,2020-05-01,tug
B,,,,,
"""


def test_a_table_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "boats.csv").write_text("\ufeff" + TABLE, encoding="utf-8")
    first = {
        "name": "A, the first",
        "length_m": 9.5,
        "crew": 3,
        "is_docked": True,
        "built": "2020-05-01",
        "kind": "tug",
    }
    assert read("boats.csv", "docks.Boat", tmp_path, is_list=True).items == [first, {"name": "B"}]


@pytest.mark.parametrize("text", ["name{}\nA\n", "name\nA{}\n", "name{}\nA{}\n"])
def test_empty_cells_at_the_end_cost_their_number_once(tmp_path: Path, text: str) -> None:
    """A copy of the row for each cell would take minutes."""
    (tmp_path / "boats.csv").write_text(text.replace("{}", "," * 500_000), encoding="utf-8")
    assert read("boats.csv", "docks.Boat", tmp_path, is_list=True).items == [{"name": "A"}]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "boats.csv is empty: the first row must name the fields"),
        (
            "nmae\nA\n",
            "boats.csv, line 1 the column 'nmae' is not a field of Boat; did you mean 'name'? (and 1 more fault)",
        ),
        ("crew\n3\n", "boats.csv, line 1 the required column 'name' is missing"),
        ("name,name\nA,B\n", "boats.csv, line 1 the column 'name' appears twice"),
        ("name,crew\nA,many\n", "boats.csv, line 2, column 'crew' must be a whole number, not the text 'many'"),
        ("name,crew\n,3\n", "boats.csv, line 2, column 'name' is required"),
        ("name\nA,B\n", "boats.csv, line 2 has 2 cells, the header 1"),
        ('name\n"A\n', "boats.csv, line 2 is not valid CSV: unexpected end of data"),
        (",".join(["name"] * 16_385), "boats.csv has 16,385 columns, and a table may have 16,384"),
        (",".join(map(str, range(1_000_000))), "boats.csv has 1,000,000 columns, and a table may have 16,384"),
        ("name\n" + "," * 20_000 + "A\n", "boats.csv, line 2 has 20001 cells, the header 1"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, text: str, detail: str) -> None:
    (tmp_path / "boats.csv").write_text(text, encoding="utf-8")
    error = refused("boats.csv", "docks.Boat", tmp_path, is_list=True)
    assert error.report.detail == f"the input 'x': {detail}"


def test_a_table_of_a_nested_concept_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("notes\n", encoding="utf-8")
    assert refused("r.csv", "docks.Report", tmp_path, is_list=True).code == "input.invalid"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1)
BOATS = st.fixed_dictionaries(
    {"name": CELLS},
    optional={
        "length_m": st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False, width=32),
        "crew": st.integers(),
        "is_docked": st.booleans(),
        "built": st.dates().map(lambda day: day.isoformat()),
        "kind": st.sampled_from(["tug", "ferry"]),
    },
)


@pytest.mark.slow
@given(st.lists(BOATS, max_size=4))
@settings(deadline=None, derandomize=True)
def test_a_written_table_reads_back(tmp_path_factory: pytest.TempPathFactory, boats: list[dict[str, Any]]) -> None:
    stream = io.StringIO()
    write_csv(boats, BOAT, stream)
    path = tmp_path_factory.mktemp("tables", numbered=True) / "boats.csv"
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    assert read(str(path), "docks.Boat", path.parent, is_list=True).items == boats


def test_nested_concepts_are_not_written_as_a_table() -> None:
    with pytest.raises(ValueError, match="photo, notes"):
        write_csv([], REPORT, io.StringIO())


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(A1)", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "'quoted'", "a=b", "- a list", "'=1"]
)
def test_no_text_is_a_formula_in_a_table_and_every_text_comes_back(tmp_path: Path, name: str) -> None:
    boat: dict[str, Any] = {"name": name, "length_m": -3.5}
    stream = io.StringIO()
    write_csv([boat], BOAT, stream)
    _, (text, length, *_) = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert not text.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert length == "-3.5", "a number runs nothing"
    file = tmp_path / "boats.csv"
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    assert read_csv(file, BOAT) == [boat]


# --- inputs files -----------------------------------------------------------------------------------------------------


def test_inputs_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": [1, "é"]}', encoding="utf-8")
    (tmp_path / "a.toml").write_text("day = 2024-01-15\n", encoding="utf-8")
    assert load_inputs_file(tmp_path / "a.json") == {"x": [1, "é"]}
    assert load_inputs_file(tmp_path / "a.toml") == {"day": datetime.date(2024, 1, 15)}


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "words"),
    [
        ("a.json", b'{\n "x": ,}', 2, 7, "not valid JSON"),
        ("a.json", b"[1]", None, None, "one member per input"),
        ("a.json", b'{"x": NaN}', None, None, "NaN is not a JSON number"),
        ("a.json", b'{"x": 1, "x": 2}', None, None, "'x' is given twice"),
        ("a.json", b"[" * 100_000, None, None, "nested too deeply"),
        ("a.json", b"\xff", 1, None, "not UTF-8"),
        ("a.toml", b"x = 1\ny = \n", 2, 5, "not valid TOML"),
        ("a.toml", b"x = " + b"[" * 100_000, None, None, "nested too deeply"),
    ],
)
def test_inputs_files_that_cannot_be_read(
    tmp_path: Path, name: str, text: bytes, line: int | None, column: int | None, words: str
) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(PipelexError, match=words) as caught:
        load_inputs_file(tmp_path / name)
    assert caught.value.code == "input.file_unreadable"
    assert (caught.value.report.location.line, caught.value.report.location.column) == (line, column)


def test_an_inputs_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PipelexError, match="there is no inputs file"):
        load_inputs_file(tmp_path / "a.json")


# --- properties -------------------------------------------------------------------------------------------------------

LIGHT_CONCEPTS = [
    "native.Text",
    "native.Number",
    "native.YesNo",
    "native.Date",
    "native.Image",
    "native.JSON",
    "docks.Boat",
    "docks.Report",
]


@pytest.mark.parametrize("concept", LIGHT_CONCEPTS)
def test_light_examples_are_inputs(concept: str) -> None:
    shape = Concepts().shape(concept)
    light = untyped(read(example(shape, light=True), concept).content)
    assert light.items() <= untyped(read(example(shape), concept).content).items()


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["concept", "content", "items", "url", "text", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(
    JSON_VALUES,
    st.sampled_from([*LIGHT_CONCEPTS, "native.Anything", "native.Dynamic", "native.Page", "docks.Entry"]),
    st.booleans(),
)
@settings(deadline=None, derandomize=True)
def test_any_value_is_read_or_refused(value: Any, concept: str, is_list: bool) -> None:
    try:
        stuff = read(value, concept, is_list=is_list)
    except InputError:
        return
    assert stuff.is_list is is_list
    assert read(stuff.to_json(), concept, is_list=is_list) == stuff
