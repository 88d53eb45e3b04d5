"""The limits of a Temporal server. Source: measured on server 1.32 with its own settings."""

from typing import Final

from pipelex.durable.limits import EngineLimits

LIMITS: Final = EngineLimits(
    engine="Temporal",
    store_advice="Set `[temporal.payload_codec_config] is_enabled = true`, on the workers and where runs are started, and name "
    "a store that all of them reach; or pass large documents by URL or file.",
    same_store_advice="Set `[temporal.payload_codec_config] is_enabled = true`, and the same store on every worker and client.",
)
