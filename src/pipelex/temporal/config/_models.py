"""The models of the `[temporal]` tables. Their fields have the names of the keys in the file."""

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
"""The maximum of `size_threshold`, in bytes: 256 KiB. One request with many payloads may have only 4 MiB in all."""

MAX_PAYLOAD_BYTES: Final = 134_217_728
"""The default of `max_payload_bytes`: 128 MiB, which a worker with 1 GB of memory can hold."""


# --- temporal_config --------------------------------------------------------------------------------------------------


class TLSProfile(Section):
    """Encryption of the connection. Paths are relative to the project's root; in your own `~/.pipelex/pipelex.toml`, to its folder."""

    enabled: bool = True
    """Whether the connection is encrypted."""
    server_name: str | None = None
    """The name in the server's certificate; that of `target_host` where not set."""
    server_root_ca_cert: str | None = None
    """The file of the certificate authority of the server's certificate, as PEM; the public ones where not set."""
    client_cert: str | None = None
    """The file of the client's certificate, as PEM, for mutual TLS."""
    client_private_key: str | None = None
    """The file of the key of the client's certificate, as PEM."""

    @model_validator(mode="after")
    def _are_both_halves_there(self) -> "TLSProfile":
        if (self.client_cert is None) != (self.client_private_key is None):
            msg = "client_cert and client_private_key go together"
            raise ValueError(msg)
        return self


class ServerProfile(Section):
    description: str = ""
    """A text for people."""
    target_host: str = "localhost:7233"
    """The address of the server's frontend, as `host:port`."""
    namespace: str = "default"
    """The namespace that runs are started in; on Temporal Cloud with the account: `name.a1b2c`."""
    api_key_method: Literal["none", "env", "secret_provider"] = "none"
    """The source of the API key: `env` names a variable, `secret_provider` a secret."""
    api_key_id: str = ""
    """The variable, or the secret's id."""
    ui_url: str | None = Field(default=None, pattern=r"^(https?://\S+|.*\$\{\w+\}.*)$")
    """The address of Temporal's web UI, for the links to runs: `https://temporal.example.com`. That of Temporal Cloud and
    of a server that `pipelex dev` runs is known without it."""
    tls: TLSProfile | None = None


class TemporalLogConfig(Section):
    is_workflow_info_on_message: bool = False
    """Whether the message of a workflow's log line ends with what workflow it is."""
    is_workflow_info_on_extra: bool = True
    """Whether a workflow's log line carries workflow id, run id, type and attempt as fields."""
    is_full_workflow_info_on_extra: bool = False
    """Whether it carries everything that the SDK knows of the workflow."""
    is_activity_info_on_message: bool = False
    """Whether the message of an activity's log line ends with what activity it is."""
    is_activity_info_on_extra: bool = True
    """Whether an activity's log line carries activity type, workflow id, queue and attempt as fields."""
    is_full_activity_info_on_extra: bool = False
    """Whether it carries everything that the SDK knows of the activity."""
    is_formatter_enabled: bool = True
    """Whether lines have a time, a level and a logger; otherwise they are the bare message."""
    is_prefix_enabled: bool = True
    """Whether lines begin with the workflow or activity that they are about."""
    managed_loggers: Names = (
        "temporalio.workflow",
        "temporalio.activity",
        "temporalio.worker",
        "temporalio.client",
    )
    """The loggers that these settings hold for."""
    is_dispatch_resolution_traced: bool = False
    """Whether each activity leaves one line with its queue and limits, and what decided each of them."""


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
    """The profile that is used where `--server` names none."""
    temporal_server_configs: dict[str, ServerProfile] = Field(default_factory=_shipped_servers)
    """The profiles of servers, by name."""
    temporal_log_config: TemporalLogConfig = TemporalLogConfig()


# --- worker_config ----------------------------------------------------------------------------------------------------


class WorkerConfig(DispatchBaseline):
    """Defaults for the start of runs, and for their activities where no overlay says otherwise."""

    default_task_queue: str = Field(default="temporal_task_queue", min_length=1)
    """The task queue of workflows, and of activities that no route leads elsewhere."""
    workflow_execution_timeout: TimeLimit = timedelta(hours=24)
    """The longest time of a run, with all its continuations."""
    run_timeout: TimeLimit = timedelta(hours=24)
    """The longest time of one continuation of a run."""
    task_timeout: RequiredLimit = timedelta(seconds=10)
    """The longest time of one workflow task."""
    start_delay: WaitingTime = timedelta(0)
    """The time that a run waits before it starts."""
    rpc_timeout: TimeLimit = timedelta(seconds=30)
    """The longest time of one request to the server."""
    cancellation_check_interval: TimeLimit = timedelta(seconds=2)
    """The time between two looks at whether the runs of calls in flight were ended; `unlimited` waits for a heartbeat."""
    child_workflow_policy: Literal["every_pipe", "controllers"] = "every_pipe"
    """The child pipes that are workflows of their own. With `controllers`, a pipe that runs no other is a part of its
    parent's workflow, for far fewer events. The policy is fixed by whoever starts a run."""
    fairness_by_user: bool = False
    """Whether a backlogged queue is shared out among users: a run's user is the fairness key of its activities."""


