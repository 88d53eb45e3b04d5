"""Spans across Temporal: their context goes from the submitter to workflows, children and activities, in headers.

What is costly to load is loaded only in a process that is watched.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from pipelex.pipes import spans

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider


def interceptors() -> list[Any]:
    """What a client, and each worker over it, takes; always the same object, so that none is registered twice."""
    observer = spans.observer()
    return [_interceptor()] if observer is not None and observer.is_replay_safe else []


@cache
def _interceptor() -> Any:
    from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor

    return OpenTelemetryInterceptor()


def create_provider(resource: "Resource") -> "ReplaySafeTracerProvider":
    """A provider whose spans of workflows are made once, however often their histories are replayed."""
    from temporalio.contrib.opentelemetry import create_tracer_provider

    return create_tracer_provider(resource=resource)


def is_replay_safe(provider: object) -> bool:
    """Whether it is a provider as `create_provider` makes it: Temporal's interceptor refuses any other."""
    from temporalio.contrib.opentelemetry import create_tracer_provider

    # The first SDKs do not name the class in the package, so it is taken from where the function is.
    return isinstance(provider, sys.modules[create_tracer_provider.__module__].ReplaySafeTracerProvider)
