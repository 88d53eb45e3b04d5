"""Exports spans as `[runtime.telemetry]` and OpenTelemetry's own variables say.

Spans go only to the collector that the user names, or to a tracer provider that the surrounding program has set. If
there is neither, nothing is imported.
"""

import logging
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from pipelex.config import Settings
from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.hidden import hide
from pipelex.orchestration.tracing import engine_tracings
from pipelex.pipes import spans

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import TracerProvider as AnyProvider

logger = logging.getLogger("pipelex.telemetry")

_KEY: Final = "runtime.telemetry.endpoint"
_PATH: Final = "/v1/traces"
_SECONDS: Final = 3.0
"""The time limit of one export, in seconds. At its end, a command waits that long for a collector that does not
answer."""


def start_telemetry(settings: Settings) -> None:
    """Export the spans of this process if the settings or the environment ask for it; done once per process.

    Raises:
        PipelexError: a settings file asks for it, but the library is not installed.
    """
    if spans.observer() is not None or not _is_wanted(settings):
        return
    endpoint = _endpoint(settings)
    provider = _surrounding_provider()
    if provider is None and endpoint is not None:
        provider = _provider(settings, endpoint)
    if provider is None:
        return
    from pipelex.runner.telemetry._otel import OtelObserver

    is_safe = any(tracing.is_replay_safe(provider) for tracing in engine_tracings())
    tracer = provider.get_tracer("pipelex", version("pipelex"))
    spans.install(OtelObserver(tracer, settings.runtime.telemetry.capture_content, is_safe))


def _is_wanted(settings: Settings) -> bool:
    environ = settings.environ
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return settings.runtime.telemetry.is_enabled and not is_disabled and environ.get("OTEL_TRACES_EXPORTER") != "none"


def _endpoint(settings: Settings) -> str | None:
    """The URL to which spans are posted; the variables override the settings."""
    whole = settings.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base = settings.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or settings.runtime.telemetry.endpoint
    if whole or not base:
        return whole or None
    return base.rstrip("/") + _PATH


def _surrounding_provider() -> "AnyProvider | None":
    """The tracer provider that the surrounding program has set; None if it has not set one."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider

    found = get_tracer_provider()
    return None if isinstance(found, ProxyTracerProvider) else found


def _provider(settings: Settings, endpoint: str) -> "TracerProvider | None":
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(settings, endpoint)
    except ImportError:
        if settings.runtime.telemetry.endpoint:
            raise PipelexError(
                "runtime.misconfigured",
                f"{_KEY} is set, but the OpenTelemetry SDK is not installed",
                category=ErrorCategory.CONFIGURATION,
                params={"component": "telemetry"},
                location=settings.location(_KEY),
                advice=_how_to_install(),
            ) from None
        logger.warning(
            "The environment names a collector of spans, but the OpenTelemetry SDK is not installed. %s",
            _how_to_install(),
        )
        return None
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import set_tracer_provider

    resource = Resource.create(_resource(settings))
    provider = _made_by_an_engine(resource) or TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    set_tracer_provider(provider)
    return provider


def _exporter(settings: Settings, endpoint: str) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.util.re import parse_env_headers

    environ = settings.environ
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in (None, "", "http/protobuf"):
        logger.warning("Spans are exported over http/protobuf, whatever OTEL_EXPORTER_OTLP_PROTOCOL says.")
    headers = environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environ.get("OTEL_EXPORTER_OTLP_HEADERS") or ""
    seconds = environ.get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT") or environ.get("OTEL_EXPORTER_OTLP_TIMEOUT")
    # Read from the settings' environment, because it includes the variables of `.env` files.
    known = parse_env_headers(headers, liberal=True)
    hide(known.values())
    return OTLPSpanExporter(
        endpoint,
        headers=known or None,
        timeout=_SECONDS if seconds is None else None,
    )


def _resource(settings: Settings) -> dict[str, str]:
    environ = settings.environ
    name = environ.get("OTEL_SERVICE_NAME")
    if not name and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        name = settings.runtime.telemetry.service_name
    return {"pipelex.version": version("pipelex")} | ({"service.name": name} if name else {})


def _made_by_an_engine(resource: "Resource") -> "TracerProvider | None":
    return next((tracing.create_provider(resource) for tracing in engine_tracings()), None)


def _how_to_install() -> str:
    return f"Install it with: {install_command('otel')}"
