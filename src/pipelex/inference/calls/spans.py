"""Spans of effects, by OpenTelemetry's conventions for generative AI.

pydantic-ai makes spans only of its own calls, and needs the SDK. These spans cover every family and every orchestrator.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pipelex.pipes import spans
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.models import ModelUsage

_PROVIDERS: Final[Mapping[str, str]] = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""The backends that have another name in the conventions."""

_IN_PROCESS: Final = "internal"


def observed(kind: EffectKind[Any, Any], perform: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """The performer of a kind of effect, with each attempt in a span of its own where the kind has spans."""
    if kind.operation is None:
        return perform
    operation = kind.operation

    async def perform_in_span(job: Any) -> Any:
        observer = spans.observer()
        if observer is None:
            return await perform(job)
        name, told, is_call = _told(kind, operation, job, captures_content=observer.captures_content)
        with observer.span(name, told, is_call=is_call) as span:
            result = await perform(job)
            if result.usage is not None and not kind.is_composed:
                span.set(tokens(result.usage))
            return result

    return perform_in_span


def _told(
    kind: EffectKind[Any, Any], operation: str, job: Any, *, captures_content: bool
) -> tuple[str, spans.Attributes, bool]:
    """The name of a span, its attributes, and whether it is a call of another service."""
    if kind.family is None:
        subject = kind.span_subject(job)
        named = {} if subject is None else {"gen_ai.operation.name": operation}
        return " ".join(filter(None, (operation, subject))), {**named, **kind.span_details(job)}, False
    model, request = job.model, job.request
    told = {
        **about_model(operation, model.backend, model.handle),
        "pipelex.model.handle": model.handle,
        **kind.span_details(request),
        **(kind.span_content(request) if captures_content else {}),
    }
    return f"{operation} {model.handle}", told, model.backend != _IN_PROCESS and not kind.is_composed


def about_model(operation: str, backend: str, model: str) -> dict[str, Any]:
    """The attributes that name an effect, and the model and the backend that perform it."""
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(backend, backend),
        "gen_ai.request.model": model,
    }


def tokens(usage: ModelUsage) -> dict[str, Any]:
    """The usage of calls, as attributes."""
    cached = usage.cached_tokens or None
    has_tokens = usage.input_tokens or usage.output_tokens
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens if has_tokens else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if has_tokens else None,
        "gen_ai.usage.cache_read.input_tokens": cached,
        "pipelex.usage.cost_usd": usage.cost_usd,
    }
