"""Values of 100 MB go through where there is a store; where there is none, one that is too large fails at once."""

import asyncio

import pytest

from pipelex.durable.options import ChildPolicy, EngineOptions
from pipelex.errors import PipelexError
from pipelex.pipes.calls import PipeCall
from pipelex.runner import Pipelex
from pipelex.temporal.client.history import read_trace
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, worker_of
from tests.support.temporal import client_of, start_call
from tests.support.untyped import untyped
from tests.temporal.conftest import WITHOUT_STORE
from tests.temporal.test_codec_server import encrypted
from tests.temporal.test_payload_codec import TABLE

ECHO = """
domain = "harbour"
main_pipe = "echo"

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo $text"
"""
PATIENT = {
    "temporal.worker_config.default_activity_heartbeat_timeout": "0:02:00",
    "inference.max_answer_bytes": 200_000_000,
}


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_an_input_a_prompt_and_an_output_of_100_mb(project: Project, stub: OpenAIStub) -> None:
    text = "harbour-" * 12_500_000
    stub.on("Echo", text=text)
    async with project.app(overrides=PATIENT) as app, worker_of(app):
        result = await app.load(project.method(ECHO)).run({"text": text})
        history = await (await client_of(app)).get_workflow_handle(result.run_id).fetch_history()
    assert (result.text == text, len(stub.completions)) == (True, 1)
    assert len(history.to_json()) < 20_000


# --- without a store: every limit that a pipe can reach ends in an error or a success ---------------------------------

LIMITS = """
domain = "harbour"

[pipe.echo]
type = "PipeLLM"
description = "Echo"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo $text"

[pipe.verbose]
type = "PipeLLM"
description = "Echo with many words"
inputs = { text = "Text" }
output = "Text"
prompt = "Echo $text MANY WORDS"

[pipe.twice]
type = "PipeCompose"
description = "Twice"
inputs = { text = "Text" }
output = "Text"
template = "$text $text"

[pipe.shout]
type = "PipeCompose"
description = "Shout"
inputs = { text = "Text" }
output = "Text"
template = "$text!"

[pipe.deep]
type = "PipeSequence"
description = "An answer doubled, then read"
inputs = { text = "Text" }
output = "Text"
steps = [{ pipe = "echo", result = "text" }, { pipe = "shout", result = "loud" }]

[pipe.wide]
type = "PipeParallel"
description = "Nine calls at once"
inputs = { text = "Text" }
output = "Composite"
branches = [BRANCHES]
""".replace("BRANCHES", ", ".join(f'{{ pipe = "echo", result = "b{rank}" }}' for rank in range(9))).replace(
    "MANY WORDS", "." * 15_000
)


async def failing(app: Pipelex, project: Project, pipe: str, text: str) -> PipelexError:
    with pytest.raises(PipelexError) as failed:
        await asyncio.wait_for(app.load(project.method(LIMITS)).run({"text": text}, pipe=pipe), 60)
    return failed.value


@pytest.mark.parametrize("size", [2_200_000, 5_000_000])
async def test_an_input_over_a_limit_is_refused_before_it_is_sent(
    unstored: Pipelex, project: Project, size: int
) -> None:
    error = await failing(unstored, project, "echo", "x" * size)
    assert (error.code, error.report.params["input"]) == ("input.too_large", "text")
    assert "payload_codec_config" in (error.report.advice or "")


@pytest.mark.parametrize(
    ("pipe", "size", "culprit"),
    [
        ("twice", 1_200_000, "harbour.twice"),  # the result of an activity
        ("verbose", 2_070_000, "harbour.verbose"),  # the input of an activity: the prompt is a little longer
    ],
)
async def test_what_a_pipe_makes_over_a_limit_fails_the_run_at_once(
    unstored: Pipelex, project: Project, stub: OpenAIStub, pipe: str, size: int, culprit: str
) -> None:
    stub.on("Echo", text="short")
    error = await failing(unstored, project, pipe, "x" * size)
    assert (error.code, error.report.location.pipe) == ("input.too_large", culprit)


BATCH_STEP = """
[pipe.visit_all]
type = "PipeSequence"
description = "Describe all, then say that it is done"
inputs = { words = "Text[]" }
output = "Text"
steps = [{ pipe = "describe", batch_over = "words", batch_as = "word", result = "found" }, { pipe = "farewell", result = "said" }]

[pipe.farewell]
type = "PipeCompose"
description = "Say that it is done"
output = "Text"
template = "done"
"""


