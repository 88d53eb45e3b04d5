"""Inputs as people type them, and the rows of tables."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest

from pipelex.content import load_inputs_file
from pipelex.content.inputs import InputSlot, read_inputs
from pipelex.content.rows import read_rows, result_cells, result_columns, write_rows
from pipelex.content.structure import ListShape
from pipelex.content.stuff import Absence, Stuff
from pipelex.content.typed import TypedInputs, file_inputs, named_value, text_inputs
from pipelex.errors import InputError, PipelexError
from tests.content.test_inputs import BOAT, Concepts
from tests.support.untyped import untyped

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def typed(folder: Path, concept: str, *texts: str, **slot: Any) -> Any:
    """The content of an input `x` that was typed."""
    slots = {"x": InputSlot(concept, **slot)}
    found = TypedInputs(slots, Concepts(), folder, lambda: "from stdin")
    for text in texts:
        found.add_value("x", text)
    content = read_inputs(found.found, slots, base_dir=folder, concepts=Concepts())["x"].content
    return untyped(content)["items"] if slot.get("is_list") else content


@pytest.mark.parametrize(
    ("concept", "text", "content"),
    [
        ("native.Text", "Ana", {"text": "Ana"}),
        ("native.Text", "", {"text": ""}),
        ("native.Text", "12", {"text": "12"}),
        ("native.Text", '{"a": 1}', {"text": '{"a": 1}'}),
        ("native.Text", "@@ana", {"text": "@ana"}),
        ("native.Text", "@-", {"text": "from stdin"}),
        ("native.Text", "@letter.txt", {"text": "Dear\n"}),
        ("native.Text", "@data.json", {"text": '{"name": "Ata"}'}),
        ("native.Number", "12", {"number": 12}),
        ("native.Number", " -1.5", {"number": -1.5}),
        ("native.YesNo", "no", {"yes_no": False}),
        ("native.Date", "2024-01-15", {"date": "2024-01-15"}),
        ("native.Html", "<b>x</b>", {"inner_html": "<b>x</b>"}),
        ("native.JSON", '{"a": [1]}', {"json_obj": {"a": [1]}}),
        ("native.JSON", "@data.json", {"json_obj": {"name": "Ata"}}),
        ("docks.Boat", '{"name": "Ata"}', {"name": "Ata"}),
        ("docks.Boat", "@data.json", {"name": "Ata"}),
        ("docks.Boat", "@data.yaml", {"name": "Ata"}),
        ("docks.Boat", "@data.toml", {"name": "Ata"}),
    ],
)
def test_a_value_is_read_by_what_is_declared(tmp_path: Path, concept: str, text: str, content: Any) -> None:
    (tmp_path / "letter.txt").write_text("Dear\n", encoding="utf-8")
    (tmp_path / "data.json").write_text('{"name": "Ata"}', encoding="utf-8")
    (tmp_path / "data.yaml").write_text("name: Ata\n", encoding="utf-8")
    (tmp_path / "data.toml").write_text('name = "Ata"\n', encoding="utf-8")

    assert typed(tmp_path, concept, text) == content


def test_a_list_is_json_a_table_or_the_name_repeated(tmp_path: Path) -> None:
    (tmp_path / "boats.csv").write_text("name,crew\nAta,3\n", encoding="utf-8")
    (tmp_path / "words.csv").write_text("word\none\n12\n", encoding="utf-8")
    boats = [{"name": "Ata", "crew": 3}]

    assert typed(tmp_path, "native.Text", "a", "b", is_list=True) == [{"text": "a"}, {"text": "b"}]
    assert typed(tmp_path, "native.Number", "[1, 2]", "3", is_list=True) == [{"number": number} for number in (1, 2, 3)]
    assert typed(tmp_path, "docks.Boat", "@boats.csv", is_list=True) == boats
    assert typed(tmp_path, "docks.Boat", "boats.csv", is_list=True) == boats
    assert typed(tmp_path, "native.Text", "@words.csv", is_list=True) == [{"text": "one"}, {"text": "12"}]


@pytest.mark.parametrize(
    ("concept", "texts", "code", "told"),
    [
        ("native.Text", ["a", "b"], "input.invalid", "given twice"),
        ("native.Text", ["@gone.txt"], "input.reference_not_found", "written @@"),
        ("native.Text", ["@bad.txt"], "input.file_unreadable", "not UTF-8"),
        ("native.Number", ["many"], "input.invalid", "must be a number"),
        ("docks.Boat", ["Ata"], "input.invalid", "several fields"),
        ("docks.Boat", ["{'name': 1}"], "input.invalid", "not valid JSON"),
    ],
)
def test_what_does_not_read_is_said(tmp_path: Path, concept: str, texts: list[str], code: str, told: str) -> None:
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=told) as caught:
        typed(tmp_path, concept, *texts)
    assert (caught.value.code, caught.value.report.location.input) == (code, "x")


def test_names_of_values() -> None:
    assert named_value("name=Ana = Bo\nC") == ("name", "Ana = Bo\nC")
    assert [named_value(text) for text in ("inputs.json", '{"a": "b=c"}', "./a=b", "-", "9=a")] == [None] * 5


def test_paths_of_a_file_start_at_its_folder_and_typed_ones_here(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for place in (tmp_path / "deep", tmp_path):
        (place / "a.png").write_bytes(PNG)
    (tmp_path / "deep" / "inputs.toml").write_text('x = "a.png"\n', encoding="utf-8")
    slots = {"x": InputSlot("native.Image"), "y": InputSlot("native.Image")}
    found = TypedInputs(slots, Concepts(), tmp_path)
    found.add_file(tmp_path / "deep" / "inputs.toml")
    found.add_value("y", "a.png")

    read = read_inputs(found.found, slots, base_dir=tmp_path, concepts=Concepts())

    assert untyped(read["x"].content)["url"] == (tmp_path / "deep/a.png").as_uri()
    assert untyped(read["y"].content)["url"] == (tmp_path / "a.png").as_uri()


def test_a_lone_text_or_file_is_the_only_input_there_can_be(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear", encoding="utf-8")
    one = {"x": InputSlot("native.Text"), "y": InputSlot("native.Number", presence="optional")}
    two = {"x": InputSlot("native.Text"), "y": InputSlot("native.Text")}

    assert text_inputs("Hello\n", one, Concepts()) == {"x": "Hello"}
    assert text_inputs("Hello\n", two, Concepts()) is None
    assert file_inputs(tmp_path / "letter.txt", one, Concepts())[0] == {"x": "Dear"}
    with pytest.raises(PipelexError, match="not valid JSON"):
        file_inputs(tmp_path / "letter.txt", two, Concepts())


# --- kinds of files ---------------------------------------------------------------------------------------------------


def _data_url(data: bytes, mime_type: str = "image/png") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("concept", "data", "told"),
    [
        ("native.Image", b"%PDF-1.7 ...", "is a PDF, not an image"),
        ("native.Image", b"just words", "is not an image, but of type text/plain"),
        ("native.Image", b"<html><body>x", "text/html"),
        ("native.Image", b"PK\x03\x04rest", "is not an image"),
        ("native.Image", b"", "is empty"),
        ("native.Document", b"", "is empty"),
    ],
)
@pytest.mark.parametrize("name", ["a.bin", "a.png", "data"])
def test_files_of_another_kind_are_refused(tmp_path: Path, concept: str, data: bytes, told: str, name: str) -> None:
    value = _data_url(data) if name == "data" else name
    (tmp_path / name).write_bytes(data)
    slots = {"x": InputSlot(concept)}
    with pytest.raises(InputError, match=told) as caught:
        read_inputs({"x": value}, slots, base_dir=tmp_path, concepts=Concepts())
    assert (caught.value.code, caught.value.report.params["input"]) == ("input.file_type_unsupported", "x")


@pytest.mark.parametrize(
    "data", [PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"BM\x1e\0\0\0" + b"\0" * 24, b"<svg xmlns='x'/>"]
)
def test_images_are_told_by_their_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "picture").write_bytes(data)
    assert typed(tmp_path, "native.Image", "picture")["filename"] == "picture"


# --- YAML -------------------------------------------------------------------------------------------------------------


def test_yaml_has_the_values_of_json(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("no: no\nzip: 01234\nday: 2024-01-15\nn: [1, -2.5, true, null, ~]\ntext: |\n  a\n  b\n1: x\n")
    assert load_inputs_file(file) == {
        "no": "no",
        "zip": "01234",
        "day": "2024-01-15",
        "n": [1, -2.5, True, None, None],
        "text": "a\nb\n",
        "1": "x",
    }


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a: 1\na: 2", 2, "twice"),
        ("a: &x 1\nb: *x", 2, "aliases"),
        ("a: [", 1, "not valid YAML"),
        ("a: !!python/object:os.system x", 1, "not valid YAML"),
        ("? [1]\n: 2", 1, "is not a name"),
        ("[" * 5_000, None, "nested too deeply"),
        ("- 1", None, "one member per input"),
    ],
)
def test_yaml_that_is_no_json_is_refused(tmp_path: Path, text: str, line: int | None, told: str) -> None:
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelexError, match=told) as caught:
        load_inputs_file(tmp_path / "a.yml")
    assert (caught.value.code, caught.value.report.location.line) == ("input.file_unreadable", line)


# --- rows -------------------------------------------------------------------------------------------------------------


def test_columns_are_inputs_and_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,x,n\n1,@a,3\n2,'=b,\n", encoding="utf-8")
    slots = {"x": InputSlot("native.Text"), "n": InputSlot("native.Number", presence="optional")}

    table = read_rows(tmp_path / "rows.csv", slots, Concepts())

    assert [dict(row.inputs) for row in table.rows] == [{"x": "@a", "n": 3}, {"x": "=b"}]
    assert (table.unused, table.rows[1].label) == (("id",), "rows.csv, line 3")


def test_a_row_may_be_one_structure(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,name,crew\n1,Ata,3\n", encoding="utf-8")
    slots = {"boat": InputSlot("docks.Boat"), "style": InputSlot("native.Text")}
    constant = TypedInputs(slots, Concepts(), tmp_path)
    constant.add_value("style", "dry")

    table = read_rows(tmp_path / "rows.csv", slots, Concepts(), constant=constant.found)

    assert dict(table.rows[0].inputs) == {"style": "dry", "boat": {"name": "Ata", "crew": 3}}
    assert table.unused == ("id",)


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a\n1,2\n", '"'])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    with pytest.raises(PipelexError) as caught:
        read_rows(tmp_path / "rows.csv", {"a": InputSlot("native.Text")}, Concepts())
    assert caught.value.code == "input.file_unreadable"


def test_a_message_about_a_table_names_its_first_faults_only(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n" + "a,b\n" * 5_000, encoding="utf-8")
    told = "; ".join(f"rows.csv, line {line} has 2 cells, the header 1" for line in (2, 3, 4)) + " (and 4,997 more)"

    with pytest.raises(PipelexError) as of_rows:
        read_rows(tmp_path / "rows.csv", {"x": InputSlot("native.Text")}, Concepts())
    with pytest.raises(InputError) as of_a_list:
        typed(tmp_path, "native.Text", "@rows.csv", is_list=True)

    assert of_rows.value.report.detail == told
    assert of_a_list.value.report.detail == f"the input 'x': {told}"


def test_results_stand_beside_their_rows() -> None:
    boat = Stuff("docks.Boat", {"name": "Ata", "crew": 3})
    cells = result_cells(boat, BOAT, is_list=False)
    columns = result_columns(BOAT, is_list=False)
    stream = io.StringIO()
    write_rows(
        ("id", "name"),
        columns[:3],
        [({"id": "1", "name": "=x"}, cells[:3], None), ({"id": "2"}, None, "it failed")],
        stream,
    )
    assert stream.getvalue() == "id,name,result.name,length_m,crew,error\n1,'=x,Ata,,3,\n2,,,,,it failed\n"


def test_results_of_every_form_are_cells() -> None:
    text = Concepts().shape("native.Text")
    assert result_cells(Stuff("native.Text", {"text": "a"}), text, is_list=False) == ["a"]
    assert result_cells(Absence("skipped"), BOAT, is_list=False) == [None] * 6
    many = Stuff.of_list("native.Text", [{"text": "a"}])
    assert result_cells(many, text, is_list=True) == ['[{"text": "a"}]']
    assert result_columns(ListShape(text), is_list=True) == ("result",)
