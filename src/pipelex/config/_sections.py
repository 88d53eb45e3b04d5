"""The tables of `pipelex.toml` outside `[temporal]`. Their defaults are those of `defaults/pipelex.toml`.

The texts below fields are the descriptions of the JSON Schema that `pipelex config schema` writes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipelex.config._check import Names, Section, WithoutEffect, list_to_tuple

NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class RunSettings(Section):
    """Settings of `pipelex run`: the place where methods run."""

    execution: Literal["local", "hosted"] = "local"
    """The place where `pipelex run` runs methods. Only `local` is supported; `hosted` is a setting of other releases, and
    is refused unless a flag such as `--local` or `--durable` says otherwise."""


# --- runtime ----------------------------------------------------------------------------------------------------------


class LocalStorage(Section):
    """A store in a folder of this machine."""

    path: str = ".pipelex/storage"
    """The folder; a relative one starts at the project's root, or at the working directory outside of a project."""


class BucketStorage(Section):
    """A store in a bucket."""

    bucket: str = ""
    """The bucket's name."""
    prefix: str = ""
    """The path in the bucket below which everything is kept."""
    region: str = ""
    """The bucket's region; the client finds it out when empty."""
    endpoint: str = ""
    """The address of another service that speaks the same protocol; the provider's own when empty."""


class GoogleStorage(BucketStorage):
    """A store in a bucket of Google Cloud Storage."""

    region: Annotated[str, WithoutEffect("a bucket of Google Cloud Storage is found by its name alone")] = ""
    """No effect: a bucket of Google Cloud Storage is found by its name alone."""


class AzureStorage(Section):
    """A store in a container of Azure Blob Storage."""

    account: str = ""
    """The storage account's name."""
    container: str = ""
    """The container's name."""
    prefix: str = ""
    """The path in the container below which everything is kept."""


class StorageSettings(Section):
    """Storage of the images and documents of runs."""

    method: Literal["local", "in_memory", "s3", "gcp", "azure"] = "local"
    """The kind of the store; the table of the same name says where it is."""
    uri_format: str = "{hash}.{extension}"
    """The names of stored files: `{hash}` is the SHA-256 of the content, `{extension}` that of its type."""
    local: LocalStorage = LocalStorage()
    s3: BucketStorage = BucketStorage()
    gcp: GoogleStorage = GoogleStorage()
    azure: AzureStorage = AzureStorage()


class NetworkSettings(Section):
    """Limits on what runs may fetch from the network."""

    is_fetch_ssrf_guard_enabled: bool = True
    """Whether inputs that lead to addresses inside the own network are refused."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


_LEVELS = ("DEBUG", "VERBOSE", "DEV", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF")
LogLevel = Annotated[
    Literal["DEBUG", "VERBOSE", "DEV", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF"],
    BeforeValidator(_upper),
    Field(json_schema_extra={"enum": [*_LEVELS, *map(str.lower, _LEVELS)]}),
]
LogSink = Literal["console", "json", "otlp"]


class LogSettings(Section):
    """Logging: levels and destination."""

    level: LogLevel = "INFO"
    """The lowest level of Pipelex's own lines; those of libraries are shown from WARNING on."""
    console_target: Literal["stderr", "stdout"] = "stderr"
    """The stream that log lines are written to."""
    table_target: Literal["stderr", "stdout"] = "stderr"
    """The stream that the table of costs is written to."""
    sinks: Annotated[tuple[LogSink, ...], BeforeValidator(list_to_tuple)] = ("console",)
    """The forms of log lines: `console` for people, `json` for programs; `otlp` is not supported yet."""
    package_levels: dict[str, LogLevel] = Field(default_factory=dict[str, LogLevel])
    """The levels of single loggers, by name."""


class ReportingSettings(Section):
    """The report at the end of a run."""

    is_log_costs_to_console: bool = True
    """Whether `pipelex run` shows what the calls of models cost; `--costs` and `--no-costs` win."""


