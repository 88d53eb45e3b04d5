"""All attempts of one logical call share one budget of questions and one account."""

from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.inference import Inference, ModelDeck, RetryPolicy, performers, with_retries
from pipelex.inference.calls.heard import heard_tokens, listening, tail_of_answer
from pipelex.inference.calls.ledger import CallLedger
from pipelex.inference.calls.logical import logical_call
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import usages_from_json
from tests.support.inference_files import write_stub_inference
from tests.support.jobs import LUCY, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project

BAD, BROKEN, GOOD = Reply(object={"name": 3}), Reply(status=500), Reply(object=LUCY)


async def called(inference: Inference, job: Any, activity: str, attempts: int = 3) -> Any:
    """The job performed as an orchestrator does, with attempts that follow each other at once."""
    ledger = CallLedger()

    async def attempt() -> Any:
        with logical_call("run/1", ledger):
            return await performers(inference)[activity](job)

    return await with_retries(attempt, RetryPolicy(max_attempts=attempts, initial_interval=0.0))


@pytest.mark.parametrize(
    ("replies", "requests"),
    [
        ([BAD, BAD, BROKEN, BAD, GOOD], 4),  # three answers did not fit: no question is left
        ([BAD, BROKEN, BAD, BROKEN, BAD, GOOD], 5),
        ([BROKEN, BROKEN, BAD, BAD, BAD, GOOD], 5),
    ],
)
async def test_repeated_questions_and_attempts_share_a_budget(
    stub: OpenAIStub, inference: Inference, replies: list[Reply], requests: int
):
    stub.on("boat", *replies)
    with pytest.raises(PipelexError) as caught:
        await called(inference, object_job("boat"), "act_llm_gen_object")
    assert caught.value.code == "model.output_schema_mismatch"
    assert len(stub.completions) == requests


async def test_a_failing_call_makes_no_more_requests_than_its_budget(stub: OpenAIStub, inference: Inference):
    stub.on("boat", BAD, BAD, BROKEN, cycle=True)
    with pytest.raises(PipelexError):
        await called(inference, object_job("boat"), "act_llm_gen_object")
    assert len(stub.completions) == 4


@pytest.mark.slow
async def test_the_result_tells_what_failed_attempts_used(stub: OpenAIStub, inference: Inference):
    stub.on("boat", BAD, BROKEN, BAD, GOOD)
    result = await called(inference, object_job("boat"), "act_llm_gen_object")
    assert (result.usage.calls, result.usage.input_tokens, result.others) == (3, 33, ())


async def test_a_failure_tells_what_its_attempts_used(stub: OpenAIStub, inference: Inference):
    stub.on("boat", BAD, BROKEN, BAD, BROKEN, BROKEN)
    with pytest.raises(PipelexError) as caught:
        await called(inference, object_job("boat"), "act_llm_gen_object")
    (usage,) = usages_from_json(caught.value.report.usage)
    assert (caught.value.code, usage.calls, usage.output_tokens) == ("provider.failed", 2, 14)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="", finish_reason="content_filter"),
        Reply(text="cut", finish_reason="length"),
        Reply(text=""),
        Reply(body={"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}),
        Reply(body={"choices": [{"finish_reason": "error"}], "usage": {"prompt_tokens": 11}}),
    ],
)
async def test_answers_of_no_use_are_paid_for(stub: OpenAIStub, inference: Inference, reply: Reply):
    stub.on("boat", reply)
    with pytest.raises(PipelexError) as caught:
        await called(inference, text_job("boat"), "act_llm_gen_text", attempts=1)
    assert [usage.calls for usage in usages_from_json(caught.value.report.usage)] == [1]


async def test_a_stand_in_tells_what_the_first_model_used(stub: OpenAIStub, tmp_path: Path):
    folder = write_stub_inference(tmp_path / "i", stub.url)
    stub.on("boat", BAD, BROKEN, GOOD)
    inference = Inference(ModelDeck.load([folder], {}))
    job = object_job("boat")
    target = {"handle": "stub-native", "backend": "openai"}
    spared = job.model_copy(
        update={"model": job.model.model_validate({**job.model.model_dump(), "fallbacks": [target]})}
    )
    result = await called(inference, spared, "act_llm_gen_object")
    await inference.aclose()
    assert (result.usage.handle, [usage.handle for usage in result.others]) == ("stub-native", ["stub"])


def test_a_ledger_goes_to_another_process():
    ledger = CallLedger(unfit=2)
    ledger.spend(ModelUsage(handle="a", backend="b", input_tokens=5, cost_usd=0.5))
    again = CallLedger.from_json(ledger.to_json())
    assert (again.unfit, again.usage) == (2, ledger.usage)
    assert CallLedger.from_json("nothing of ours").is_empty
    assert CallLedger.from_json({"unfit": "x", "usage": [{"odd": 1}]}).is_empty


METHOD = """
domain = "quay"
main_pipe = "two"
[pipe.two]
type = "PipeSequence"
description = "Two questions"
output = "Text"
steps = [{ pipe = "one", result = "first" }, { pipe = "other", result = "second" }]
[pipe.one]
type = "PipeLLM"
description = "One"
output = "Text"
prompt = "First"
[pipe.other]
type = "PipeLLM"
description = "Other"
output = "Text"
prompt = "Second"
"""


async def test_a_failed_run_tells_what_it_cost(project: Project, stub: OpenAIStub):
    stub.on("First", text="Good")
    stub.on("Second", text="", finish_reason="content_filter")
    async with project.app("direct") as app:
        with pytest.raises(PipelexError) as caught:
            await app.load(project.method(METHOD)).run({})
    (usage,) = usages_from_json(caught.value.report.usage)
    assert (usage.calls, usage.cost_usd is not None) == (2, True)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ('{"usage": {"input_tokens": 12, "output_tokens": 4, "cache_read_input_tokens": 3}}', (15, 4, 3)),
        ('{"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 2}}', (9, 6, 0)),
        ('{"text": "\\"usage\\": {}", "usage": {"prompt_tokens": 5, "prompt_tokens_details": null}}', (5, 0, 0)),
        ("x" * 100_000 + '", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}', (1, 2, 0)),
        ('{"usage": {"prompt_tokens": "many"}}', None),
        ('{"usage": {"prompt_tok', None),
    ],
)
def test_tokens_are_read_from_an_answer_that_no_client_reads(said: str, counts: tuple[int, int, int] | None):
    with listening() as tails:
        tail = tail_of_answer()
    assert tail is not None
    for at in range(0, len(said), 7000):
        tail.add(said[at : at + 7000].encode())
    found = [(each.input, each.output, each.cached) for each in heard_tokens(tails)]
    assert found == ([] if counts is None else [counts])
    assert tail_of_answer() is None
