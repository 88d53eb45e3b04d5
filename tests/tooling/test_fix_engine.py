"""The engine: operations on the layout, rounds, several files, and never a traceback."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelex.errors import PipelexError
from pipelex.errors.json import Json
from pipelex.tooling.fix import FixOptions, apply_ops, fix_bundle, fix_files, read_target, structures_of_source

OLD = '''domain = "legal"  # the domain
definition = "Contracts"

[concept]
Summary = "A summary"

[concept.Contract]
definition = "A contract"
refines = ["PDF"]

[pipe.read]
type = "PipeOcr"
definition = "Read the contract"
inputs = { ocr_input = "Contract" }
output = "Page"
page_images = true

# what it is about
[pipe.sum_up]
type            = "PipeLLM"
definition      = "Sum it up"
inputs          = { pages = "Page", seal = "Image" }
output          = "Summary"
llm             = "gpt"
prompt_template = """
Sum @pages up, \\"quoted\\".
"""

[pipe.main]
type = "PipeSequence"
definition = "Everything"
inputs = { ocr_input = "Contract", seal = "Image" }
output = "Summary"
steps = [
  { pipe = "read", result = "pages" },  # first
  { pipe = "sum_up", result = "summary" },
]

[pipe.choose]
type = "PipeCondition"
inputs = { seal = "Image" }
output = "Summary"
expression = "seal.caption | default('none')"
[pipe.choose.pipe_map]
none = "tell"

[pipe.tell]
PipeLLM = "Tell"
input = "Image"
output = "Summary"
prompt_template = "Tell"

[pipe.both]
type = "PipeParallel"
definition = "Both"
inputs = { image = "Image" }
output = "Text"
parallels = [{ pipe = "tell", result = "a" }]
'''


def test_a_whole_older_file_becomes_valid() -> None:
    result = fix_bundle(OLD, path="legal.mthds")
    assert result.verdict_after.errors == ()
    assert not result.verdict_before.is_valid
    for comment in ("# the domain", "# what it is about", "# first"):
        assert comment in result.text
    assert """Sum {{ pages|tag('pages') }} up, \\"quoted\\".""" in result.text
    assert result.diff().startswith("--- a/legal.mthds\n+++ b/legal.mthds\n")
    assert all(rewrite.location.file == "legal.mthds" and rewrite.location.line for rewrite in result.rewrites)


def test_a_fixed_file_is_left_alone() -> None:
    once = fix_bundle(OLD, path="legal.mthds")
    again = fix_bundle(once.text, path="legal.mthds")
    assert again.rewrites == ()
    assert again.text == once.text
    assert again.diff() == ""


def test_the_rewrites_say_exactly_what_was_done() -> None:
    result = fix_bundle(OLD)
    replayed = apply_ops(OLD, [op for rewrite in result.rewrites for op in rewrite.ops])
    assert tomllib.loads(replayed) == tomllib.loads(result.text)


@pytest.mark.slow
def test_line_ends_are_kept() -> None:
    result = fix_bundle(OLD.replace("\n", "\r\n"))
    assert result.text == fix_bundle(OLD).text.replace("\n", "\r\n")


@pytest.mark.slow
def test_codes_are_selected_and_ignored() -> None:
    only = fix_bundle(OLD, options=FixOptions(select=["add-description"]))
    assert {rewrite.fix_code for rewrite in only.rewrites} == {"add-description"}
    without = fix_bundle(OLD, options=FixOptions(ignore=["add-description"]))
    assert "add-description" not in {rewrite.fix_code for rewrite in without.rewrites}
    safe = fix_bundle(OLD, options=FixOptions(is_safe_only=True))
    assert {rewrite.safety for rewrite in safe.rewrites} == {"safe"}


def test_the_number_of_rounds_is_bounded() -> None:
    assert not fix_bundle(OLD, options=FixOptions(max_iterations=1)).verdict_after.is_valid
    assert fix_bundle(OLD, options=FixOptions(max_iterations=0)).rewrites == ()


def test_what_is_no_toml_is_told() -> None:
    result = fix_bundle("domain = \n", path="x.mthds")
    assert result.rewrites == ()
    assert [fault.code for fault in result.remaining] == ["method.syntax"]


def test_files_are_judged_together() -> None:
    head = 'domain = "x"\n'
    caller = """