class TelemetrySettings(Section):
    """Spans for a collector of the user's own; nothing is ever sent to anybody else."""

    is_enabled: bool = True
    """Whether spans are sent at all."""
    endpoint: str = ""
    """The base address of an OTLP collector over HTTP; `OTEL_EXPORTER_OTLP_ENDPOINT` wins. No spans where neither is set."""
    service_name: str = "pipelex"
    """The service that spans say they are of; `OTEL_SERVICE_NAME` wins."""
    capture_content: bool = False
    """Whether prompts and answers are in the spans of calls."""


class MetricsSettings(Section):
    """Metrics of workers: those of Temporal's SDK, and Pipelex's own; in one of two ways."""

    prometheus_address: str = ""
    """The address `HOST:PORT` on which a worker serves `/metrics`; `pipelex worker --metrics-address` wins over it.
    Nothing is served when it is empty."""
    otlp_endpoint: str = ""
    """The base address of an OTLP collector over HTTP; `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` wins. Empty: none is told."""


class RunRecordsSettings(Section):
    """What runs in this process leave in the user's own folder, for `pipelex runs`."""

    is_enabled: bool = True
    """Whether runs in this process leave a record in `~/.pipelex/runs`, which the user alone may read: what they were
    started with, what they did, and every value. Without it they cannot be listed, shown, retried or replayed."""
    max_runs: Positive = 500
    """The number of records that are kept, at most; the oldest go first."""


class RuntimeSettings(Section):
    """Settings around a run: storage, network, logs, telemetry."""

    storage: StorageSettings = StorageSettings()
    network: NetworkSettings = NetworkSettings()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    metrics: MetricsSettings = MetricsSettings()
    reporting: ReportingSettings = ReportingSettings()
    run_records: RunRecordsSettings = RunRecordsSettings()


# --- inference --------------------------------------------------------------------------------------------------------

_EFFORTS: dict[str, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 5000,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}


class ModelDeckTable(Section):
    """Rules by which names lead to models."""

    is_model_fallback_enabled: bool = True
    """Whether a waterfall goes on to its next model when one is not served."""
    is_fallback_on_failure_enabled: bool = False
    """Whether the next model of a waterfall is asked when a provider fails."""
    missing_presets_reaction: Literal["raise", "log", "none"] = "log"
    """Reaction to a preset of your own deck files that leads to a model which no enabled backend serves: `raise`
    refuses the configuration, `log` writes a warning, `none` does nothing."""


class ResultCacheTable(Section):
    """Results of paid calls, kept for further attempts."""

    is_enabled: bool = False
    """Whether results of paid calls are kept in the storage, where another attempt of the same call finds them."""
    across_runs: bool = False
    """Whether calls of other runs find them, too, when they ask the very same of the same model with the same settings:
    the answer is taken, and costs nothing. It switches keeping on."""


class OutagesTable(Section):
    """Repetition of calls that reach no provider. Such a call sends nothing and costs nothing."""

    retry_seconds: NonNegative = 20
    """Seconds for which an in-process call that reaches no provider is repeated; only then it counts as a failed attempt."""
    durable_retry_seconds: NonNegative = 300
    """The same for a durable call, whose waits are between its activity's `initial_interval` and one minute."""


class LLMTable(Section):
    """Calls of language models."""

    schema_reask_max_attempts: NonNegative = 2
    """The number of times that a model is asked again when its structured answer does not fit the schema."""
    is_structure_prompt_enabled: bool = False
    """Whether the wanted structure is also described in the prompt."""
    default_max_images: Positive = 100
    """The most images in one prompt to a model whose `max_prompt_images` is not set; more are refused."""
    effort_to_budget_maps: dict[str, dict[str, NonNegative]] = Field(
        default_factory=lambda: {"anthropic": dict(_EFFORTS), "gemini": dict(_EFFORTS)}
    )
    """The tokens of thinking that each reasoning effort stands for, by provider."""

    def effort_to_budget(self, provider: str) -> Mapping[str, int]:
        """The reasoning tokens each effort stands for at a provider."""
        return {**_EFFORTS, **self.effort_to_budget_maps.get(provider, {})}


