"""The tables of `[temporal]`; names of classes aside, everything is called as in the file."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr, model_validator

from pipelex.config import AzureStorage, BucketStorage, GoogleStorage, LocalStorage, Names, Section, StorageSettings
from pipelex.config.durations import RequiredLimit, TimeLimit, WaitingTime
from pipelex.durable.dispatch import ActivityRoutes, DispatchBaseline, QueueOptions, Routing
from pipelex.errors import Fault, Json
from pipelex.temporal.config.catalog import ACTIVITIES, SEARCH_ATTRIBUTES

PerSecond = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Slots = Annotated[int, Field(ge=1)]

MOST_INLINE: Final = 262_144
"""Highest `size_threshold`: what one request may hold in all is 4 MiB, on every worker of a run."""

MAX_PAYLOAD_BYTES: Final = 134_217_728
"""The default of `max_payload_bytes`: 128 MiB, which fits a worker of 1 GB."""


# --- temporal_config --------------------------------------------------------------------------------------------------


class TLSProfile(Section):
    """Paths are relative to the project's root."""

    enabled: bool = True
    server_name: str | None = None
    server_root_ca_cert: str | None = None
    client_cert: str | None = None
    client_private_key: str | None = None

    @model_validator(mode="after")
    def _are_both_halves_there(self) -> "TLSProfile":
        if (self.client_cert is None) != (self.client_private_key is None):
            msg = "client_cert and client_private_key go together"
            raise ValueError(msg)
        return self


class ServerProfile(Section):
    description: str = ""
    target_host: str = "localhost:7233"
    namespace: str = "default"
    api_key_method: Literal["none", "env", "secret_provider"] = "none"
    api_key_id: str = ""
    tls: TLSProfile | None = None


class TemporalLogConfig(Section):
    is_workflow_info_on_message: bool = False
    is_workflow_info_on_extra: bool = True
    is_full_workflow_info_on_extra: bool = False
    is_activity_info_on_message: bool = False
    is_activity_info_on_extra: bool = True
    is_full_activity_info_on_extra: bool = False
    is_formatter_enabled: bool = True
    is_prefix_enabled: bool = True
    managed_loggers: Names = (
        "temporalio.workflow",
        "temporalio.activity",
        "temporalio.worker",
        "temporalio.client",
    )
    is_dispatch_resolution_traced: bool = False


def _shipped_servers() -> dict[str, ServerProfile]:
    return {
        "local": ServerProfile(description="A Temporal server on this machine"),
        "testing": ServerProfile(
            description="The server that tests run against",
            target_host="${TESTING_TEMPORAL_TARGET_HOST}",
            namespace="${TESTING_TEMPORAL_NAMESPACE}",
            api_key_method="secret_provider",
            api_key_id="${TESTING_TEMPORAL_MAIN_API_KEY}",
        ),
    }


class ServerSettings(Section):
    selected_server: str = "local"
    temporal_server_configs: dict[str, ServerProfile] = Field(default_factory=_shipped_servers)
    temporal_log_config: TemporalLogConfig = TemporalLogConfig()


# --- worker_config ----------------------------------------------------------------------------------------------------


class WorkerConfig(DispatchBaseline):
    """How runs are started, and what holds for their activities where no overlay says otherwise."""

    default_task_queue: str = Field(default="temporal_task_queue", min_length=1)
    workflow_execution_timeout: TimeLimit = timedelta(hours=24)
    run_timeout: TimeLimit = timedelta(hours=24)
    task_timeout: RequiredLimit = timedelta(seconds=10)
    start_delay: WaitingTime = timedelta(0)
    rpc_timeout: TimeLimit = timedelta(seconds=30)
    child_workflow_policy: Literal["every_pipe", "controllers"] = "every_pipe"
    """Which child pipes are workflows of their own. `controllers`: a pipe that runs no other is a part of its parent's
    workflow, for far fewer events. Fixed by whoever starts a run."""
    fairness_by_user: bool = False
    """Share a backlogged queue out among users: a run's user is the fairness key of its activities."""


# --- workers ----------------------------------------------------------------------------------------------------------


class WorkerScope(Section):
    required_tasks_packs: Names = ()
    required_workflows: Names = ()
    required_activities: Names = ()
    excluded_workflows: Names = ()
    excluded_activities: Names = ()
    disable_all_workflows: bool = False
    disable_all_activities: bool = False


class WorkerScopes(Section):
    default_scope: str = "full"
    scopes: dict[str, WorkerScope] = Field(default_factory=dict[str, WorkerScope])


EXPLICIT_KEYS: Final = (
    "max_concurrent_workflow_tasks",
    "max_concurrent_activities",
    "max_concurrent_local_activities",
)
RESOURCE_KEYS: Final = ("target_memory_usage", "target_cpu_usage", "minimum_slots", "maximum_slots")


