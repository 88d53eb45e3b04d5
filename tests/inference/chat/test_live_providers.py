"""The makers themselves, each behind its key: skipped without it."""

import os

import pytest

from pipelex.inference import Inference
from pipelex.pipes.models import ModelChoice
from tests.support.jobs import object_job, text_job

LIVE = [
    ("OPENAI_API_KEY", "gpt-4o-mini", "openai"),
    ("ANTHROPIC_API_KEY", "claude-4.5-haiku", "anthropic"),
    ("GOOGLE_API_KEY", "gemini-2.5-flash", "google"),
    ("MISTRAL_API_KEY", "mistral-small", "mistral"),
    ("GROQ_API_KEY", "llama-3.1-8b", "groq"),
    ("XAI_API_KEY", "grok-3-mini", "xai"),
    ("OPENROUTER_API_KEY", "gpt-4o-mini", "openrouter"),
    ("HF_TOKEN", "llama-3.3-70b", "huggingface"),
]


@pytest.mark.parametrize(("variable", "handle", "backend"), LIVE)
async def test_a_text_and_an_object(variable: str, handle: str, backend: str):
    key = os.environ.get(variable)
    if not key:
        pytest.skip(f"{variable} is not set")
    service = Inference.load([], {variable: key})
    model = service.resolve(ModelChoice(family="llm", choice=handle))
    assert model.backend == backend

    text = await service.chat.generate_text(
        text_job("Answer with the one word: ready").model_copy(update={"model": model})
    )
    boat = await service.chat.generate_object(
        object_job("The boat Lucy is 9.5 m long. Describe it.").model_copy(update={"model": model})
    )
    await service.aclose()

    assert "ready" in text.text.lower()
    assert text.usage.input_tokens > 0
    assert (boat.content["name"], boat.content["length"]) == ("Lucy", 9.5)