class ImgGenParamDefaults(Section):
    """Defaults of an image, used where neither the pipe nor the model's settings say."""

    aspect_ratio: str = "square"
    """The image's shape, by name."""
    background: Literal["transparent", "opaque", "auto"] = "auto"
    """The image's background."""
    quality: Literal["low", "medium", "high"] = "low"
    """The quality asked for, of models that take one."""
    nb_steps: Positive = 28
    """The steps of inference, of models that take a number of them."""
    guidance_scale: Annotated[float, Field(gt=0)] = 2.5
    """The weight of the prompt, for models that take a scale: a higher value follows it more closely."""
    is_moderated: bool = True
    """Whether the provider's safety checker is on."""
    safety_tolerance: Annotated[int, Field(ge=1, le=6)] = 5
    """The tolerance of the safety checker, from 1 (the strictest) to 6."""
    is_raw: bool = False
    """Whether the image is left less processed, of models that know it."""
    output_format: Literal["png", "jpeg", "webp"] = "jpeg"
    """The file format of the image."""
    seed: int | Literal["auto"] = "auto"
    """The seed of chance; `auto` leaves it to the provider."""


class ImgGenTable(Section):
    """Calls of image models."""

    img_gen_param_defaults: ImgGenParamDefaults = ImgGenParamDefaults()
    quality_to_steps_maps: dict[str, dict[str, Positive]] = Field(
        default_factory=lambda: {"flux": {"low": 14, "medium": 28, "high": 56}}
    )
    """The steps that each quality stands for, by family of models."""


class ExtractTable(Section):
    """Reading of documents."""

    default_page_views_dpi: Annotated[int, Field(ge=1, le=1200)] = 150
    """The resolution of pictures of pages, in dots per inch, where a pipe does not say."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """The longest that the next page of a document may take to be read here, in seconds; a Word file is one page."""
    max_memory_bytes: Positive = 512 * 1024 * 1024
    """The maximum memory that reading one document here may take, in a process of its own."""
    max_pages: Positive = 5_000
    """The maximum number of pages, slides or sheets of a document that is read here."""
    max_text_characters: Positive = 20_000_000
    """The maximum length of the text of a document that is read here."""


class DocGenTable(Section):
    """Printing of documents."""

    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    """The longest that a document may take to be printed, its images included, in seconds."""
    max_memory_bytes: Positive = 512 * 1024 * 1024
    """The maximum memory that printing one document may take, in a process of its own."""
    max_text_characters: Positive = 20_000_000
    """The maximum length of the addresses of all images that a document shows."""


class TemplatingStyleTable(Section):
    """The way templates write values where a pipe has no `templating_style`."""

    tag_style: Literal["no_tag", "ticks", "xml", "square_brackets"] = "xml"
    """The marks that `@name` puts around a value."""
    text_format: Literal["plain", "markdown", "html", "json"] = "plain"
    """The format in which `$name` writes a structured value."""


class TemplatingTable(Section):
    """Rendering of templates."""

    default_templating_style: TemplatingStyleTable = TemplatingStyleTable()


class DryRunTable(Section):
    """Values that a dry run makes up."""

    text_gen_truncate_length: Positive = 256
    """The characters of a prompt that a made-up text repeats, at most."""
    nb_list_items: Positive = 3
    """The items of a made-up list whose length the method leaves open."""
    nb_extract_pages: Positive = 4
    """The pages of an extracted document."""
    image_urls: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(list_to_tuple)] = (
        "https://mock.invalid/image_1.png",
        "https://mock.invalid/image_2.png",
    )
    """The addresses of made-up images, taken in turn."""


def _everything_or_names(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)):  # pyright: ignore[reportUnknownVariableType]
        return list_to_tuple(value)
    msg = f"must be true, false or a list of backends, not {value!r}"
    raise ValueError(msg)


class InferenceSettings(Section):
    """The choice of models, and calls of them. The files in `.pipelex/inference/` declare the models."""

    transport_max_retries: NonNegative = 2
    """The number of times that a failed provider call is repeated in-process. On Temporal, Temporal repeats it."""
    call_timeout: Annotated[float, Field(gt=0)] = 600.0
    """The longest time of one request to a provider in-process, in seconds; a durable one has its activity's time-out."""
    longest_retry_after: NonNegative = 900
    """The longest wait that a provider may ask for, in seconds. A call that is to wait longer fails at once."""
    max_answer_bytes: Positive = 64 * 1024 * 1024
    """The maximum size of a provider's answer after its HTTP encoding is undone, in bytes. A larger one fails the call."""
    credentials_elsewhere: Annotated[bool | tuple[str, ...], BeforeValidator(_everything_or_names)] = False
    """The backends whose keys and clients are with another process, which makes their calls; `true` for all of them."""
    model_deck: ModelDeckTable = ModelDeckTable()
    result_cache: ResultCacheTable = ResultCacheTable()
    outages: OutagesTable = OutagesTable()
    llm: LLMTable = LLMTable()
    img_gen: ImgGenTable = ImgGenTable()
    extract: ExtractTable = ExtractTable()
    doc_gen: DocGenTable = DocGenTable()
    templating: TemplatingTable = TemplatingTable()
    dry_run: DryRunTable = DryRunTable()


