"""One verdict, whoever asks: the command line and the Python API over the whole corpus, and what a verdict stops."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import pipelex
from pipelex.errors import CORE_CODES, ErrorReport, PipelexError
from pipelex.library import Verdict
from pipelex.runner import Pipelex
from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub

CORPUS = Path(__file__).parent.parent / "corpus"
FOCUSED = sorted((CORPUS / "focused").iterdir())
METHODS = sorted((CORPUS / "methods").iterdir())

NEIGHBOURS = """\
domain = "harbour"

[pipe.good]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"

[pipe.faulty]
type = "PipeLLM"
description = "Greet somebody"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $nam"
"""
DIVIDES = """\
domain = "harbour"
main_pipe = "divide"

[pipe.divide]
type = "PipeCompose"
description = "Divides by zero"
inputs = { t = "Text" }
output = "Text"
template = "{{ 1 // 0 }} $t"
"""
SHARED = """\
domain = "shared"

[concept.Ship]
description = "A ship"

[concept.Ship.structure]
name = { type = "text", description = "Its name" }
owner = { type = "concept", concept_ref = "shared.Nobody", description = "Its owner" }

[concept.Buoy]
description = "A buoy"
"""
USES_SHARED = """\
domain = "harbour"

[pipe.describe]
type = "PipeLLM"
description = "Describe a ship"
inputs = { ship = "shared.Ship" }
output = "Text"
prompt = "Describe $ship"

[pipe.place]
type = "PipeLLM"
description = "Place a buoy"
inputs = { buoy = "shared.Buoy" }
output = "Text"
prompt = "Where is $buoy"
"""


def as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "is_valid": verdict.is_valid,
        "is_runnable": verdict.is_runnable,
        "errors": [fault.to_item() for fault in verdict.errors],
        "warnings": [fault.to_item() for fault in verdict.warnings],
        "pending_signatures": list(verdict.pending_signatures),
    }


def printed(cli: Cli, targets: Sequence[str], *options: str) -> list[dict[str, Any]]:
    ended = cli("validate", *targets, *options, "--json")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert len(found) == len(targets), ended.err
    assert ended.code == (0 if all(line["is_runnable"] for line in found) else 1)
    for line, target in zip(found, targets, strict=True):
        assert line.pop("path") == target
    return found


@pytest.mark.slow
def test_the_corpus_has_the_same_verdicts_from_both(cli: Cli) -> None:
    app = Pipelex()
    targets = [str(path) for path in (*FOCUSED, *METHODS)]

    by_command = printed(cli, targets)

    by_api = [as_json(pipelex.runner.run_in_new_loop(app.validate(target))) for target in targets]
    assert by_command == by_api
    assert sum(not verdict["is_valid"] for verdict in by_api) > 150


@pytest.mark.parametrize("folder", ["two_bundles", "with_template", "with_function"])
def test_each_pipe_of_a_method_has_the_same_verdict_from_both(cli: Cli, folder: str) -> None:
    root = CORPUS / "methods" / folder
    pipes = list(Pipelex().open(root).library.pipes)

    by_command = printed(cli, pipes, "-L", str(root))

    assert by_command == [as_json(pipelex.validate(library_dirs=[root], pipe=pipe)) for pipe in pipes]


def test_what_only_values_bring_out_is_in_both_verdicts(cli: Cli) -> None:
    method = cli.project.method(DIVIDES, "divides.mthds")

    (fault,) = pipelex.validate(method).errors

    assert (fault.code, fault.location.line) == ("pipe.template_render_failed", 4)
    assert printed(cli, ["divides.mthds"])[0]["errors"] == [fault.to_item()]
    assert pipelex.validate(method, dry_run=False).is_valid
    assert printed(cli, ["divides.mthds"], "--no-dry-run")[0]["is_valid"]


async def test_a_verdict_within_a_running_loop(cli: Cli) -> None:
    method = cli.project.method(DIVIDES, "divides.mthds")

    assert pipelex.validate(method) == await Pipelex().validate(method)


@pytest.mark.slow
def test_a_faulty_neighbour_stops_nobody(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi")
    method = cli.project.method(NEIGHBOURS, "n.mthds")
    inputs = {"name": "Ana"}

    assert cli("run", "n.mthds", "--pipe", "good", "-i", json.dumps(inputs)).code == 0
    assert pipelex.run_sync(method, inputs, pipe="good").text == "Hi"
    assert Pipelex().open(method).run_sync(inputs, pipe="harbour.good").text == "Hi"
    assert pipelex.load(method, pipe="good").run_sync(inputs).text == "Hi"
    for pipe in ("faulty", None):
        with pytest.raises(PipelexError) as raised:
            pipelex.run_sync(method, inputs, pipe=pipe)
        assert raised.value.code == "method.invalid"


def test_a_faulty_concept_elsewhere_concerns_the_pipes_that_need_it(cli: Cli) -> None:
    cli.project.method(SHARED, "shared.mthds")
    cli.project.method(USES_SHARED, "uses.mthds")

    describe, place = (pipelex.validate(library_dirs=["."], pipe=pipe) for pipe in ("describe", "place"))

    assert [fault.code for fault in describe.errors] == ["method.concept_unresolved"]
    assert place.is_valid


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("method.invalid", 1),
        ("method.not_found", 2),
        ("request.invalid", 2),
        ("input.missing", 1),
        ("provider.credential_refused", 1),
        ("run.not_found", 2),
        ("model.unavailable", 2),
        ("runtime.misconfigured", 2),
        ("runtime.unsupported", 2),
    ],
)
def test_exit_codes_follow_from_the_registry(code: str, status: int) -> None:
    assert code in CORE_CODES
    assert ErrorReport(code, "…").exit_code == status