class RuntimeProfile(Section):
    tuning_mode: Literal["explicit", "resource_based"] = "explicit"
    max_cached_workflows: Annotated[int, Field(ge=0)] = 10_000
    max_concurrent_workflow_tasks: Slots | None = None
    max_concurrent_activities: Slots | None = None
    max_concurrent_local_activities: Slots | None = None
    max_concurrent_workflow_task_polls: Slots | None = None
    """None: the number of pollers follows the load."""
    max_concurrent_activity_task_polls: Slots | None = None
    max_activities_per_second: PerSecond | None = None
    sticky_queue_schedule_to_start_timeout: RequiredLimit = timedelta(seconds=10)
    max_heartbeat_throttle_interval: RequiredLimit = timedelta(seconds=60)
    default_heartbeat_throttle_interval: RequiredLimit = timedelta(seconds=30)
    graceful_shutdown_timeout: WaitingTime = timedelta(seconds=30)
    target_memory_usage: Annotated[float, Field(gt=0, le=1)] | None = None
    target_cpu_usage: Annotated[float, Field(gt=0, le=1)] | None = None
    minimum_slots: Slots | None = None
    maximum_slots: Slots | None = None
    deployment_name: str | None = None
    build_id: str | None = None
    versioning_behavior: Literal["pinned", "auto_upgrade"] | None = None


class WorkerRuntimeProfiles(Section):
    default_profile: str = "default"
    profiles: dict[str, RuntimeProfile] = Field(default_factory=lambda: {"default": RuntimeProfile()})


# --- search_attributes, payload_codec_config --------------------------------------------------------------------------


class SearchAttributesConfig(Section):
    enabled: bool = True
    attributes: Names = SEARCH_ATTRIBUTES


class EncryptionConfig(Section):
    key_id: str
    key_env: str
    """The variable that holds the key."""
    decrypt_keys: dict[str, str] = Field(default_factory=dict[str, str])
    """Id of a former key → the variable that holds it: what was encrypted with it can still be read."""
    is_required: bool = False
    """Whether payloads that are not encrypted are refused. Leave it off while runs that began in the clear go on."""


STORES: Final = {"local": LocalStorage, "s3": BucketStorage, "gcs": GoogleStorage, "azure": AzureStorage}
"""What the table of each method holds: the keys of its twin under `[runtime.storage]`."""


class StorageProviderConfig(Section):
    """The chosen method's table is checked as one of `STORES`; the other tables are ignored."""

    method: Literal["local", "s3", "gcs", "azure"] = "local"
    local: dict[str, Json] = Field(default_factory=dict[str, Json])
    s3: dict[str, Json] = Field(default_factory=dict[str, Json])
    gcs: dict[str, Json] = Field(default_factory=dict[str, Json])
    azure: dict[str, Json] = Field(default_factory=dict[str, Json])

    @property
    def table(self) -> dict[str, Json]:
        """The chosen method's."""
        return getattr(self, self.method)


class PayloadCodecConfig(Section):
    is_enabled: bool | None = None
    """Whether large payloads go to the store; None: with a server on loopback, not with others. Encryption and
    compression act wherever they are set."""
    size_threshold: Annotated[int, Field(ge=1, le=MOST_INLINE)] = 131_072
    storage_prefix: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$")
    ] = "temporal-payloads"
    storage_provider_config: StorageProviderConfig = StorageProviderConfig()
    encryption: EncryptionConfig | None = None
    compression: Literal["zstd"] | None = None
    max_payload_bytes: Annotated[int, Field(ge=MOST_INLINE)] = MAX_PAYLOAD_BYTES
    """The maximum size of one decoded payload, in bytes, all its parts included. What decompresses to more, or names
    parts of more, ends its run instead of filling a worker's memory."""

    def has_storage(self, *, is_local: bool) -> bool:
        """Whether large payloads go to the store.

        Args:
            is_local: the server is on this machine.
        """
        return is_local if self.is_enabled is None else self.is_enabled

    @property
    def storage(self) -> StorageSettings:
        """The store, in the form of `[runtime.storage]`."""
        provider = self.storage_provider_config
        method = "gcp" if provider.method == "gcs" else provider.method
        uri_format = f"{self.storage_prefix}/{{hash}}" if self.storage_prefix else "{hash}"
        return StorageSettings.model_validate({"method": method, "uri_format": uri_format, method: provider.table})


class TemporalConfig(Section):
    """`[temporal]`. Made by `parse_temporal_config`; `TemporalConfig()` has the packaged defaults."""

    is_enabled: bool = False
    temporal_config: ServerSettings = ServerSettings()
    worker_config: WorkerConfig = Field(default_factory=WorkerConfig)
    activity_queues: dict[str, ActivityRoutes] = Field(default_factory=dict[str, ActivityRoutes])
    """By the name of an activity or of a group of them."""
    queue_options: dict[str, QueueOptions] = Field(default_factory=dict[str, QueueOptions])
    worker_scopes: WorkerScopes = WorkerScopes()
    worker_runtime_profiles: WorkerRuntimeProfiles = WorkerRuntimeProfiles()
    search_attributes: SearchAttributesConfig = SearchAttributesConfig()
    payload_codec_config: PayloadCodecConfig = PayloadCodecConfig()
    _warnings: tuple[Fault, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What is deprecated, or has no effect."""
        return self._warnings

    @property
    def server(self) -> ServerProfile:
        """The selected profile."""
        return self.temporal_config.temporal_server_configs[self.temporal_config.selected_server]

    @property
    def routing(self) -> Routing:
        """How activities go out."""
        return Routing(
            baseline=self.worker_config,
            default_queue=self.worker_config.default_task_queue,
            routes=self.activity_queues,
            queues=self.queue_options,
            groups={name: facts.group for name, facts in ACTIVITIES.items()},
        )

    @property
    def log(self) -> TemporalLogConfig:
        return self.temporal_config.temporal_log_config
