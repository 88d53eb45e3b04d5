"""Sets up the core of the Temporal SDK, its log and its metrics. A process has only one core."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    OpenTelemetryConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from pipelex.errors import ErrorCategory, PipelexError

_EXPORTED_EVERY: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class MetricsTarget:
    """The destination of a process's metrics: an address that Prometheus scrapes, or a collector."""

    prometheus: str | None = None
    """The address `HOST:PORT` on which `/metrics` is served. It takes precedence over `otlp`."""
    otlp: str | None = None
    """The base address of an OTLP collector over HTTP."""
    service: str = "pipelex"
    """The service name that the metrics carry."""


_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_DOLLARS: Final = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_BUCKETS: Final = {
    "pipelex_call_wait": _SECONDS,
    "pipelex_call_duration": _SECONDS,
    "pipelex_call_cost_usd": _DOLLARS,
}
"""The bucket bounds of Pipelex's own histograms; the SDK's histograms keep the SDK's bounds."""


@cache
def keep_core_off_stdout(*, is_forwarded: bool, metrics: MetricsTarget | None = None) -> None:
    """Keep the SDK's core from writing its warnings to standard output, which is for results.

    If the process has a default Temporal runtime already, it keeps that one.

    Args:
        is_forwarded: whether the warnings go to the logger `temporalio.core`. Otherwise they are dropped, since the
            errors tell somebody who waits for a run everything that matters.
        metrics: the destination of the metrics of the SDK and of Pipelex; None exports none.

    Raises:
        PipelexError: the address for the metrics cannot be listened on, or is not valid.
    """
    log = None
    if is_forwarded:
        forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"), append_target_to_name=False)
        log = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding)
    runtime = _runtime(log, metrics)
    with suppress(RuntimeError):
        Runtime.set_default(runtime)


def _runtime(log: LoggingConfig | None, metrics: MetricsTarget | None) -> Runtime:
    if metrics is None:
        return Runtime(telemetry=TelemetryConfig(logging=log))
    told: PrometheusConfig | OpenTelemetryConfig
    if metrics.prometheus is not None:
        told = PrometheusConfig(
            bind_address=metrics.prometheus,
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
            histogram_bucket_overrides=_BUCKETS,
        )
    else:
        told = OpenTelemetryConfig(
            url=f"{(metrics.otlp or '').rstrip('/')}/v1/metrics",
            http=True,
            durations_as_seconds=True,
            metric_periodicity=_EXPORTED_EVERY,
            histogram_bucket_overrides=_BUCKETS,
        )
    tags = {"service_name": metrics.service}
    try:
        return Runtime(
            telemetry=TelemetryConfig(logging=log, metrics=told, global_tags=tags, attach_service_name=False)
        )
    except (RuntimeError, ValueError) as refused:
        where = metrics.prometheus or metrics.otlp
        raise PipelexError(
            "runtime.misconfigured",
            f"metrics cannot be served at '{where}': {refused}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "metrics"},
            advice="Give HOST:PORT with a free port of this machine, or the http address of a collector.",
        ) from None