@pytest.mark.parametrize("slice_size", [100, 5])
@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
async def test_a_list_that_has_grown_too_large_is_paid_for_no_further(
    unstored: Pipelex, project: Project, stub: OpenAIStub, policy: ChildPolicy, slice_size: int
) -> None:
    stub.on("Describe", text="a" * 500_000)
    method = unstored.load(project.method(DESCRIBE_ALL))
    words = {"words": [f"w{number}" for number in range(30)]}
    call = PipeCall(pipe="harbour.describe_all", inputs=method.read_inputs(words))
    options = EngineOptions(slice_size=slice_size, max_concurrency=2, child_workflows=policy)
    run = await start_call(unstored, method.library, call, options)
    with pytest.raises(PipelexError, match="the results of pipe 'describe' take") as failed:
        await asyncio.wait_for(run.result(), 60)
    assert failed.value.code == "input.too_large"
    assert "payload_codec_config" in (failed.value.report.advice or "")
    assert len(stub.completions) <= 7


async def test_a_list_that_stays_in_its_workflow_may_be_large(project: Project, stub: OpenAIStub) -> None:
    stub.on("Describe", text="a" * 300_000)
    settings = {**WITHOUT_STORE, "temporal.worker_config.child_workflow_policy": "controllers"}
    words = {"words": [f"w{number}" for number in range(9)]}
    async with project.app(overrides=settings) as app, worker_of(app):
        run = app.load(project.method(DESCRIBE_ALL + BATCH_STEP)).run(words, pipe="visit_all")
        result = await asyncio.wait_for(run, 60)
    assert result.text == "done"


@pytest.mark.parametrize("policy", ["every_pipe", "controllers"])
async def test_what_is_sent_together_is_sent_in_turn_when_it_is_large(
    project: Project, stub: OpenAIStub, policy: str
) -> None:
    stub.on("Echo", text="short")
    settings = {**WITHOUT_STORE, "temporal.worker_config.child_workflow_policy": policy}
    async with project.app(overrides=settings) as app, worker_of(app):
        run = app.load(project.method(LIMITS)).run({"text": "x" * 700_000}, pipe="wide")
        result = await asyncio.wait_for(run, 60)
    assert {value["text"] for value in untyped(result.content).values()} == {"short"}
    assert len(stub.completions) == 9


async def test_with_a_store_the_same_values_go_through(app: Pipelex, project: Project, stub: OpenAIStub) -> None:
    stub.on("Echo", text="y" * 2_200_000)
    method = app.load(project.method(LIMITS))
    assert (await method.run({"text": "x" * 2_200_000}, pipe="twice")).text == " ".join(["x" * 2_200_000] * 2)
    assert (await method.run({"text": "x" * 2_200_000}, pipe="deep")).text == "y" * 2_200_000 + "!"


async def test_a_result_that_is_stored_elsewhere_is_named(
    app: Pipelex, project: Project, stub: OpenAIStub, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = await app.load(project.method(LIMITS)).run({"text": "x" * 200_000}, pipe="shout")
    for settings, said in (
        (WITHOUT_STORE, "in the payload store of another worker or client"),
        ({f"{TABLE}.storage_provider_config.local.path": str(tmp_path_factory.mktemp("other"))}, "is not the store"),
    ):
        async with project.app(overrides=settings) as other:
            with pytest.raises(PipelexError, match=said) as failed:
                await (await other.attach(run.run_id)).result()
        assert failed.value.code == "runtime.misconfigured"


async def test_nothing_of_an_encrypted_run_can_be_read_in_its_histories(project: Project, stub: OpenAIStub) -> None:
    secret = "the harbour master's word"
    stub.on("Echo", text=f"{secret}, echoed").on("Echo no", status=400, text=secret)
    settings = encrypted(project)
    async with project.app(overrides=settings) as app, worker_of(app):
        run = await app.load(project.method(LIMITS)).run({"text": secret}, pipe="deep")
        client = await client_of(app)
        ids = [run.run_id, f"{run.run_id}/1-echo", f"{run.run_id}/2-shout"]
        histories = [await client.get_workflow_handle(id_).fetch_history() for id_ in ids]
        assert (await read_trace(client, run.run_id)).children[0].effects[0].summary.startswith("LLM text")
    raw = b"".join(event.SerializeToString() for history in histories for event in history.events)
    assert run.text == f"{secret}, echoed!"
    assert secret.encode() not in raw
    assert b"Echo" not in raw
    assert raw.count(b"AES-256-GCM") > 20
    async with project.app() as keyless:
        with pytest.raises(PipelexError, match="key 'new'; none is known here"):
            await (await keyless.attach(run.run_id)).result()
