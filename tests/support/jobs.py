"""Jobs for tests."""

from pipelex.content.stuff import Json
from pipelex.pipes.effects.jobs import LLMObjectJob, LLMObjectListJob, LLMTextJob
from pipelex.pipes.effects.requests import LLMPrompt, ObjectSpec
from pipelex.pipes.models import ResolvedModel


def model(handle: str = "stub", backend: str = "openai", **settings: Json) -> ResolvedModel:
    return ResolvedModel(handle=handle, backend=backend, settings=settings)


def text_job(user: str, handle: str = "stub", *, prompt: LLMPrompt | None = None, **settings: Json) -> LLMTextJob:
    return LLMTextJob(
        model=ResolvedModel(handle=handle, backend="openai", settings=settings), prompt=prompt or LLMPrompt(user=user)
    )


BOAT: dict[str, Json] = {
    "type": "object",
    "title": "Boat",
    "properties": {
        "name": {"type": "string"},
        "length": {"type": "number"},
        "built": {"type": "string", "format": "date"},
        "note": {"type": "string"},
    },
    "required": ["name", "length"],
    "additionalProperties": False,
}

LUCY: dict[str, Json] = {"name": "Lucy", "length": 9.5}


def object_job(user: str, handle: str = "stub", schema: dict[str, Json] = BOAT) -> LLMObjectJob:
    spec = ObjectSpec(concept="harbour.Boat", json_schema=schema)
    return LLMObjectJob(model=model(handle), prompt=LLMPrompt(user=user), spec=spec)


def list_job(user: str, count: int | None, handle: str = "stub") -> LLMObjectListJob:
    spec = ObjectSpec(concept="harbour.Boat", json_schema=BOAT)
    return LLMObjectListJob(model=model(handle), prompt=LLMPrompt(user=user), spec=spec, count=count)
