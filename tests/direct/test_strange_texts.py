"""Halves of characters, and lists in lists without end: in a person's inputs, and in the answers of models."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.errors.surrogates import is_encodable, mended, mended_json
from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project

HALF = "\ud800"

OBJECT = """
domain = "quay"
main_pipe = "ask"
[concept.Note]
description = "A note"
[concept.Note.structure]
title = { type = "text", description = "T", required = true }
data  = { type = "dict", key_type = "text", value_type = "text", description = "D" }
[pipe.ask]
type = "PipeLLM"
description = "Ask"
inputs = { name = "Text" }
output = "OUTPUT"
prompt = "Hello $name"
"""


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, stub: OpenAIStub) -> Project:
    return write_project(tmp_path, stub=stub.url)


@pytest.mark.parametrize("value", [f"a{HALF}b", {"text": HALF}, {"concept": "Text", "content": f"{HALF}"}])
async def test_half_a_character_in_an_input_is_refused(project: Project, stub: OpenAIStub, value: Any) -> None:
    async with project.app("direct") as app:
        method = app.load(project.method(GREET))
        with pytest.raises(PipelexError) as caught:
            await method.run({"name": value})
    assert caught.value.code == "input.invalid"
    assert "surrogate" in caught.value.report.detail
    assert stub.requests == []


@pytest.mark.parametrize("said", [f"Hi {HALF} there", "\udfff", f"{HALF}{HALF}x", "Hi \ud83d\ude00"])
async def test_half_a_character_in_a_text_costs_one_call(project: Project, stub: OpenAIStub, said: str) -> None:
    stub.on("Hello", text=said)
    async with project.app("direct") as app:
        result = await app.load(project.method(GREET)).run({"name": "Ada"})
    assert is_encodable(result.content)
    assert len(stub.completions) == 1


@pytest.mark.parametrize("place", ["value", "key", "text"])
async def test_half_a_character_in_an_object_costs_one_call(project: Project, stub: OpenAIStub, place: str) -> None:
    answer = {
        "value": {"title": f"a{HALF}"},
        "key": {"title": "a", "data": {HALF: "x"}},
        "text": {"title": "a", "data": {"x": f"\udc00{HALF}"}},
    }[place]
    if place == "text":
        stub.on("Hello", text="Here: " + json.dumps(answer))
    else:
        stub.on("Hello", object=answer)
    async with project.app("direct") as app:
        result = await app.load(project.method(OBJECT.replace("OUTPUT", "Note"))).run({"name": "Ada"})
    assert is_encodable(result.content)
    assert len(stub.completions) == 1


@pytest.mark.matrix(each=3, fast=60)
@pytest.mark.parametrize("output", ["Note", "JSON", "Anything", "Note[]", "Text"])
@pytest.mark.parametrize("depth", [50, 300, 900, 5_000, 200_000])
@pytest.mark.parametrize("shape", ["[", '{"a":', '[{"title":'])
async def test_nesting_without_end_is_no_surprise(
    project: Project, stub: OpenAIStub, output: str, depth: int, shape: str
) -> None:
    closing = {"[": "]", '{"a":': "}", '[{"title":': "}]"}[shape]
    for text in (shape * depth + "1" + closing * depth, shape * depth):
        stub.on("Hello", text=text)
        async with project.app("direct") as app:
            method = app.load(project.method(OBJECT.replace("OUTPUT", output)))
            try:
                await method.run({"name": "Ada"})
            except PipelexError as failed:
                code = failed.code
            else:
                code = ""
        assert code in ("", "model.output_schema_mismatch", "provider.response_invalid", "pipe.output_invalid")


@pytest.mark.slow
def test_mending() -> None:
    assert mended("a\ud83d\ude00b") == "a\U0001f600b"
    assert mended(f"a{HALF}b") == "a\ufffdb"
    assert mended_json({"a": [HALF, 1, None, True], HALF: 2.5}) == {"a": ["\ufffd", 1, None, True], "\ufffd": 2.5}
    assert mended_json("é") == "é"
    deep: Any = HALF
    for _ in range(100_000):
        deep = [deep]
    assert mended_json(deep) is None


async def test_what_runs_leave_is_their_users_alone(project: Project, stub: OpenAIStub) -> None:
    before = os.umask(0o022)
    try:
        async with project.app("direct") as app:
            blob = await app.inference.storage.put(b"x")
            folder = Path(app.settings.base_dir, app.settings.runtime.storage.local.path)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert await app.inference.storage.get(blob.uri) == b"x"
            await app.inference.storage.keep("results/of/a/call", b"x")
            for path in folder.rglob("*"):
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
            folder.chmod(0o770)  # an operator shares it among workers of several users
            shared = await app.inference.storage.put(b"y")
            file = next(path for path in folder.rglob("*") if path.name in shared.uri)
            assert stat.S_IMODE(file.stat().st_mode) == 0o660
    finally:
        os.umask(before)
