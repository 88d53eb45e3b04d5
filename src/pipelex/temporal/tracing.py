"""Tracing across Temporal: headers carry the span context from the submitter to workflows, children and activities.

OpenTelemetry is costly to import, so it is imported only in a process that is traced.
"""

import sys
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from pipelex.pipes import spans

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider


def interceptors() -> list[Any]:
    """The tracing interceptors for a client and its workers; none if the process is not traced.

    Every call returns the same interceptor, so that it is not registered twice.
    """
    observer = spans.observer()
    return [_interceptor()] if observer is not None and observer.is_replay_safe else []


@cache
def _interceptor() -> Any:
    from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor

    return OpenTelemetryInterceptor()


class TemporalTracing:
    """The spans of workflows; see `EngineTracing`."""

    def is_installed(self) -> bool:
        """See `EngineTracing.is_installed`."""
        return find_spec("temporalio") is not None

    def create_provider(self, resource: "Resource") -> "TracerProvider":
        """A tracer provider that creates the spans of a workflow once, however often its history is replayed."""
        from temporalio.contrib.opentelemetry import create_tracer_provider

        return cast("TracerProvider", create_tracer_provider(resource=resource))

    def is_replay_safe(self, provider: object) -> bool:
        """Whether a provider is of the kind that `create_provider` returns; Temporal's interceptor refuses others."""
        from temporalio.contrib.opentelemetry import create_tracer_provider

        # The first SDK versions do not export the class from the package, so it is taken from the function's module.
        return isinstance(provider, sys.modules[create_tracer_provider.__module__].ReplaySafeTracerProvider)


TRACING = TemporalTracing()
