"""Spans across Temporal: their context goes from the submitter to workflows, children and activities, in headers.

What is costly to load is loaded only in a process that is watched.
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
    """The interceptors of a client and of each worker over it.

    It is always the same object, so that none is registered twice.
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
        """A provider whose spans of workflows are made once, however often their histories are replayed."""
        from temporalio.contrib.opentelemetry import create_tracer_provider

        return cast("TracerProvider", create_tracer_provider(resource=resource))

    def is_replay_safe(self, provider: object) -> bool:
        """Whether it is a provider as `create_provider` makes it: Temporal's interceptor refuses any other."""
        from temporalio.contrib.opentelemetry import create_tracer_provider

        # The first SDKs do not name the class in the package, so it is taken from where the function is.
        return isinstance(provider, sys.modules[create_tracer_provider.__module__].ReplaySafeTracerProvider)


TRACING = TemporalTracing()