[pipe.main]
type = "PipeSequence"
description = "d"
inputs = { file = "PDF" }
output = "Text"
steps = [{ pipe = "read", result = "page" }, { pipe = "tell", result = "told" }]

[pipe.read]
type = "PipeExtract"
description = "d"
inputs = { file = "PDF" }
output = "Page"
"""
    callee = """
[pipe.tell]
type = "PipeLLM"
description = "d"
inputs = { page = "Page" }
output = "Text"
prompt = "$page"
"""
    results = fix_files({"a.mthds": head + caller, "b.mthds": head + callee})
    assert results["a.mthds"].verdict_after.is_valid
    assert 'inputs = { page = "Page[]" }' in results["b.mthds"].text
    alone = fix_bundle(head + caller, path="a.mthds", others={"b.mthds": head + callee})
    assert [fault.location.file for fault in alone.verdict_after.errors] == ["a.mthds"]
    assert alone.remaining[0].code == "method.wiring_invalid"


SOURCE = '''
from pydantic import Field
class Color(StrEnum):
    RED = "red"
    BLUE = "blue"
class Line(StructuredContent):
    label: str = Field(..., description="What was bought")
    price: float | None = None
class Invoice(StructuredContent):
    """An invoice."""
    number: str = Field(description="Its number")
    lines: list[Line] = Field(default_factory=list, description="Its lines")
    color: Color = Field(description="Its color")
    kind: Literal["a", "b"]
    paid: bool = False
    day: Optional[date]
    notes: Dict[str, str]
class Odd(StructuredContent):
    either: int | str
'''


def test_classes_inside_a_structure_become_concepts_too() -> None:
    source = """
class Shop(StructuredContent):
    name: str
    logo: ImageContent
class Till(StructuredContent):
    shop: Shop
    shops: List[Shop] = Field(default_factory=list)
"""
    old = 'domain = "x"\n[concept.Till]\ndescription = "A till"\nstructure = "Till"\n'
    result = fix_bundle(old, options=FixOptions(classes=structures_of_source([source])))
    assert result.verdict_after.is_valid
    concepts = tomllib.loads(result.text)["concept"]
    assert concepts["Till"]["structure"]["shops"]["item_concept_ref"] == "Shop"
    assert concepts["Shop"]["structure"]["logo"]["concept_ref"] == "Image"
    assert [rewrite.safety for rewrite in result.rewrites] == ["unsafe"]


def test_structures_kept_in_python_are_written_out() -> None:
    old = """domain = "x"
