"""The table of effects, and that everything derived from it is complete."""

from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from pipelex.config import load_settings
from pipelex.inference import performers
from pipelex.orchestration.wiring import inference_of
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.jobs import LLMObjectListJob, LLMTextJob, ModelJob
from pipelex.pipes.effects.kind import EffectKind, pipe_named_in
from pipelex.pipes.effects.kinds import (
    DOCUMENT,
    EFFECTS,
    FUNCTION,
    IMAGES,
    LLM_OBJECT,
    LLM_OBJECT_LIST,
    LLM_TEXT,
    PAGES,
    TEMPLATE,
)
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    FunctionRequest,
    ImageRequest,
    LLMObjectListRequest,
    LLMObjectRequest,
    LLMPrompt,
    LLMTextRequest,
    ObjectSpec,
    TemplateRequest,
)
from pipelex.pipes.models import ResolvedModel
from pipelex.pipes.wire import Wire
from pipelex.temporal.worker.activities import activities_of
from pipelex.temporal.workflow.limits import LIMITS
from tests.support.jobs import BOAT

MODEL = ResolvedModel(handle="stub", backend="openai", settings={"temperature": 0.5})
SPEC = ObjectSpec(concept="harbour.Boat", json_schema=BOAT)
PROMPT = LLMPrompt(user="Hello")

by_name = pytest.mark.parametrize("kind", EFFECTS, ids=lambda kind: kind.activity)


@by_name
def test_a_kind_says_all_there_is_to_say(kind: EffectKind[Any, Any]) -> None:
    assert [other for other in EFFECTS if other.activity == kind.activity] == [kind]
    assert issubclass(kind.job, ModelJob) == (kind.family is not None)
    assert kind.job is kind.request or issubclass(kind.job, ModelJob)
    assert (kind.mock is None) == (kind.compute is not None)
    assert (kind.key is not None) == (kind.routing_key == "function")
    assert kind.routing_key in (None, "function", kind.family)
    assert not kind.is_paid or kind.family is not None


@pytest.mark.slow
def test_everything_that_is_not_computed_has_a_performer(tmp_path: Path) -> None:
    inference = inference_of(load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)}))
    assert set(performers(inference)) == {kind.activity for kind in EFFECTS if kind.compute is None}


@pytest.mark.matrix(fast=11)
@by_name
def test_an_activity_decodes_the_jobs_of_its_kind(kind: EffectKind[Any, Any], tmp_path: Path) -> None:
    inference = inference_of(load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)}))
    definition = activity._Definition.must_from_callable(activities_of(inference, lambda: LIMITS)[kind.activity])  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
    assert definition.name == kind.activity
    assert definition.arg_types is not None
    assert definition.arg_types[0] is kind.job
    assert len(definition.arg_types) == (1 if kind.compute is None else 3)
    assert definition.ret_type is kind.result


@pytest.mark.parametrize(
    ("kind", "request_", "written", "summary"),
    [
        (
            LLM_TEXT,
            LLMTextRequest(prompt=PROMPT),
            {"prompt": {"user": "Hello"}},
            "LLM text · pipe=greet · model=stub",
        ),
        (
            LLM_OBJECT,
            LLMObjectRequest(prompt=PROMPT, spec=SPEC),
            {"prompt": {"user": "Hello"}, "spec": {"concept": "harbour.Boat", "json_schema": BOAT}},
            "LLM object · pipe=greet · class=Boat · model=stub",
        ),
        (
            LLM_OBJECT_LIST,
            LLMObjectListRequest.sparse(prompt=PROMPT, spec=SPEC, count=None),
            {"prompt": {"user": "Hello"}, "spec": {"concept": "harbour.Boat", "json_schema": BOAT}},
            "LLM object list · pipe=greet · class=Boat · model=stub",
        ),
        (
            IMAGES,
            ImageRequest.sparse(prompt="A boat", count=3),
            {"request": {"prompt": "A boat", "count": 3}},
            "Image gen 3× · pipe=greet · model=stub",
        ),
        (
            PAGES,
            ExtractRequest(source={"url": "a.pdf"}, source_kind="document"),
            {"request": {"source": {"url": "a.pdf"}, "source_kind": "document"}},
            "Extract pages · pipe=greet · handle=stub",
        ),
        (
            DOCUMENT,
            DocumentRequest(format="pdf", filename="a", source="html", html="<p>"),
            {"request": {"format": "pdf", "filename": "a", "source": "html", "html": "<p>"}},
            "Document pdf · pipe=greet · model=stub",
        ),
    ],
)
def test_a_job_is_a_request_with_a_model(
    kind: EffectKind[Any, Any], request_: Wire, written: dict[str, Any], summary: str
) -> None:
    effect = kind.effect("harbour.greet", request_, MODEL)
    assert isinstance(effect.job, kind.job)
    model = {"handle": "stub", "backend": "openai", "settings": {"temperature": 0.5}}
    assert effect.job.model_dump(exclude_unset=True) == {"model": model, **written}
    assert (effect.summary, effect.model, effect.key) == (summary, MODEL, None)


def test_a_kind_without_a_model_hands_its_request_on() -> None:
    request = FunctionRequest(function="tools.count", output_concept="native.Number", is_list=False)
    effect = FUNCTION.effect("harbour.count", request, None)
    assert effect.job is request
    assert effect.key == "tools.count"
    assert effect.summary == "Function · pipe=count · function=tools.count"


@pytest.mark.parametrize(("item", "told"), [(None, "greet"), (0, "greet[0]"), (41, "greet[41]")])
def test_a_summary_tells_the_items_of_a_batch_apart(item: int | None, told: str) -> None:
    request = LLMTextRequest(prompt=LLMPrompt(user="Hi"))
    summary = LLM_TEXT.effect("harbour.greet", request, MODEL, item).summary
    assert summary == f"LLM text · pipe={told} · model=stub"
    assert pipe_named_in(summary) == "greet"


@pytest.mark.parametrize(
    ("job", "written"),
    [
        (LLMTextJob, b'{"model":{"handle":"m","backend":"b"},"prompt":{"user":"Hi"}}'),
        (
            LLMObjectListJob,
            b'{"model":{"handle":"m","backend":"b"},"prompt":{"user":"Hi"},'
            b'"spec":{"concept":"c.C","json_schema":{}},"count":2}',
        ),
    ],
)
def test_jobs_of_earlier_releases_are_read(job: type[Wire], written: bytes) -> None:
    assert job.model_validate_json(written).model_dump_json(exclude_unset=True).encode() == written


def test_every_kind_that_a_performer_answers_has_a_span() -> None:
    without = {kind.activity for kind in EFFECTS if kind.operation is None}
    computed = {kind.activity for kind in EFFECTS if kind.compute is not None}
    assert without == computed | {kind.activity for kind in EFFECTS if kind.family == "llm"}


def test_an_effect_knows_the_run_whose_result_it_may_reuse() -> None:
    effect = LLM_TEXT.effect("harbour.greet", LLMTextRequest(prompt=PROMPT), MODEL)
    reuse = Reuse(run_id="run-1")
    assert effect.reusing(None) is effect
    job = effect.reusing(reuse).job
    assert isinstance(job, LLMTextJob)
    assert job.reuse == reuse


def test_a_computed_effect_is_always_computed_again() -> None:
    request = TemplateRequest(template="x", category="basic", inputs={})
    effect = TEMPLATE.effect("harbour.greet", request, None)
    assert effect.reusing(Reuse(run_id="run-1")) is effect
