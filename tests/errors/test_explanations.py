"""Every code is explained, and every example shows its code."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import pipelex
from pipelex.errors import CORE_CODES, InputError, PipelexError
from pipelex.errors.explanations import Explanation, explanation, explanations
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project

ALL = list(explanations())
BUNDLES = [each for each in ALL if each.bundle is not None and each.inputs is None]
RUNS = [each for each in ALL if each.bundle is not None and each.inputs is not None]
ANSWERS = [each for each in ALL if each.status is not None]
ASK = """
domain    = "kitchen"
main_pipe = "suggest"

[pipe.suggest]
type        = "PipeLLM"
description = "Suggest a dish"
output      = "Text"
prompt      = "Suggest a dish."
"""


def id_of(each: Explanation) -> str:
    return each.code


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path, stub=stub.url)


def test_every_code_is_explained() -> None:
    assert [each.code for each in ALL] == list(CORE_CODES)
    assert explanation("method.unheard_of") is None


@pytest.mark.parametrize("each", ALL, ids=id_of)
def test_texts(each: Explanation) -> None:
    examples = [each.text, each.bundle, None if each.status is None else each.body]
    assert sum(example is not None for example in examples) == 1
    for text in (each.cause, each.fix, each.text or "Said."):
        assert text == " ".join(text.split()), "one paragraph"
        assert re.search(r"[.)`]$", text), "whole sentences"
    page = each.to_markdown()
    assert page.startswith(f"# {each.code}\n")
    assert "None" not in page


def test_what_only_servers_say_is_said_nowhere_else() -> None:
    source = Path(pipelex.__file__).parent
    raised = {
        code
        for file in source.rglob("*.py")
        if file.parent.name != "errors"
        for code in re.findall(r'"([a-z]+\.[a-z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert {each.code for each in ALL if each.is_servers} & raised == set()


def test_families_are_files() -> None:
    families = {code.partition(".")[0] for code in CORE_CODES}
    assert {Path(file.name).stem for file in files("pipelex.errors").joinpath("explained").iterdir()} == families


@pytest.mark.parametrize("each", BUNDLES, ids=id_of)
async def test_bundles_have_the_fault(each: Explanation, project: Project) -> None:
    async with project.app("direct") as app:
        verdict = await app.validate(project.method(each.bundle or ""))
    assert {fault.code for fault in (*verdict.errors, *verdict.warnings)} == {each.code}


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize("each", RUNS, ids=id_of)
async def test_runs_fail_with_the_code(each: Explanation, project: Project) -> None:
    async with project.app("direct") as app:
        with pytest.raises((PipelexError, InputError)) as failed:
            await app.load(project.method(each.bundle or "")).run(json.loads(each.inputs or "{}"))
    assert failed.value.report.code == each.code


@pytest.mark.slow
@pytest.mark.parametrize("each", ANSWERS, ids=id_of)
async def test_answers_are_classified(each: Explanation, project: Project, stub: OpenAIStub) -> None:
    body = each.body or ""
    stub.on("dish", status=each.status or 0, body=json.loads(body) if body.startswith("{") else body)
    async with project.app("direct") as app:
        with pytest.raises(PipelexError) as failed:
            await app.load(project.method(ASK)).run({})
    assert failed.value.report.code == each.code
