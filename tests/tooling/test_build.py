import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, validate

from pipelex.content.inputs import InputSlot, read_inputs
from pipelex.library import Library, Pipe
from pipelex.tooling.build import (
    example_inputs,
    example_output,
    output_schema,
    python_module,
    python_modules,
    toml_text,
)
from tests.support.untyped import untyped
from tests.tooling.methods import EVERYTHING, load

NATIVES = ("Text", "Number", "YesNo", "Date", "Time", "Image", "Document", "Html", "Page", "TextAndImages", "JSON")
MORE = ("SearchResult", "Anything", "Dynamic", "Composite", "Choice", "Rating", "Markdown")
EVERY_NATIVE = (
    'domain = "x"\n[pipe.p]\ntype = "PipeFunc"\ndescription = "d"\nfunction_name = "a.b"\noutput = "Text"\n[pipe.p.inputs]\n'
    + "".join(f'{name.lower()} = "{name}"\n{name.lower()}s = "{name}[3]"\n' for name in (*NATIVES, *MORE))
)


def library_of(text: str = EVERYTHING) -> Library:
    library = load(text).library
    assert library is not None
    return library


def accepted(library: Library, pipe: Pipe, values: dict[str, Any]) -> set[str]:
    slots = {
        name: InputSlot(slot.concept, slot.is_list, slot.count, slot.presence) for name, slot in pipe.inputs.items()
    }
    return set(read_inputs(values, slots, base_dir=Path("/nonexistent"), concepts=library))


@pytest.mark.parametrize("is_explicit", [False, True])
def test_example_inputs_are_inputs(is_explicit: bool) -> None:
    library = library_of()
    for pipe in library.pipes.values():
        values = example_inputs(library, pipe, is_explicit=is_explicit)
        assert accepted(library, pipe, json.loads(json.dumps(values))) == set(pipe.inputs)
        assert accepted(library, pipe, tomllib.loads(toml_text(values))) == set(pipe.inputs)


@pytest.mark.parametrize("is_explicit", [False, True])
def test_example_inputs_of_every_native_are_inputs(is_explicit: bool) -> None:
    from pipelex.language import parse_bundle
    from pipelex.library import link

    library = link([parse_bundle(EVERY_NATIVE)]).library
    pipe = library.pipe("x.p")
    assert accepted(library, pipe, example_inputs(library, pipe, is_explicit=is_explicit)) == set(pipe.inputs)


def test_light_inputs_are_bare_values() -> None:
    library = library_of()
    values = untyped(example_inputs(library, library.pipe("harbour.plan")))
    assert values["notices"] == ["notices_1_value", "notices_2_value"]
    assert values["scan"] == "https://mock.invalid/scan"
    assert values["berth"]["code"] == "code_value"
    explicit = untyped(example_inputs(library, library.pipe("harbour.plan"), is_explicit=True))
    assert explicit["notices"]["concept"] == "harbour.Notice"


def test_example_outputs_satisfy_their_schema() -> None:
    library = library_of()
    for pipe in library.pipes.values():
        schema = output_schema(library, pipe)
        Draft202012Validator.check_schema(schema)
        validate(example_output(library, pipe), schema)
    assert example_output(library, library.pipe("harbour.again")) == {
        "items": [{"text": "again_1_value"}, {"text": "again_2_value"}]
    }


def test_python_classes_hold_the_same_values(tmp_path: Path) -> None:
    library = library_of()
    modules = python_modules(library)
    assert list(modules) == ["harbour.py"]
    file = tmp_path / "harbour.py"
    file.write_text(modules["harbour.py"])
    spec = importlib.util.spec_from_file_location("harbour_classes", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pipe = library.pipe("harbour.plan")
    content = untyped(example_inputs(library, pipe, is_explicit=True))["berth"]["content"]
    berth = module.Berth.model_validate(content)
    assert berth.class_ == 1
    assert berth.photo.url == content["photo"]["url"]
    assert berth.ropes[0].length == content["ropes"][0]["length"]
    assert module.Berth.model_fields["code"].is_required()
    assert module.Berth(code="a").kind == "wet"
    with pytest.raises(ValueError, match="kind"):
        module.Berth(code="a", kind="odd")


def test_a_module_for_concepts_that_have_no_fields() -> None:
    library = library_of()
    text = python_module(library, ["native.Anything"], 'Nothing """ here \\')
    compile(text, "empty.py", "exec")
