import json

from jsonschema import Draft202012Validator

from pipelex.library import Library, Pipe
from pipelex.tooling.contracts import input_form, output_form, pipe_io_contracts
from tests.tooling.methods import EVERYTHING, load


def plan(text: str = EVERYTHING) -> tuple[Library, Pipe]:
    library = load(text).library
    assert library is not None
    return library, library.pipe("harbour.plan")


def test_contracts_say_concept_presence_and_number() -> None:
    found = pipe_io_contracts(*plan())
    notices, berth, scan = (found["inputs"][name] for name in ("notices", "berth", "scan"))
    assert (notices["concept_ref"], notices["multiplicity"], notices["presence"]) == ("harbour.Notice", "list", "plain")
    assert (berth["multiplicity"], scan["presence"]) == ("single", "optional")
    assert "item_count" not in notices
    for each in (notices, berth, scan):
        Draft202012Validator.check_schema(each["json_schema"])
    output = found["output"]
    assert (output["concept_ref"], output["multiplicity"], output["optional"]) == ("native.Text", "single", False)


def test_a_fixed_number_is_told() -> None:
    library, pipe = plan(EVERYTHING.replace('"Notice[]", berth', '"Notice[3]", berth'))
    assert pipe_io_contracts(library, pipe)["inputs"]["notices"]["item_count"] == 3
    assert input_form(library, pipe)["fields"][0]["item_count"] == 3


def test_the_input_form_has_a_node_for_every_field() -> None:
    fields = input_form(*plan())["fields"]
    assert [(node["name"], node["kind"], node["required"], node["presence"]) for node in fields] == [
        ("notices", "list", True, "plain"),
        ("berth", "object", True, "plain"),
        ("scan", "document", False, "optional"),
    ]
    berth = {node["name"]: node for node in fields[1]["fields"]}
    assert {name: node["kind"] for name, node in berth.items()} == {
        "code": "prose",
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
    (_, berth, _) = input_form(*plan(source))["fields"]
    assert berth["hints"] == {"intent": "label", "note": "n"}


def test_the_output_form_is_one_node() -> None:
    assert output_form(*plan()) == {
        "field": {
            "kind": "text",
            "name": "output",
            "required": True,
            "title": "Text",
            "concept_ref": "native.Text",
            "description": output_form(*plan())["field"]["description"],
        }
    }


def test_members_that_do_not_apply_are_absent() -> None:
    library, _ = plan()
    for pipe in library.pipes.values():
        text = json.dumps([pipe_io_contracts(library, pipe), input_form(library, pipe), output_form(library, pipe)])
        assert "null" not in text.replace('"type": "null"', "")
