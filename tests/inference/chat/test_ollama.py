"""Ollama's own API: what is sent, and what is made of its answers."""

from pathlib import Path
from typing import Any, Literal

import pytest

from pipelex.errors import PipelexError
from pipelex.inference import Inference, InferenceOptions
from pipelex.inference.chat.completions.ollama import as_completion, native_body
from pipelex.inference.chat.messages import AnswerForm, AttachedFile, Question
from pipelex.pipes.effects.jobs import LLMTextJob
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ResolvedModel
from tests.support.inference_files import write
from tests.support.openai_server import OpenAIStub

ASKED = [Question("Look", "Be short", (AttachedFile(b"img", "image/png"), AttachedFile(b"notes", "text/plain")))]


def test_a_request_in_its_own_words() -> None:
    settings = {"temperature": 0.2, "max_tokens": 7, "reasoning_effort": "none"}
    body = native_body("m", [*ASKED], settings, AnswerForm("native", schema={"type": "object"}), "8192")
    system, user = body.pop("messages")
    assert system == {"role": "system", "content": "Be short"}
    assert (user["images"], user["content"].splitlines()[0]) == (["aW1n"], "Look")
    assert body == {
        "model": "m",
        "stream": False,
        "options": {"temperature": 0.2, "num_predict": 7, "num_ctx": 8192},
        "think": False,
        "format": {"type": "object"},
    }


@pytest.mark.parametrize(
    ("method", "wanted"), [("tool", {"a": 1}), ("native", {"a": 1}), ("json", "json"), ("markdown", None), (None, None)]
)
def test_the_form_of_an_answer(method: Any, wanted: Any) -> None:
    body = native_body("m", [*ASKED], {}, AnswerForm(method, schema={"a": 1}), None)
    assert (body.get("format"), body["options"]) == (wanted, {})


def test_an_answer_as_a_completion() -> None:
    message = {"role": "assistant", "content": "Yes", "thinking": "Hm"}
    found = as_completion({"model": "m", "message": message, "done_reason": "length", "eval_count": 3})
    (choice,) = found["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Yes", "reasoning": "Hm"}
    assert (choice["finish_reason"], found["usage"]) == ("length", {"completion_tokens": 3})
    assert as_completion({"error": "out of memory"})["choices"] == []


async def told(folder: Path, stub: OpenAIStub, extra: str = "", times: int = 1) -> str:
    backends = f'[ollama]\nendpoint = "{stub.url}"\nmodels = ["m"]\nis_default = true\n{extra}'
    inference = Inference.load(
        [write(folder / "inference", backends=backends)], {}, InferenceOptions(call_timeout=20.0)
    )
    model = ResolvedModel(handle="m", backend="ollama", settings={})
    job = LLMTextJob(model=model, prompt=LLMPrompt(user="How is the weather?"))
    try:
        answers = [await inference.chat.generate_text(job) for _ in range(times)]
    finally:
        await inference.aclose()
    return answers[-1].text


@pytest.mark.parametrize(
    ("ollama", "extra", "paths"),
    [
        ("too", "", ["/v1/chat/completions", "/v1/chat/completions"]),
        ("alone", "", ["/api/chat", "/api/chat"]),
        ("too", "num_ctx = 4096\n", ["/api/chat", "/api/chat"]),
    ],
)
async def test_which_of_its_two_protocols(
    tmp_path: Path, ollama: Literal["too", "alone"], extra: str, paths: list[str]
) -> None:
    with OpenAIStub().on("weather", text="Sunny.") as stub:
        stub.ollama, stub.models = ollama, ("m",)
        assert await told(tmp_path, stub, extra, times=2) == "Sunny."
        assert [request.path for request in stub.completions] == paths
        assert stub.completions[0].body.get("options", {}).get("num_ctx") == (4096 if extra else None)


@pytest.mark.parametrize("ollama", ["too", "alone"])
async def test_a_model_that_it_does_not_have(tmp_path: Path, ollama: Literal["too", "alone"]) -> None:
    with OpenAIStub() as stub:
        stub.ollama, stub.models = ollama, ("other",)
        with pytest.raises(PipelexError) as caught:
            await told(tmp_path, stub)
    assert (caught.value.code, caught.value.report.advice) == ("model.unavailable", "Pull it with: ollama pull m")


async def test_neither_of_them(tmp_path: Path) -> None:
    with OpenAIStub() as stub:
        stub.ollama, stub.models = "alone", ("m",)
        stub.on("weather", status=405, body="no")
        with pytest.raises(PipelexError):
            await told(tmp_path, stub)
        assert len(stub.completions) == 1
