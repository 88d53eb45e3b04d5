import logging
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.pipes.usage import usages_from_json
from pipelex.runner import RunResult
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project

pytestmark = pytest.mark.slow

ONE = """
domain = "quay"
main_pipe = "judge"

[pipe.judge]
type = "PipeJudge"
description = "Judge"
inputs = { report = "Text" }
prompt = "$report"
"""

SEVERAL = """
domain = "quay"
main_pipe = "judge"

[concept.Verdicts]
description = "What was found"
[concept.Verdicts.structure]
safe  = { type = "concept", concept_ref = "native.YesNo", description = "Safe?", required = true }
cause = { type = "concept", concept_ref = "native.Choice", description = "Cause" }

[pipe.judge]
type = "PipeJudge"
description = "Judge"
inputs = { report = "Text" }
output = "Verdicts"
prompt = "$report"
[pipe.judge.questions.safe]
question = "Is it safe?"
criteria = { yes = "nobody was hurt", no = "somebody was hurt" }
[pipe.judge.questions.cause]
question = "What caused it?"
options = { wind = "", refused = "it was refused" }
"""


async def judge(project: Project, text: str) -> RunResult:
    async with project.app("direct") as app:
        return await app.load(project.method(text)).run({"report": "A crane fell."})


@pytest.mark.parametrize(
    ("keys", "answer", "expected"),
    [
        ('output = "YesNo"\nquestion = "Was it a crane?"', "yes", {"yes_no": True}),
        ('output = "YesNo"\nquestion = "Was it a crane?"\nthreshold = 0.9', "no", {"yes_no": False}),
        (
            'output = "Choice"\nquestion = "What?"\noptions = { crane = "a crane", ship = "" }',
            "ship",
            {"choice": "ship"},
        ),
        (
            'output = "Rating"\nquestion = "How bad?"\nlevels = ["mild", "grave"]',
            "grave",
            {"level": 1, "label": "grave"},
        ),
        (
            'output = "Rating"\nquestion = "How bad?"\nlevels = [{ description = "no" }, { description = "very" }]',
            "0",
            {"level": 0},
        ),
    ],
)
async def test_verdicts_hold_what_the_model_said_and_no_probability(
    project: Project, stub: OpenAIStub, keys: str, answer: str, expected: dict[str, Any]
):
    stub.on("A crane fell.", object={"question_1": answer})
    result = await judge(project, f"{ONE}{keys}\n")
    assert result.content == expected
    (request,) = stub.completions
    assert request.body["temperature"] == 0
    assert "evidence" in request.prompt
    assert result.usage[0].handle == "stub"


async def test_a_threshold_is_ignored_aloud(project: Project, stub: OpenAIStub, caplog: pytest.LogCaptureFixture):
    stub.on("A crane fell.", object={"question_1": "yes"})
    with caplog.at_level(logging.WARNING, "pipelex.inference"):
        await judge(project, ONE + 'output = "YesNo"\nquestion = "Crane?"\nthreshold = 0.9\n')
    assert "threshold 0.9" in caplog.text


async def test_several_questions_go_in_one_request(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", object={"safe": "no", "cause": "refused"})
    assert (await judge(project, SEVERAL)).content == {"safe": {"yes_no": False}, "cause": {"choice": "refused"}}
    assert len(stub.completions) == 1
    assert "nobody was hurt" in stub.completions[0].prompt
    schema = stub.completions[0].body["tools"][0]["function"]["parameters"]
    assert schema["properties"]["cause"]["enum"] == ["wind", "refused", "refused_"]


async def test_a_refused_question_stays_absent_unless_required(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", object={"safe": "yes", "cause": "refused_"})
    assert (await judge(project, SEVERAL)).content == {"safe": {"yes_no": True}}


async def test_a_refused_required_question_fails(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", object={"safe": "refused_", "cause": "wind"})
    with pytest.raises(PipelexError) as caught:
        await judge(project, SEVERAL)
    assert caught.value.code == "model.content_refused"


async def test_a_refusal_of_the_provider_never_becomes_a_verdict(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", refusal="I will not.", finish_reason="content_filter")
    with pytest.raises(PipelexError) as caught:
        await judge(project, ONE + 'output = "YesNo"\nquestion = "Crane?"\n')
    assert caught.value.code == "model.content_refused"
    (usage,) = usages_from_json(caught.value.report.usage)
    assert (usage.calls, usage.input_tokens) == (1, 11)


async def test_a_language_model_may_be_named(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", object={"question_1": "yes"})
    result = await judge(project, ONE + 'output = "YesNo"\nquestion = "Crane?"\nmodel = "stub-native"\n')
    assert result.usage[0].handle == "stub-native"


async def test_a_judgment_model_is_stood_in_for(project: Project, stub: OpenAIStub):
    stub.on("A crane fell.", object={"question_1": "yes"})
    result = await judge(project, ONE + 'output = "YesNo"\nquestion = "Crane?"\nmodel = "stub-judge"\n')
    assert result.usage[0].handle == "stub"


async def test_an_unknown_name_is_refused_with_near_ones(project: Project):
    with pytest.raises(PipelexError) as caught:
        await judge(project, ONE + 'output = "YesNo"\nquestion = "Crane?"\nmodel = "stub-jugde"\n')
    assert "stub-judge" in str(caught.value.report)
