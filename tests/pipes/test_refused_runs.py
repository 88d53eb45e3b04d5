"""What a run makes of values that only the run shows: blank prompts, absent lists, counts that differ."""

from pathlib import Path
from typing import Any

import pytest

from pipelex import PipelexError
from pipelex.content.stuff import Absence
from pipelex.testing import ScriptedModel, scripted
from tests.support.methods import written
from tests.support.untyped import untyped

pytestmark = pytest.mark.slow

HEAD = """
domain = "harbour"
main_pipe = "main"

[concept.Ship]
description = "A ship"
structure = { name = { type = "text", required = true, description = "Name" }, port = { type = "text", description = "Port" } }

[concept.Fleet]
description = "Ships by port"
[concept.Fleet.structure]
by_port = { type = "dict", key_type = "text", value_type = "Any", description = "By port" }
ships = { type = "list", item_type = "concept", item_concept_ref = "Ship", description = "Ships" }
"""


def pipe(code: str, kind: str, inputs: str, output: str, more: str) -> str:
    return (
        f'\n[pipe.{code}]\ntype = "{kind}"\ndescription = "D"\ninputs = {{ {inputs} }}\noutput = "{output}"\n{more}\n'
    )


async def ran(folder: Path, method: str, inputs: dict[str, Any], *answers: Any) -> Any:
    model = ScriptedModel(*answers)
    with scripted(model, overrides={"inference.transport_max_retries": 0}) as app:
        return (await app.load(written(folder, HEAD + method)).run(inputs)).main_stuff


@pytest.mark.parametrize(
    ("kind", "output", "more"),
    [
        ("PipeLLM", "Text", 'prompt = "$topic"'),
        ("PipeJudge", "YesNo", 'prompt = "$topic"\nquestion = "Is it water?"'),
        ("PipeSearch", "SearchResult", 'prompt = "$topic"'),
        ("PipeImgGen", "Image", 'prompt = "$topic"'),
    ],
)
async def test_a_blank_prompt_is_not_sent(kind: str, output: str, more: str, tmp_path: Path) -> None:
    with pytest.raises(PipelexError) as refused:
        await ran(tmp_path, pipe("main", kind, 'topic = "Text"', output, more), {"topic": " \n "})
    assert refused.value.code == "pipe.prompt_empty"


SHIPS = pipe("name", "PipeLLM", 'ship = "Ship"', "Text", 'prompt = "Name $ship"')


@pytest.mark.parametrize("fleet", [None, {"ships": None}, {"by_port": {}}, {"ships": []}])
async def test_nothing_runs_over_an_absent_list(fleet: Any, tmp_path: Path) -> None:
    steps = (
        'steps = [{ pipe = "name", batch_over = "fleet.ships", batch_as = "ship", result = "names" },'
        ' { pipe = "count", result = "said" }]'
    )
    count = pipe("count", "PipeCompose", 'names = "Text[]"', "Text", 'template = "{{ names|length }} ships"')
    method = pipe("main", "PipeSequence", 'fleet = "Fleet?"', "Text", steps) + count + SHIPS
    model = ScriptedModel()
    with scripted(model) as app:
        result = await app.load(written(tmp_path, HEAD + method)).run({} if fleet is None else {"fleet": fleet})
    assert model.asked == []
    assert result.text == "0 ships"


async def test_items_without_the_attribute_cannot_be_keys(tmp_path: Path) -> None:
    keyed = pipe(
        "main",
        "PipeCompose",
        'ships = "Ship[]"',
        "Fleet",
        '[pipe.main.construct]\nby_port = { from = "ships", list_to_dict_keyed_by = "port" }',
    )
    ships = [{"name": "Ada", "port": "Riga"}, {"name": "Eve", "port": "Kiel"}]
    made = await ran(tmp_path, keyed, {"ships": ships})
    assert sorted(untyped(made.content)["by_port"]) == ["Kiel", "Riga"]
    with pytest.raises(PipelexError, match="an item of 'ships' has no 'port'") as refused:
        await ran(tmp_path, keyed, {"ships": [*ships, {"name": "Ida"}]})
    assert refused.value.code == "pipe.binding_failed"


FUNCTIONS = """
def two(topic):
    return [{"name": "Ada"}, {"name": "Eve"}]

def one(topic):
    return {"name": "Ada"}

def none(topic):
    return None
"""


@pytest.mark.parametrize(
    ("function", "output", "found"),
    [
        ("two", "Ship[]", 2),
        ("two", "Ship[2]", 2),
        ("two", "Ship[3]", "gave 2 values where 3 are declared"),
        ("one", "Ship[]", "gave a single value where a list"),
        ("one", "Ship", {"name": "Ada"}),
        ("none", "Ship?", None),
    ],
)
async def test_functions_give_what_is_declared(function: str, output: str, found: Any, tmp_path: Path) -> None:
    method = pipe("main", "PipeFunc", 'topic = "Text"', output, f'function_name = "tools.{function}"')
    (tmp_path / "tools.py").write_text(FUNCTIONS, encoding="utf-8")
    with scripted(ScriptedModel()) as app:
        running = app.load(written(tmp_path, HEAD + method)).run({"topic": "x"})
        if isinstance(found, str):
            with pytest.raises(PipelexError, match=found) as refused:
                await running
            assert refused.value.code == "pipe.output_multiplicity"
            return
        result = await running
    if found is None:
        assert isinstance(result.value, Absence)
    elif isinstance(found, int):
        assert len(untyped(result.main_stuff.content)["items"]) == found
    else:
        assert result.main_stuff.content == found


async def test_the_number_of_objects_is_the_declared_one(tmp_path: Path) -> None:
    method = pipe("main", "PipeLLM", 'topic = "Text"', "Ship[2]", 'prompt = "Ships of $topic"')
    ships = [{"name": "Ada"}, {"name": "Eve"}]
    assert len(untyped((await ran(tmp_path, method, {"topic": "x"}, ships)).content)["items"]) == 2
    with pytest.raises(PipelexError) as refused:
        await ran(tmp_path, method, {"topic": "x"}, *([[*ships, {"name": "Ida"}]] * 4))
    assert refused.value.code == "model.output_schema_mismatch"
    assert "must have 2 items, not 3" in str(refused.value)


@pytest.mark.parametrize("size", ['"1k"', '"640x480"', "{ width = 640, height = 480 }"])
async def test_sizes_of_images(size: str, tmp_path: Path) -> None:
    method = pipe(
        "main", "PipeImgGen", 'topic = "Text"', "Image", f'prompt = "$topic"\nsize = {size}\nnegative_prompt = "fog"'
    )
    assert (await ran(tmp_path, method, {"topic": "the sea"}, None)).concept == "native.Image"
