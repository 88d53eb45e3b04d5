"""The core of the Temporal SDK, of which a process has one."""

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
    """The destination of a process's metrics: an address that is scraped, or a collector."""

    prometheus: str | None = None
    """The address `HOST:PORT` on which `/metrics` is served."""
    otlp: str | None = None
    """The base address of an OTLP collector over HTTP."""
    service: str = "pipelex"


_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_DOLLARS: Final = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_BUCKETS: Final = {
    "pipelex_call_wait": _SECONDS,
    "pipelex_call_duration": _SECONDS,
    "pipelex_call_cost_usd": _DOLLARS,
}
"""The bounds of our histograms; the SDK's own are its."""


@cache
def keep_core_off_stdout(*, is_forwarded: bool, metrics: MetricsTarget | None = None) -> None:
    """Keep the SDK's core from writing its warnings to standard output, which is for results.

    A process whose Temporal runtime is made already keeps that one.

    Args:
        is_forwarded: have them among the process's log lines, by the logger `temporalio.core`; otherwise they are left
            out: the errors hold everything that somebody who waits for a run has to know.
        metrics: the destination of the SDK's metrics and ours; None for nowhere.

    Raises:
        PipelexError: the address of the metrics cannot be listened on, or is none.
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
            advice="Give HOST:PORT of an address of this machine that is free, or the http address of a collector.",
        ) from None
