"""Jobs and results of effects: a job is a request with its resolved model, and a result includes its cost.

An orchestrator hands a job to the performer of the effect, which is a provider call in this process or an activity on
another machine, and gets a result back. Both are frozen pydantic models of plain JSON.
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
    """Base of the jobs that a model performs.

    The request is either one member of the job, or its fields are members.
    """

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
    """The usage of other models whose answers could not be used, one entry for each model. `usage` is that of the model
    that returned the result, including its failed attempts."""
    kept_from: str | None = None
    """The earlier run from which the result was reused. `usage` is then what that run paid for, not this one."""


class LLMTextResult(PaidResult):
    """A completion and what it cost."""

    text: str
    usage: ModelUsage


class LLMObjectResult(PaidResult):
    """A validated object and what it cost, including repeated requests."""

    content: dict[str, Json]
    usage: ModelUsage


class LLMObjectListResult(PaidResult):
    """Validated objects and what they cost, including repeated requests."""

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
    """A rendered template, with the images and documents that its tokens stand for."""

    text: str
    images: tuple[dict[str, Json], ...] = ()
    documents: tuple[dict[str, Json], ...] = ()
    turns: int = 0
    """The number of turns of the budget that rendering took; see `pipelex.templating.Budget`."""
    chars: int = 0


def usages_of(result: Wire) -> tuple[ModelUsage, ...]:
    """The usage of a result, one entry for each model; empty if no model was asked, or if another run paid."""
    if kept_from(result) is not None:
        return ()
    usage: ModelUsage | None = getattr(result, "usage", None)
    others: tuple[ModelUsage, ...] = getattr(result, "others", ())
    return others if usage is None else (usage, *others)


def kept_from(result: Wire | None) -> str | None:
    """The run that a result was reused from; None if this run performed the effect."""
    found: str | None = getattr(result, "kept_from", None)
    return found
