"""A run that is repeated under its id finds the results of every paid effect."""

import shutil
from typing import Any

import pytest

from pipelex.errors import PipelexError
from tests.inference.http_stub import Answer, HTTPStub
from tests.inference.images.test_images import METHOD as DRAW
from tests.inference.images.test_images import openai, picture
from tests.inference.judge.test_judge import ONE as JUDGE
from tests.inference.search.test_search import LINKUP
from tests.inference.search.test_search import METHOD as FIND
from tests.support.methods import GREET
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project

READ = """
domain = "quay"
main_pipe = "read"

[pipe.read]
type = "PipeExtract"
description = "Read"
inputs = { page = "Document" }
output = "Page[]"
model = "linkup-fetch"
"""

EFFECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "images": (DRAW.replace("OUTPUT", "Image") + 'model = "free-painter"\n', {"subject": "a quay"}),
    "search": (FIND + 'model = "linkup-deep"\n', {"topic": "Ostend"}),
    "judge": (JUDGE + 'output = "YesNo"\nquestion = "A crane?"\n', {"report": "A crane fell."}),
    "extract": (READ, {"page": {"url": "https://a.test/page"}}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "inputs"), EFFECTS.values(), ids=EFFECTS)
async def test_a_paid_effect_is_not_asked_for_again(
    served: Project, service: HTTPStub, stub: OpenAIStub, text: str, inputs: dict[str, Any]
):
    service.on("/images/generations", openai(picture()))
    service.on("/search", Answer(LINKUP))
    service.on("/fetch", Answer({"markdown": "# Berths"}))
    stub.on("A crane fell.", object={"question_1": "yes"})
    method = served.method(text)

    async def run(run_id: str | None, *, is_kept: bool = True) -> Any:
        # A run that has completed is not run again: here it looks as if its process had ended before it.
        shutil.rmtree(served.root / ".pipelex" / "storage" / "runs", ignore_errors=True)
        async with served.app("direct", overrides={"inference.result_cache.is_enabled": is_kept}) as app:
            result = await app.load(method).run(inputs, run_id=run_id)
        return result.content, result.usage, len(service.asked) + len(stub.requests)

    first = await run("monday")
    assert first[2] == 1
    assert await run("monday") == first
    assert (await run("tuesday"))[2] == 2
    assert (await run(None))[2] == 3
    assert (await run("monday", is_kept=False))[2] == 4


@pytest.mark.slow
async def test_equal_calls_of_other_runs(served: Project, stub: OpenAIStub):
    stub.on("Hello Ana", Reply(status=400), Reply(text="Good day"), Reply(text="Good evening"))
    stub.on("Hello Bob", text="Hi")
    method = served.method(GREET)

    async def run(name: str, run_id: str, *, across: bool = True) -> tuple[str, int, str | None]:
        overrides = {"inference.result_cache.across_runs": across}
        async with served.app("direct", overrides=overrides) as app:
            handle = await app.load(method).start({"name": name}, run_id=run_id)
            result = await handle.result()
            (effect,) = (await handle.trace()).effects
        return result.text, sum(usage.calls for usage in result.usage), effect.kept_from

    with pytest.raises(PipelexError):
        await run("Ana", "failed")  # failures are never kept
    assert await run("Ana", "first") == ("Good day", 1, None)
    assert await run("Ana", "second") == ("Good day", 0, "first")
    assert await run("Ana", "third") == ("Good day", 0, "first")
    assert await run("Bob", "other") == ("Hi", 1, None)
    assert await run("Ana", "own", across=False) == ("Good evening", 1, None)
