"""The `[temporal]` tables of the settings, read strictly, and the connection that they describe.

The Temporal SDK is imported only to read `TEMPORAL_*` variables or a `temporal.toml`.
"""

from pipelex.temporal.config._checks import BUILT_IN_SCOPES
from pipelex.temporal.config._connection import ConnectionSettings, TLSSettings, connection
from pipelex.temporal.config._models import (
    MAX_PAYLOAD_BYTES,
    MOST_INLINE,
    CustomAttribute,
    EncryptionConfig,
    PayloadCodecConfig,
    RuntimeProfile,
    SearchAttributesConfig,
    ServerProfile,
    TemporalConfig,
    TemporalLogConfig,
    TLSProfile,
    WorkerConfig,
    WorkerScope,
)
from pipelex.temporal.config._parse import parse_temporal_config
from pipelex.temporal.config._ui import made_dev_folder, noted_dev_server

__all__ = [
    "BUILT_IN_SCOPES",
    "MAX_PAYLOAD_BYTES",
    "MOST_INLINE",
    "ConnectionSettings",
    "CustomAttribute",
    "EncryptionConfig",
    "PayloadCodecConfig",
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
    "made_dev_folder",
    "noted_dev_server",
    "parse_temporal_config",
]
