"""The page of a run: what its document says of finished and failed runs, and that no text of a run gets out of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelex.content.stuff import Stuff
from pipelex.errors import PipelexError
from pipelex.pipes.trace import PipeTrace
from pipelex.tooling.viewer import RunFacts, run_document, run_page
from pipelex.tooling.viewer.values import LONGEST_TEXT, MOST_IN_ALL, MOST_ITEMS, Values
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project
from tests.support.untyped import untyped

METHOD = """
domain = "harbour"
main_pipe = "main"

[pipe.main]
type = "PipeSequence"
description = "All of it"
inputs = { names = "Text[]" }
output = "Text"
steps = [
  { pipe = "greet", batch_over = "names", batch_as = "name", result = "greetings" },
  { pipe = "choose", result = "chosen" },
  { pipe = "last", result = "end" },
]

[pipe.greet]
type = "PipeLLM"
description = "Greet"
inputs = { name = "Text" }
output = "Text"
prompt = "Greet: $name"

[pipe.choose]
type = "PipeCondition"
description = "Choose"
inputs = { greetings = "Text[]" }
output = "Text"
expression = "greetings|length > 1"
outcomes = { "True" = "long", "False" = "short" }
default_outcome = "fail"

[pipe.long]
type = "PipeCompose"
description = "Long"
inputs = { greetings = "Text[]" }
output = "Text"
template = "Long: {{ greetings|length }}"

[pipe.short]
type = "PipeCompose"
description = "Short"
inputs = { greetings = "Text[]" }
output = "Text"
template = "Short: {{ greetings|length }}"

[pipe.last]
type = "PipeLLM"
description = "End"
inputs = { chosen = "Text" }
output = "Text"
prompt = "End: $chosen"
"""


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


async def document_of(project: Project, *, fails: bool = False) -> dict[str, Any]:
    seen: list[PipeTrace] = []
    error = result = None
    async with project.app("direct") as app:
        method = app.load(project.method(METHOD))
        try:
            result = (await method.run({"names": ["Ann", "Bob"]}, on_change=seen.append)).main_stuff
        except PipelexError as failed:
            error = failed.report
    assert (error is not None) == fails
    return run_document(seen[-1], RunFacts("monday", "direct", result=result, error=error), method.library)


def nodes_of(document: dict[str, Any]) -> list[tuple[str, str, Any]]:
    return [(node["pipe"], node["status"], node.get("item")) for node in document["nodes"]]


@pytest.mark.slow
async def test_a_finished_run_has_its_values_prompts_and_the_outcome_taken(tmp_path: Path, stub: OpenAIStub):
    stub.on("Greet", text="Hello **you**")
    stub.on("End", text="The end")
    document = await document_of(write_project(tmp_path, stub=stub.url))
    assert nodes_of(document) == [
        ("harbour.main", "completed", None),
        ("harbour.greet", "completed", 0),
        ("harbour.greet", "completed", 1),
        ("harbour.choose", "completed", None),
        ("harbour.short", "skipped", None),
        ("harbour.long", "completed", None),
        ("harbour.last", "completed", None),
    ]
    by_pipe = {node["pipe"]: node for node in document["nodes"]}
    assert [by_pipe[f"harbour.{code}"].get("outcome") for code in ("short", "long")] == ["False", "True"]
    assert [by_pipe[f"harbour.{code}"].get("step") for code in ("greet", "choose", "last")] == [1, 2, 3]
    values, greet = document["values"], by_pipe["harbour.greet"]
    assert values[greet["inputs"]["name"]]["content"] == {"text": "Bob"}
    assert values[greet["output"]]["content"] == {"text": "Hello **you**"}
    (call,) = greet["effects"]
    assert (call["prompt"]["user"], call["attempts"], call["usage"]["calls"]) == ("Greet: Bob", 1, 1)
    assert values[document["result"]]["content"] == {"text": "The end"}
    assert document["pipes"]["harbour.greet"]["prompt"] == "Greet: $name"


@pytest.mark.slow
async def test_a_failed_run_tells_where_and_what_did_not_run(tmp_path: Path, stub: OpenAIStub):
    stub.on("Greet", status=401)
    document = await document_of(write_project(tmp_path, stub=stub.url), fails=True)
    assert document["run"]["status"] == "failed"
    assert document["run"]["error"]["code"] == "provider.credential_refused"
    states = {pipe: status for pipe, status, _ in nodes_of(document)}
    assert states == {
        "harbour.main": "failed",
        "harbour.greet": states["harbour.greet"],
        "harbour.choose": "not_run",
        "harbour.last": "not_run",
    }
    assert any(node.get("error", {}).get("code") == "provider.credential_refused" for node in document["nodes"])


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--<script>", "]]>{{RUN}}{{TITLE}}", "\u2028 \ud83d\ude00 é"]
)
def test_no_text_of_a_run_ends_the_element_that_holds_it(text: str):
    trace = PipeTrace("monday", f"harbour.{text}", "PipeLLM", inputs={"x": Stuff("native.Text", {"text": text})})
    page = run_page(run_document(trace, RunFacts("monday", "direct"), None))
    data = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    read = json.loads(data[1])
    assert [value["content"] for value in read["values"].values()] == [{"text": text}]
    assert page.count("</script>") == 2


def test_large_values_are_cut_and_counted_and_equal_ones_are_there_once():
    values = Values()
    long = Stuff("native.Text", {"text": "x" * (LONGEST_TEXT + 7)})
    key = values.add(long)
    assert key is not None
    assert (len(untyped(values.table[key]["content"])["text"]), values.table[key]["left_out"]) == (LONGEST_TEXT, 7)
    assert values.add(Stuff("native.Text", {"text": "x" * (LONGEST_TEXT + 7)})) == key
    many = values.add(Stuff.of_list("native.Number", [{"number": number} for number in range(MOST_ITEMS + 5)]))
    assert many is not None
    assert len(untyped(values.table[many]["content"])["items"]) == MOST_ITEMS
    for number in range(MOST_IN_ALL // LONGEST_TEXT + 10):
        values.add(Stuff("native.Text", {"text": f"{number:05}" + "y" * (LONGEST_TEXT - 5)}))
    assert values.add(Stuff("native.Text", {"text": "z" * LONGEST_TEXT})) is None
