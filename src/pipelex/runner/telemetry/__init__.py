"""The export of spans: what is exported and where to, and spans made with OpenTelemetry."""

from pipelex.runner.telemetry._export import start_telemetry

__all__ = ["start_telemetry"]