# --- workers ----------------------------------------------------------------------------------------------------------


class WorkerScope(Section):
    required_tasks_packs: Names = ()
    """Packs to register: `pipe` is everything, `crafting` is what generates content."""
    required_workflows: Names = ()
    """Workflow types to register."""
    required_activities: Names = ()
    """Activities to register."""
    excluded_workflows: Names = ()
    """Workflow types to leave out of what the packs bring."""
    excluded_activities: Names = ()
    """Activities to leave out of what the packs bring."""
    disable_all_workflows: bool = False
    """Whether no workflow is registered."""
    disable_all_activities: bool = False
    """Whether no activity is registered."""


class WorkerScopes(Section):
    default_scope: str = "full"
    """The scope of a worker that is started without `--scope`."""
    scopes: dict[str, WorkerScope] = Field(default_factory=dict[str, WorkerScope])
    """Scopes of one's own, by name, beside the built-in ones."""


EXPLICIT_KEYS: Final = (
    "max_concurrent_workflow_tasks",
    "max_concurrent_activities",
    "max_concurrent_local_activities",
)
RESOURCE_KEYS: Final = ("target_memory_usage", "target_cpu_usage", "minimum_slots", "maximum_slots")


class RuntimeProfile(Section):
    tuning_mode: Literal["explicit", "resource_based"] = "explicit"
    """`explicit`: fixed numbers of slots; `resource_based`: as many as memory and processors bear."""
    max_cached_workflows: Annotated[int, Field(ge=0)] = 10_000
    """The workflows that are kept in memory between two tasks, whatever their values take together."""
    max_concurrent_workflow_tasks: Slots | None = None
    """The workflow tasks at a time."""
    max_concurrent_activities: Slots | None = None
    """The activities at a time."""
    max_concurrent_local_activities: Slots | None = None
    """The local activities at a time."""
    max_concurrent_workflow_task_polls: Slots | None = None
    """The number of pollers for workflow tasks; it follows the load if not set."""
    max_concurrent_activity_task_polls: Slots | None = None
    """The activity pollers; the number follows the load where not set."""
    max_activities_per_second: PerSecond | None = None
    """The activities that this worker starts in a second, at most."""
    sticky_queue_schedule_to_start_timeout: RequiredLimit = timedelta(seconds=10)
    """The time after which a cached workflow's task goes to any worker."""
    max_heartbeat_throttle_interval: RequiredLimit = timedelta(seconds=60)
    """The longest time between two heartbeats that are sent."""
    default_heartbeat_throttle_interval: RequiredLimit = timedelta(seconds=30)
    """The time between two heartbeats of an activity without a heartbeat time-out."""
    graceful_shutdown_timeout: WaitingTime = timedelta(seconds=30)
    """The time that activities have to end once the worker was told to stop."""
    target_memory_usage: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of memory to use, 0 to 1; `resource_based` only."""
    target_cpu_usage: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the processors to use, 0 to 1; `resource_based` only."""
    minimum_slots: Slots | None = None
    """The least number of slots of each kind; `resource_based` only."""
    maximum_slots: Slots | None = None
    """The greatest number of slots of each kind; `resource_based` only."""
    deployment_name: str | None = None
    """The deployment that this worker belongs to, for Worker Versioning."""
    build_id: str | None = None
    """The build that this worker is, for Worker Versioning."""
    versioning_behavior: Literal["pinned", "auto_upgrade"] | None = None
    """Whether a run stays on the build that it started with (`pinned`) or moves on (`auto_upgrade`)."""


class WorkerRuntimeProfiles(Section):
    default_profile: str = "default"
    """The profile of a worker that is started without `--profile`."""
    profiles: dict[str, RuntimeProfile] = Field(default_factory=lambda: {"default": RuntimeProfile()})
    """Tuning profiles, by name."""


# --- search_attributes, payload_codec_config --------------------------------------------------------------------------


AttributeType = Literal["Keyword", "KeywordList", "Text", "Int", "Double", "Bool", "Datetime"]


class CustomAttribute(Section):
    """A search attribute of the user's own, attached to every workflow of a run."""

    type: AttributeType = "Keyword"
    """The server's type of its values."""
    value: str | int | float | bool | tuple[str, ...] | None = None
    """The value of every run that sets no other."""
    input: str | None = None
    """A dotted path into the run's inputs, for example `invoice.customer`; where that is absent, the run lacks it."""

    @model_validator(mode="after")
    def _has_one_source(self) -> "CustomAttribute":
        if self.value is not None and self.input is not None:
            msg = "value and input are two sources of one attribute; keep one"
            raise ValueError(msg)
        return self


