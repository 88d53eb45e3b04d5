"""Contracts and forms: their facts, and their shape, which the public client's own models read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mthds.protocol.input_form import InputForm
from mthds.protocol.output_form import OutputForm
from mthds.protocol.pipe_io_contracts import PipeIOContracts
from pydantic import TypeAdapter

from pipelex.content.inputs import InputSlot, read_inputs
from pipelex.content.structure import example
from pipelex.errors import Json
from pipelex.language.references import Slot
from pipelex.library import Library, Pipe, load_library
from pipelex.tooling.contracts import contract_files, input_form, output_form, pipe_io_contract
from tests.support.untyped import untyped
from tests.tooling.methods import EVERYTHING, load

ROOT = Path(__file__).parent.parent.parent
CLIENT: dict[str, TypeAdapter[Any]] = {
    "pipe_io_contracts.json": TypeAdapter(PipeIOContracts),
    "input_form.json": TypeAdapter(InputForm),
    "output_form.json": TypeAdapter(OutputForm),
}


def plan(text: str = EVERYTHING) -> tuple[Library, Pipe]:
    library = load(text).library
    assert library is not None
    return library, library.pipe("harbour.plan")


def published() -> Iterator[Path]:
    yield from sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
    yield from sorted((ROOT / "tests/corpus/methods").iterdir())
    yield from sorted((ROOT / "tests/corpus/focused").iterdir())


@pytest.fixture(scope="module")
def libraries() -> dict[str, Library]:
    """Every valid method of the examples and of the corpus."""
    found: dict[str, Library] = {}
    for path in published():
        loaded = load_library([path])
        if loaded.verdict.is_valid and loaded.library is not None:
            found[path.name] = loaded.library
    return found


@pytest.mark.slow
def test_the_client_reads_the_contracts_and_forms_of_every_method(libraries: dict[str, Library]) -> None:
    seen = 0
    for method, library in libraries.items():
        files = contract_files(library)
        assert files.keys() == CLIENT.keys()
        for name, document in files.items():
            assert document.keys() == library.pipes.keys(), (method, name)
            text = json.dumps(document)
            parsed = CLIENT[name].validate_json(text)
            # What the client writes again is what it read: no member is lost, and none is made up.
            assert CLIENT[name].dump_python(parsed, mode="json") == json.loads(text), (method, name)
            seen += len(document)
    assert seen > 900


@pytest.mark.slow
def test_the_schemas_of_a_contract_take_what_a_run_takes(libraries: dict[str, Library]) -> None:
    for method, library in libraries.items():
        for pipe in library.pipes.values():
            contract = untyped(pipe_io_contract(library, pipe))
            schemas = {name: entry["json_schema"] for name, entry in contract["inputs"].items()}
            for schema in (*schemas.values(), contract["output"]["json_schema"]):
                Draft202012Validator.check_schema(schema)
            sent = {name: made_up(library, slot) for name, slot in pipe.inputs.items()}
            for name, value in sent.items():
                assert Draft202012Validator(schemas[name]).is_valid(value), (method, name)  # type: ignore[reportUnknownMemberType]
            slots = {
                name: InputSlot(slot.concept, slot.is_list, slot.count, slot.presence)
                for name, slot in pipe.inputs.items()
            }
            assert read_inputs(sent, slots, base_dir=None, concepts=library).keys() == sent.keys(), method


def made_up(library: Library, slot: Slot) -> Json:
    content = example(library.shape(slot.concept))
    return [content] * (slot.count or 2) if slot.is_list else content


def test_contracts_say_concept_presence_and_number() -> None:
    found = untyped(pipe_io_contract(*plan()))
    notices, berth, scan = (found["inputs"][name] for name in ("notices", "berth", "scan"))
    assert (notices["concept_ref"], notices["multiplicity"], notices["presence"]) == (
        "harbour.Notice",
        "variable",
        "plain",
    )
    assert (berth["multiplicity"], scan["presence"]) == ("single", "optional")
    assert (notices["item_count"], berth["item_count"], found["output"]["item_count"]) == (None, None, None)
    assert notices["json_schema"] == {"type": "array", "items": notices["json_schema"]["items"]}
    for each in (notices, berth, scan):
        Draft202012Validator.check_schema(each["json_schema"])
    output = found["output"]
    assert (output["concept_ref"], output["multiplicity"], output["optional"]) == ("native.Text", "single", False)


def test_a_fixed_number_is_told() -> None:
    library, pipe = plan(EVERYTHING.replace('"Notice[]", berth', '"Notice[3]", berth'))
    notices = untyped(pipe_io_contract(library, pipe))["inputs"]["notices"]
    assert (notices["multiplicity"], notices["item_count"]) == ("fixed", 3)
    assert (notices["json_schema"]["minItems"], notices["json_schema"]["maxItems"]) == (3, 3)
    assert untyped(input_form(library, pipe))["fields"][0]["item_count"] == 3
    assert untyped(input_form(library, pipe))["fields"][0]["gating"] is True


def test_the_input_form_has_a_node_for_every_field() -> None:
    fields = untyped(input_form(*plan()))["fields"]
    assert [(node["name"], node["kind"], node["required"], node["presence"]) for node in fields] == [
        ("notices", "list", True, "plain"),
        ("berth", "object", True, "plain"),
        ("scan", "document", False, "optional"),
    ]
    berth = {node["name"]: node for node in fields[1]["fields"]}
    assert {name: node["kind"] for name, node in berth.items()} == {
        "code": "text",
        "depth": "number",
        "kind": "enum",
        "open_since": "date",
        "class": "number",
        "tags": "list",
        "notes": "unknown",
        "photo": "image",
        "ropes": "list",
    }
    assert berth["kind"]["choices"] == ["wet", "dry"]
    assert berth["kind"]["default_value"] == "wet"
    assert berth["code"]["required"] is True
    assert berth["photo"]["concept_ref"] == "native.Image"
    assert berth["photo"]["description"] == "A picture"
    assert berth["ropes"]["item"]["fields"][0]["name"] == "length"


def test_hints_of_nearer_sites_win() -> None:
    source = EVERYTHING.replace('berth = "Berth", scan', 'berth = { concept = "Berth", hints = { note = "n" } }, scan')
    (_, berth, _) = untyped(input_form(*plan(source)))["fields"]
    assert berth["hints"] == {"intent": "label", "note": "n"}


def test_the_output_form_is_one_node() -> None:
    assert output_form(*plan()) == {
        "field": {
            "kind": "prose",
            "name": "output",
            "required": True,
            "concept_ref": "native.Text",
            "description": "A text",
        }
    }
    library, _ = plan()
    several = untyped(output_form(library, library.pipe("harbour.again")))["field"]
    assert (several["kind"], several["required"], several["item"]["kind"]) == ("list", True, "prose")
    assert "name" not in several["item"]


KINDS = """
domain = "zoo"
[concept]
Remark = "A remark"
[concept.Note]
description = "A note"
refines = "Remark"
hints = { intent = "label" }
[concept.Visit]
description = "A visit"
[concept.Visit.structure]
name = "Whose"
legs = { type = "integer", description = "Legs", required = true }
born = { type = "date", description = "Born" }
seen = { type = "datetime", description = "Seen" }
fed = { type = "time", description = "Fed", default_value = 08:00:00 }
tame = { type = "boolean", description = "Tame", default_value = false }
note = { type = "concept", concept_ref = "Note", description = "Said", hints = { intent = "prose" } }
remarks = { type = "list", item_type = "concept", item_concept_ref = "Remark", description = "All" }
sums = { type = "dict", key_type = "text", value_type = "number", description = "By day" }
[pipe.visit]
description = "Every slot"
inputs = { visit = "Visit", note = "Note!", day = "Date?", many = "Note[]", three = "Image[3]", one = "Number[1]", wish = "Anything", page = "Page", at = "Time", sure = "YesNo" }
output = "Text?"
"""


def test_every_kind_of_slot_and_field_has_its_node() -> None:
    loaded = load(KINDS)
    library = loaded.library
    assert library is not None
    assert loaded.verdict.warnings == ()  # an intent on a field suits what its concept holds
    tame = load(KINDS.replace('concept_ref = "Note"', 'concept_ref = "YesNo"')).verdict.warnings
    assert [fault.params["reason"] for fault in tame] == ["inapplicable_intent"]
    pipe = library.pipe("zoo.visit")
    form = {node["name"]: node for node in untyped(input_form(library, pipe))["fields"]}
    facts = ("kind", "required", "presence", "gating")
    assert {name: tuple(node[fact] for fact in facts) for name, node in form.items()} == {
        "visit": ("object", True, "plain", True),
        "note": ("prose", True, "force", True),
        "day": ("date", False, "optional", False),
        "many": ("list", True, "plain", False),
        "three": ("list", True, "plain", True),
        "one": ("number", True, "plain", True),
        "wish": ("unknown", True, "plain", True),
        "page": ("object", True, "plain", True),
        "at": ("text", True, "plain", True),
        "sure": ("boolean", True, "plain", True),
    }
    assert form["note"]["refines"] == ["zoo.Remark", "native.Text"]
    assert form["many"]["refines"] == form["many"]["item"]["refines"] == ["zoo.Remark", "native.Text"]
    assert form["many"]["hints"] == form["many"]["item"]["hints"] == {"intent": "label"}
    assert (form["three"]["item_count"], "item_count" in form["many"]) == (3, False)
    assert form["at"]["format"] == "time"
    inner = {node["name"]: node for node in form["visit"]["fields"]}
    assert {name: node["kind"] for name, node in inner.items()} == {
        "name": "text", "legs": "number", "born": "date", "seen": "date", "fed": "text", "tame": "boolean",
        "note": "prose", "remarks": "list", "sums": "unknown",
    }  # fmt: skip
    assert (inner["legs"]["integer"], inner["born"]["datetime"], inner["seen"]["datetime"]) == (True, False, True)
    assert (inner["tame"]["default_value"], inner["fed"]["default_value"]) == (False, "08:00:00")
    assert (inner["note"]["description"], inner["note"]["hints"]) == ("Said", {"intent": "prose"})
    assert inner["remarks"]["concept_ref"] == inner["remarks"]["item"]["concept_ref"] == "zoo.Remark"
    assert not any(key in node for node in inner.values() for key in ("presence", "gating"))
    contract = untyped(pipe_io_contract(library, pipe))
    assert {name: (entry["presence"], entry["multiplicity"]) for name, entry in contract["inputs"].items()} == {
        "visit": ("plain", "single"), "note": ("force", "single"), "day": ("optional", "single"),
        "many": ("plain", "variable"), "three": ("plain", "fixed"), "one": ("plain", "single"),
        "wish": ("plain", "single"), "page": ("plain", "single"), "at": ("plain", "single"),
        "sure": ("plain", "single"),
    }  # fmt: skip
    assert contract["output"]["optional"] is True
