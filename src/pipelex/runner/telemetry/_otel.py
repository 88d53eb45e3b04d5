"""Spans made with OpenTelemetry. Imported only if the process exports spans."""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, use_span

from pipelex.errors import PipelexError
from pipelex.pipes.spans import Attributes


@dataclass(frozen=True)
class OtelObserver:
    """An `Observer` over a tracer."""

    tracer: Tracer
    captures_content: bool
    is_replay_safe: bool

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, is_call: bool = False) -> "Generator[OtelSpan]":
        """See `Observer.span`."""
        kind = SpanKind.CLIENT if is_call else SpanKind.INTERNAL
        span = self.tracer.start_span(name, kind=kind, attributes=_given(attributes))
        # The span is ended by hand. Any other exception means that Temporal evicts the workflow, which continues later.
        with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            try:
                yield OtelSpan(span)
            except (Exception, asyncio.CancelledError) as failed:
                span.set_attributes(_given(_failure(failed)))
                span.set_status(StatusCode.ERROR)
                span.end()
                raise
        span.end()


@dataclass(frozen=True)
class OtelSpan:
    """An open span."""

    span: Span

    def set(self, attributes: Attributes) -> None:
        """See base class."""
        self.span.set_attributes(_given(attributes))


def _given(attributes: Attributes) -> Mapping[str, str | bool | int | float | Sequence[str]]:
    return {name: value for name, value in attributes.items() if value is not None}


def _failure(error: BaseException) -> Attributes:
    """The failure of a block as codes and numbers only, because texts may quote the run's content."""
    if isinstance(error, PipelexError):
        report = error.report
        return {
            "error.type": report.code,
            "pipelex.error.category": report.category.value,
            "http.response.status_code": report.status,
        }
    chain: list[Any] = [error]
    while chain[-1].__cause__ is not None and len(chain) < 20:
        chain.append(chain[-1].__cause__)
    is_cancelled = any(type(each).__name__ == "CancelledError" for each in chain)
    return {"error.type": "run.cancelled" if is_cancelled else type(error).__name__}