[concept.Invoice]
description = "An invoice"
structure = "Invoice"  # in Python
[concept.InvoiceLine]
description = "A line"
structure = "Line"
"""
    result = fix_bundle(old, options=FixOptions(classes=structures_of_source([SOURCE, "not python ("])))
    assert result.verdict_after.is_valid
    assert tomllib.loads(result.text)["concept"]["Invoice"]["structure"] == {
        "number": {"type": "text", "description": "Its number", "required": True},
        "lines": {
            "type": "list",
            "item_type": "concept",
            "item_concept_ref": "InvoiceLine",
            "description": "Its lines",
        },
        "color": {"choices": ["red", "blue"], "description": "Its color", "required": True},
        "kind": {"choices": ["a", "b"], "description": "Kind", "required": True},
        "paid": {"type": "boolean", "description": "Paid", "default_value": False},
        "day": {"type": "date", "description": "Day"},
        "notes": {
            "type": "dict",
            "key_type": "text",
            "value_type": "text",
            "description": "Notes",
            "required": True,
        },
    }
    assert "Odd" not in structures_of_source([SOURCE])


OPS = 'a = 1  # one\n\n[t]  # tee\nx = "X"\n[[t.items]]\nn = 1\n[[t.items]]\nn = 2  # two\n\n[u]\nk = { b = 1, c = 2 }\n[t.y]\nz = 0\n'


@pytest.mark.parametrize(
    ("op", "changed"),
    [
        ({"op": "set_key", "table": ["t", "items", 1], "key": "n", "value": 3}, OPS.replace("n = 2", "n = 3")),
        ({"op": "delete_key", "table": ["u", "k"], "key": "b"}, OPS.replace("{ b = 1, c = 2 }", "{ c = 2 }")),
        ({"op": "delete_table", "table": ["t", "y"]}, OPS.replace("[t.y]\nz = 0\n", "")),
        ({"op": "rename_table_key", "table": ["t"], "key": "y", "new_key": "w"}, OPS.replace("[t.y]", "[t.w]")),
        (
            {"op": "rename_table_key", "table": ["t"], "key": "items", "new_key": "steps"},
            OPS.replace("[[t.items]]", "[[t.steps]]"),
        ),
        ({"op": "ensure_table", "table": ["u", "new"]}, OPS + "\n[u.new]\n"),
        ({"op": "ensure_table", "table": ["t", "y"]}, OPS),
        (
            {"op": "move_key", "table": ["t"], "key": "x", "new_table": ["u"], "new_key": "v"},
            OPS.replace('x = "X"\n', "").replace("c = 2 }\n", 'c = 2 }\nv = "X"\n'),
        ),
        ({"op": "remap_value", "table": ["t"], "key": "x", "mapping": {"X": "Y"}}, OPS.replace('"X"', '"Y"')),
    ],
)
def test_operations_keep_the_layout(op: dict[str, Json], changed: str) -> None:
    assert apply_ops(OPS, [op]) == changed


@pytest.mark.parametrize(
    "op",
    [
        {"op": "delete_key", "table": ["t"], "key": "none"},
        {"op": "set_key", "table": ["none"], "key": "x", "value": 1},
        {"op": "set_key", "table": ["t", "items", 7], "key": "x", "value": 1},
        {"op": "rename_table_key", "table": ["t"], "key": "x", "new_key": "y"},
        {"op": "remap_value", "table": ["t"], "key": "x", "mapping": {"Z": "Y"}},
        {"op": "explode", "table": [], "key": "a"},
    ],
)
def test_operations_that_do_not_fit_are_refused(op: dict[str, Json]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        apply_ops(OPS, [op])


@pytest.mark.slow
def test_older_files_are_read_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.plx").write_text(OLD)
    (tmp_path / "kept.plx").write_text(OLD)
    (tmp_path / "kept.mthds").write_text('domain = "kept"\n')
    (tmp_path / "classes.py").write_text(SOURCE)
    target = read_target(tmp_path)
    assert sorted(target.texts) == ["kept.mthds", "old.mthds"]
    assert "Invoice" in target.classes
    results = fix_files(target.texts, surroundings=target.surroundings)
    assert results["old.mthds"].verdict_after.is_valid
    assert target.write("old.mthds", results["old.mthds"].text) == tmp_path / "old.mthds"
    assert (tmp_path / "old.plx").read_text() == OLD
    with pytest.raises(PipelexError, match="not overwritten"):
        target.write("old.mthds", "x")


def test_targets_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelexError, match="no bundle"):
        read_target(tmp_path)
    with pytest.raises(PipelexError, match="there is no file"):
        read_target(tmp_path / "none.mthds")


WORDS = st.sampled_from(
    [
        *("domain", "definition", "inputs", "output", "steps", "type", "structure", "refines", "input", "images"),
        *('"PipeOcr"', '"PipeParallel"', '"PipeSearch"', '"PDF"', '"Page[]"', '"page.page_view"', "[pipe.sum_up]"),
        *("{", "}", "[", "]", '"', "'''", "=", "\n", "\\", "@pages", "$x", "@?seal", "true", "3", "{{", "\u00a0", "é"),
    ]
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(OLD)), st.integers(0, 12), WORDS), min_size=1, max_size=4))
def test_whatever_is_in_a_file_fixing_never_raises(changes: list[tuple[int, int, str]]) -> None:
    text = OLD
    for place, length, word in changes:
        text = text[:place] + word + text[place + length :]
    result = fix_bundle(text, path="x.mthds")
    assert bool(result.rewrites) == result.is_changed
    if result.rewrites:
        tomllib.loads(result.text)
    assert fix_bundle(result.text, path="x.mthds").text == result.text
