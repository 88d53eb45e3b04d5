"""What one effect needs besides its declared request: the model it was resolved to, and what it cost.

A job is what an orchestrator hands to whoever performs the effect: a provider call in this process, or an activity
on another machine. A result is what comes back. Both are frozen pydantic models of plain JSON.
"""

from pydantic import Field

from pipelex.content.stuff import Json
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    ImageRequest,
    JudgeRequest,
    LLMPrompt,
    ObjectSpec,
    SearchRequest,
)
from pipelex.pipes.models import ModelUsage, ResolvedModel
from pipelex.pipes.wire import Wire


class LLMTextJob(Wire):
    """One completion."""

    model: ResolvedModel
    prompt: LLMPrompt


class LLMTextResult(Wire):
    """A completion and what it cost."""

    text: str
    usage: ModelUsage


class LLMObjectJob(Wire):
    """One object that satisfies a schema."""

    model: ResolvedModel
    prompt: LLMPrompt
    spec: ObjectSpec


class LLMObjectResult(Wire):
    """A validated object and what it cost, repeated questions included."""

    content: dict[str, Json]
    usage: ModelUsage


class LLMObjectListJob(Wire):
    """Several objects that each satisfy a schema, in one call."""

    model: ResolvedModel
    prompt: LLMPrompt
    spec: ObjectSpec
    count: int | None = Field(default=None, ge=0)
    """Exactly this many; None leaves the number to the model."""


class LLMObjectListResult(Wire):
    """Validated objects and what they cost, repeated questions included."""

    items: tuple[dict[str, Json], ...]
    usage: ModelUsage


class ImageJob(Wire):
    """Images from a prompt."""

    model: ResolvedModel
    request: ImageRequest


class ExtractJob(Wire):
    """Pages from a document or an image."""

    model: ResolvedModel
    request: ExtractRequest


class SearchJob(Wire):
    """An answer with sources."""

    model: ResolvedModel
    request: SearchRequest


class JudgeJob(Wire):
    """Verdicts on closed questions."""

    model: ResolvedModel
    request: JudgeRequest


class DocumentJob(Wire):
    """A file printed from values."""

    model: ResolvedModel
    request: DocumentRequest


class ContentResult(Wire):
    """One content and what it cost."""

    content: Json
    usage: ModelUsage | None = None


class ContentListResult(Wire):
    """Contents in order, and what they cost; None stands for a question the model refused."""

    contents: tuple[Json, ...]
    usage: ModelUsage | None = None


class TemplateResult(Wire):
    """A rendered template, with what its tokens stand for."""

    text: str
    images: tuple[dict[str, Json], ...] = ()
    documents: tuple[dict[str, Json], ...] = ()
