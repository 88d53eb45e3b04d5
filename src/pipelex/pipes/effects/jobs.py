"""Jobs and results of effects: the request with the model it was resolved to, and the result with its cost.

A job is what an orchestrator hands to whoever performs the effect: a provider call in this process, or an activity
on another machine. A result is what comes back. Both are frozen pydantic models of plain JSON.
"""

from typing import Self

from pipelex.content.stuff import Json
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    ImageRequest,
    JudgeRequest,
    LLMObjectListRequest,
    LLMObjectRequest,
    LLMTextRequest,
    PerformedJob,
    SearchRequest,
)
from pipelex.pipes.models import ModelUsage, ResolvedModel
from pipelex.pipes.wire import Wire


class ModelJob(PerformedJob):
    """Base of the jobs that a model performs: the model, and the request as a member or as members of the job."""

    model: ResolvedModel

    @classmethod
    def of(cls, request: Wire, model: ResolvedModel) -> Self:
        """The job of a request."""
        members = {name: getattr(request, name) for name in request.model_fields_set}
        return cls.model_validate(
            {"model": model, **({"request": request} if "request" in cls.model_fields else members)}
        )


class LLMTextJob(LLMTextRequest, ModelJob):
    """One completion."""


class LLMObjectJob(LLMObjectRequest, ModelJob):
    """One object that satisfies a schema."""


class LLMObjectListJob(LLMObjectListRequest, ModelJob):
    """Several objects that each satisfy a schema, in one call."""


class ImageJob(ModelJob):
    """Images from a prompt."""

    request: ImageRequest


class ExtractJob(ModelJob):
    """Pages from a document or an image."""

    request: ExtractRequest


class SearchJob(ModelJob):
    """An answer with sources."""

    request: SearchRequest


class JudgeJob(ModelJob):
    """Verdicts on closed questions."""

    request: JudgeRequest


class DocumentJob(ModelJob):
    """A file printed from values."""

    request: DocumentRequest


class PaidResult(Wire):
    """Base of the results that a provider may charge for."""

    others: tuple[ModelUsage, ...] = ()
    """The usage of other models' answers that were of no use, one entry for each model; `usage` tells of the model that
    gave the result, its answers in failed attempts included."""
    kept_from: str | None = None
    """The run that paid for the result, where it was taken from there; `usage` is what that run paid, and this one did
    not."""


class LLMTextResult(PaidResult):
    """A completion and what it cost."""

    text: str
    usage: ModelUsage


class LLMObjectResult(PaidResult):
    """A validated object and what it cost, repeated questions included."""

    content: dict[str, Json]
    usage: ModelUsage


class LLMObjectListResult(PaidResult):
    """Validated objects and what they cost, repeated questions included."""

    items: tuple[dict[str, Json], ...]
    usage: ModelUsage


class ContentResult(PaidResult):
    """One content and what it cost."""

    content: Json
    usage: ModelUsage | None = None


class ContentListResult(PaidResult):
    """Contents in order, and what they cost; None stands for a question the model refused."""

    contents: tuple[Json, ...]
    usage: ModelUsage | None = None


class TemplateResult(Wire):
    """A rendered template, with what its tokens stand for."""

    text: str
    images: tuple[dict[str, Json], ...] = ()
    documents: tuple[dict[str, Json], ...] = ()
    turns: int = 0
    """The turns of a budget that rendering took; see `pipelex.templating.Budget`."""
    chars: int = 0


def usages_of(result: Wire) -> tuple[ModelUsage, ...]:
    """What a result was paid with, one entry per model; empty where no model was asked, or another run paid."""
    if kept_from(result) is not None:
        return ()
    usage: ModelUsage | None = getattr(result, "usage", None)
    others: tuple[ModelUsage, ...] = getattr(result, "others", ())
    return others if usage is None else (usage, *others)


def kept_from(result: Wire | None) -> str | None:
    """The run that a result was taken from; None where it was made for the run that has it."""
    found: str | None = getattr(result, "kept_from", None)
    return found