class SearchAttributesConfig(Section):
    enabled: bool = True
    """Whether workflows carry search attributes at all."""
    attributes: Names = SEARCH_ATTRIBUTES
    """The search attributes that runs carry, of the five."""
    custom: dict[str, CustomAttribute] = Field(default_factory=dict[str, CustomAttribute])
    """The search attributes of the user's own, by name."""


class EncryptionConfig(Section):
    key_id: str
    """The name that payloads carry, so that their key is found again after it was replaced."""
    key_env: str
    """The variable that holds the key."""
    decrypt_keys: dict[str, str] = Field(default_factory=dict[str, str])
    """Id of a former key → the variable that holds it: what was encrypted with it can still be read."""
    is_required: bool = False
    """Whether payloads that are not encrypted are refused. Leave it off while runs that began in the clear go on."""


STORES: Final = {"local": LocalStorage, "s3": BucketStorage, "gcs": GoogleStorage, "azure": AzureStorage}
"""Method → the model of its table, which has the same keys as the corresponding table under `[runtime.storage]`."""


class StorageProviderConfig(Section):
    """The store for large payloads. Only the table of the chosen method is checked; the others are ignored."""

    method: Literal["local", "s3", "gcs", "azure"] = "local"
    """The kind of the store; the table of the same name says where it is."""
    local: dict[str, Json] = Field(default_factory=dict[str, Json])
    """A folder: `path`."""
    s3: dict[str, Json] = Field(default_factory=dict[str, Json])
    """A bucket: `bucket`, `prefix`, `region`, `endpoint`."""
    gcs: dict[str, Json] = Field(default_factory=dict[str, Json])
    """A bucket of Google Cloud Storage: `bucket`, `prefix`, `endpoint`."""
    azure: dict[str, Json] = Field(default_factory=dict[str, Json])
    """A container: `account`, `container`, `prefix`."""

    @property
    def table(self) -> dict[str, Json]:
        """The table of the chosen method."""
        return getattr(self, self.method)


class PayloadCodecConfig(Section):
    is_enabled: bool | None = None
    """Whether large payloads go to the store. If not set, they do with a server on this machine, and not with others. Encryption and
    compression act wherever they are set."""
    size_threshold: Annotated[int, Field(ge=1, le=MOST_INLINE)] = 131_072
    """The size in bytes from which a payload goes to the store."""
    storage_prefix: Annotated[
        str, Field(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$")
    ] = "temporal-payloads"
    """The path in the store below which payloads are kept."""
    storage_provider_config: StorageProviderConfig = StorageProviderConfig()
    encryption: EncryptionConfig | None = None
    compression: Literal["zstd"] | None = None
    """The compression of payloads; none where not set."""
    max_payload_bytes: Annotated[int, Field(ge=MOST_INLINE)] = MAX_PAYLOAD_BYTES
    """The maximum size of one decoded payload, in bytes, all its parts included. What decompresses to more, or names
    parts of more, ends its run instead of filling a worker's memory."""

    def has_storage(self, *, is_local: bool) -> bool:
        """Whether large payloads go to the store.

        Args:
            is_local: whether the server is on this machine.
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
    """Whether runs are durable where no flag says otherwise."""
    temporal_config: ServerSettings = ServerSettings()
    worker_config: WorkerConfig = Field(default_factory=WorkerConfig)
    activity_queues: dict[str, ActivityRoutes] = Field(default_factory=dict[str, ActivityRoutes])
    """The routes of activities, by the name of an activity or of a group of them."""
    queue_options: dict[str, QueueOptions] = Field(default_factory=dict[str, QueueOptions])
    worker_scopes: WorkerScopes = WorkerScopes()
    worker_runtime_profiles: WorkerRuntimeProfiles = WorkerRuntimeProfiles()
    search_attributes: SearchAttributesConfig = SearchAttributesConfig()
    payload_codec_config: PayloadCodecConfig = PayloadCodecConfig()
    _warnings: tuple[Fault, ...] = PrivateAttr(default=())
    _routes_table: tuple[str, ...] = PrivateAttr(default=("temporal", "activity_queues"))

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """Warnings about settings that are deprecated or have no effect."""
        return self._warnings

    @property
    def routes_table(self) -> tuple[str, ...]:
        """The path of the table of `activity_queues` in the files, which was another in earlier releases."""
        return self._routes_table

    @property
    def server(self) -> ServerProfile:
        """The selected server profile."""
        return self.temporal_config.temporal_server_configs[self.temporal_config.selected_server]

    @property
    def routing(self) -> Routing:
        """The routing of activities."""
        return Routing(
            baseline=self.worker_config,
            default_queue=self.worker_config.default_task_queue,
            routes=self.activity_queues,
            queues=self.queue_options,
            groups={name: facts.group for name, facts in ACTIVITIES.items()},
        )

    @property
    def attached_attributes(self) -> Names:
        """The built-in search attributes that workflows carry."""
        return self.search_attributes.attributes if self.search_attributes.enabled else ()

    @property
    def log(self) -> TemporalLogConfig:
        return self.temporal_config.temporal_log_config
