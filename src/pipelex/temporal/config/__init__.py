"""`[temporal]` of the settings, read strictly. Nothing here imports the Temporal SDK before it connects."""

from pipelex.temporal.config._checks import BUILT_IN_SCOPES
from pipelex.temporal.config._connection import ConnectionSettings, TLSSettings, connection
from pipelex.temporal.config._durations import parse_duration, show_duration
from pipelex.temporal.config._models import (
    MAX_PAYLOAD_BYTES,
    MOST_INLINE,
    ActivityRoutes,
    DispatchOverlay,
    EncryptionConfig,
    PayloadCodecConfig,
    QueueOptions,
    RetryPolicyConfig,
    RuntimeProfile,
    SearchAttributesConfig,
    ServerProfile,
    TemporalConfig,
    TemporalLogConfig,
    TLSProfile,
    WorkerConfig,
    WorkerScope,
    hopeless_error_types,
)
from pipelex.temporal.config._parse import parse_temporal_config

__all__ = [
    "BUILT_IN_SCOPES",
    "MAX_PAYLOAD_BYTES",
    "MOST_INLINE",
    "ActivityRoutes",
    "ConnectionSettings",
    "DispatchOverlay",
    "EncryptionConfig",
    "PayloadCodecConfig",
    "QueueOptions",
    "RetryPolicyConfig",
    "RuntimeProfile",
    "SearchAttributesConfig",
    "ServerProfile",
    "TLSProfile",
    "TLSSettings",
    "TemporalConfig",
    "TemporalLogConfig",
    "WorkerConfig",
    "WorkerScope",
    "connection",
    "hopeless_error_types",
    "parse_duration",
    "parse_temporal_config",
    "show_duration",
]
