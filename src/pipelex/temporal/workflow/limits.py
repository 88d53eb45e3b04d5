"""The limits of a Temporal server. Source: measured on server 1.32 with its default settings."""

from typing import Final

from pipelex.durable.limits import EngineLimits

LIMITS: Final = EngineLimits(
    engine="Temporal",
    store_advice="Set `[temporal.payload_codec_config] is_enabled = true`, on the workers and where runs are started, and name "
    "a store that all of them reach; or pass large documents by URL or file.",
    same_store_advice="Set `[temporal.payload_codec_config] is_enabled = true`, and the same store on every worker and client.",
    run_time_advice="Raise workflow_execution_timeout and run_timeout of [temporal.worker_config] where runs are started, and go "
    "on with this one by `pipelex runs retry`, within the limits that are set then. `pipelex runs show` says what it waited for.",
    lost_workers_advice="Find out why the workers of its task queue end, and give them a graceful_shutdown_timeout that is longer "
    "than such a call takes; then continue with `pipelex runs retry`.",
)