# --- interpreter ------------------------------------------------------------------------------------------------------


def _concurrency(value: Any) -> Any:
    if value == "unbounded" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    msg = f'must be an integer of at least 1, or "unbounded", not {value!r}'
    raise ValueError(msg)


class PipelineExecutionSettings(Section):
    """Limits on the execution of pipes."""

    max_concurrency: Annotated[Positive | Literal["unbounded"], BeforeValidator(_concurrency)] = 8
    """The items of one batch that run at the same time, or `unbounded`."""
    max_pipe_runs: Positive = 1_000_000
    """The most pipes that one run may run, every item of a batch included."""
    is_generate_graph: bool = True
    """Whether a run leaves its graph beside its result; `--graph` and `--no-graph` win."""
    is_generate_usage: bool = True
    """Whether a run leaves what its calls used beside its result."""
    is_normalize_data_urls_to_storage: bool = True
    """Whether files given as `data:` addresses are moved into the storage before a run starts."""


class MethodTreeLimits(Section):
    """The largest size of a method's folder; a larger one is refused."""

    max_files: Positive = 10_000
    """The most files."""
    max_total_bytes: Positive = 1_073_741_824
    """The most bytes of all files together."""


class ScanSettings(Section):
    """The search for bundles."""

    excluded_dirs: Names = (
        ".venv",
        "venv",
        "env",
        ".env",
        "virtualenv",
        ".virtualenv",
        ".git",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        "node_modules",
        "results",
    )
    """The names of folders in which no bundles are looked for."""


class FunctionSettings(Section):
    """Calls of the Python functions of methods."""

    is_enabled: bool = True
    """Whether they are called at all."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    """The longest time of one call, in seconds."""
    environment: Names = ()
    """The environment variables that functions may see, besides those that no program does without."""


class InterpreterSettings(Section):
    """Reading and running of methods."""

    pipeline_execution: PipelineExecutionSettings = PipelineExecutionSettings()
    functions: FunctionSettings = FunctionSettings()
    method_tree_limits: MethodTreeLimits = MethodTreeLimits()
    scan: ScanSettings = ScanSettings()


class Sections(Section):
    """All typed tables; `[temporal]` is read by the orchestrator that it belongs to."""

    run: RunSettings = RunSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    inference: InferenceSettings = InferenceSettings()
    interpreter: InterpreterSettings = InterpreterSettings()
