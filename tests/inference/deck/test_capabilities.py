"""What a model cannot do is found when the method is validated, before an earlier pipe has cost anything."""

from pathlib import Path

import pytest

from pipelex.runner import Pipelex
from tests.support.project import write_project

PIPE = """
domain = "quay"
[concept.Boat]
description = "A boat"
[concept.Boat.structure]
name = { type = "text", description = "Its name" }
photo = { type = "concept", concept_ref = "native.Image", description = "What it looks like", required = true }
[pipe.look]
type = "PipeLLM"
description = "Look"
model = "stub-text"
"""
BLIND = '[blind]\nmodel_type = "img_gen"\nsdk = "openai_img_gen"\ninputs = ["text"]\noutputs = ["image"]\n'
DRAW = 'domain = "quay"\n[pipe.draw]\ntype = "PipeImgGen"\ndescription = "Draw"\noutput = "Image"\nmodel = "blind"\n'
JUDGE = (
    'domain = "quay"\n[pipe.judge]\ntype = "PipeJudge"\ndescription = "Judge"\noutput = "YesNo"\nquestion = "Well?"\n'
)

CASES = [
    (PIPE + 'output = "Text"\nprompt = "Hello"', None),
    (PIPE + 'output = "Number"\nprompt = "Hello"', "structured output"),
    (PIPE + 'output = "Text[]"\nprompt = "Hello"', "structured output"),
    (PIPE + 'output = "Text"\ninputs = { photo = "Image" }\nprompt = "See $photo"', "images"),
    (PIPE + 'output = "Text"\ninputs = { photo = "Image" }\nprompt = "At {{ photo.url }}"', None),
    (PIPE + 'output = "Text"\ninputs = { photo = "Image?" }\nprompt = "See{% if photo %} $photo{% endif %}"', None),
    (PIPE + 'output = "Text"\ninputs = { boat = "Boat" }\nprompt = "See $boat.photo"', "images"),
    (PIPE + 'output = "Text"\ninputs = { deed = "Document" }\nprompt = "Read $deed"', "documents"),
    (DRAW + 'inputs = { photo = "Image" }\nprompt = "As $photo"', "reference images"),
    (DRAW + 'inputs = { subject = "Text" }\nprompt = "A $subject"', None),
    (JUDGE + 'inputs = { note = "Text" }\nmodel = "stub-text"\nprompt = "$note"', "structured output"),
    (JUDGE + 'inputs = { note = "Text" }\nmodel = "stub"\nprompt = "$note"', None),
]


@pytest.mark.parametrize(("text", "capability"), CASES)
def test_what_a_model_lacks_is_a_fault_of_the_method(tmp_path: Path, text: str, capability: str | None):
    project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    with (tmp_path / ".pipelex" / "inference" / "backends" / "openai.toml").open("a", encoding="utf-8") as models:
        models.write(BLIND)
    verdict = project.app("direct").open(project.method(text)).verdict
    found = [(fault.code, fault.params.get("capability"), fault.location.field) for fault in verdict.errors]
    wanted = [] if capability is None else [("model.capability_unsupported", capability, "model")]
    assert found == wanted


def test_the_local_model_stands_in_for_better_ones(tmp_path: Path):
    project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    for file in (tmp_path / ".pipelex" / "inference").rglob("*.toml"):
        file.unlink()
    text = PIPE.replace("stub-text", "@default-premium-vision")
    method = project.method(text + 'output = "Text"\ninputs = { photo = "Image" }\nprompt = "See $photo"')
    verdict = Pipelex(project.settings(), orchestrator="direct").open(method).verdict
    assert verdict.is_valid
    assert [
        fault.params["capability"] for fault in verdict.warnings if fault.code == "model.capability_unsupported"
    ] == ["images"]


@pytest.mark.parametrize("model", ["", 'model = "@default-text-from-pdf"\n'])
def test_a_model_that_the_deck_chose_is_no_fault_of_the_method(tmp_path: Path, model: str):
    project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    for file in (tmp_path / ".pipelex" / "inference").rglob("*.toml"):
        file.unlink()
    text = 'domain = "quay"\n[pipe.read]\ntype = "PipeExtract"\ndescription = "x"\ninputs = { scan = "Image" }\n'
    apps = Pipelex(project.settings(), orchestrator="direct")
    verdict = apps.open(project.method(text + 'output = "Page[]"\n' + model)).verdict
    assert verdict.is_valid
    assert [fault.code for fault in verdict.warnings] == ["model.capability_unsupported"]
    by_name = apps.open(project.method(text + 'output = "Page[]"\nmodel = "pypdfium2-extract-pdf"\n')).verdict
    assert [fault.code for fault in by_name.errors] == ["model.capability_unsupported"]
