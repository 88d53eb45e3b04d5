"""The tables of `pipelex.toml` outside `[temporal]`. Their defaults are those of `defaults/pipelex.toml`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipelex.config._check import Names, Section, list_to_tuple

NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class RunSettings(Section):
    """`[run]`."""

    execution: Literal["local", "hosted"] = "local"
    """Where `pipelex run` runs a method when neither `--local` nor `--hosted` is given."""


# --- runtime ----------------------------------------------------------------------------------------------------------


class LocalStorage(Section):
    path: str = ".pipelex/storage"
    """Folder; a relative one starts at the project's root, or at the working directory outside of a project."""


class BucketStorage(Section):
    bucket: str = ""
    prefix: str = ""
    region: str = ""
    endpoint: str = ""
    """For services that speak the same protocol; the provider's own when empty."""


class AzureStorage(Section):
    account: str = ""
    container: str = ""
    prefix: str = ""


class StorageSettings(Section):
    method: Literal["local", "in_memory", "s3", "gcp", "azure"] = "local"
    uri_format: str = "{hash}.{extension}"
    local: LocalStorage = LocalStorage()
    s3: BucketStorage = BucketStorage()
    gcp: BucketStorage = BucketStorage()
    azure: AzureStorage = AzureStorage()


class NetworkSettings(Section):
    is_fetch_ssrf_guard_enabled: bool = True


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


LogLevel = Annotated[
    Literal["DEBUG", "VERBOSE", "DEV", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF"], BeforeValidator(_upper)
]
LogSink = Literal["console", "json", "otlp"]


class LogSettings(Section):
    level: LogLevel = "INFO"
    console_target: Literal["stderr", "stdout"] = "stderr"
    table_target: Literal["stderr", "stdout"] = "stdout"
    sinks: Annotated[tuple[LogSink, ...], BeforeValidator(list_to_tuple)] = ("console",)
    package_levels: dict[str, LogLevel] = Field(default_factory=dict[str, LogLevel])
    """Levels of single loggers, by name."""


class TracingSettings(Section):
    is_enabled: bool = True
    directory: str = ".pipelex/traces"


class ReportingSettings(Section):
    is_log_costs_to_console: bool = True


class TelemetrySettings(Section):
    """Spans for a collector of the user's own; nothing is ever sent to anybody else."""

    is_enabled: bool = True
    endpoint: str = ""
    """Base address of an OTLP collector over HTTP; `OTEL_EXPORTER_OTLP_ENDPOINT` wins. No spans where neither is set."""
    service_name: str = "pipelex"
    """`OTEL_SERVICE_NAME` wins."""
    capture_content: bool = False
    """Whether prompts and answers are in the spans of calls."""


class RuntimeSettings(Section):
    """`[runtime]`."""

    storage: StorageSettings = StorageSettings()
    network: NetworkSettings = NetworkSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    reporting: ReportingSettings = ReportingSettings()


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
    is_model_fallback_enabled: bool = True
    is_fallback_on_failure_enabled: bool = False
    """Whether the next model of a waterfall is asked when a provider fails."""
    missing_presets_reaction: Literal["raise", "log", "none"] = "log"


class ResultCacheTable(Section):
    is_enabled: bool = False
    """Whether results of paid calls are kept in the storage for further attempts of the same call."""


class LLMTable(Section):
    schema_reask_max_attempts: NonNegative = 2
    is_structure_prompt_enabled: bool = True
    default_max_images: Positive = 100
    effort_to_budget_maps: dict[str, dict[str, NonNegative]] = Field(
        default_factory=lambda: {"anthropic": dict(_EFFORTS), "gemini": dict(_EFFORTS)}
    )
    """Provider → reasoning effort → tokens."""

    def effort_to_budget(self, provider: str) -> Mapping[str, int]:
        """The reasoning tokens each effort stands for at a provider."""
        return {**_EFFORTS, **self.effort_to_budget_maps.get(provider, {})}


class ImgGenParamDefaults(Section):
    aspect_ratio: str = "square"
    background: Literal["transparent", "opaque", "auto"] = "auto"
    quality: Literal["low", "medium", "high"] = "low"
    nb_steps: Positive = 28
    guidance_scale: Annotated[float, Field(gt=0)] = 2.5
    is_moderated: bool = True
    safety_tolerance: Annotated[int, Field(ge=1, le=6)] = 5
    is_raw: bool = False
    output_format: Literal["png", "jpeg", "webp"] = "jpeg"
    seed: int | Literal["auto"] = "auto"


class ImgGenTable(Section):
    img_gen_param_defaults: ImgGenParamDefaults = ImgGenParamDefaults()
    quality_to_steps_maps: dict[str, dict[str, Positive]] = Field(
        default_factory=lambda: {"flux": {"low": 14, "medium": 28, "high": 56}}
    )
    """Family → quality → steps."""


class ExtractTable(Section):
    default_page_views_dpi: Annotated[int, Field(ge=1, le=1200)] = 150


class TemplatingStyleTable(Section):
    tag_style: Literal["no_tag", "ticks", "xml", "square_brackets"] = "xml"
    text_format: Literal["plain", "markdown", "html", "json"] = "plain"


class TemplatingTable(Section):
    default_templating_style: TemplatingStyleTable = TemplatingStyleTable()


class DryRunTable(Section):
    text_gen_truncate_length: Positive = 256
    nb_list_items: Positive = 3
    nb_extract_pages: Positive = 4
    image_urls: Annotated[Names, Field(min_length=1)] = (
        "https://mock.invalid/image_1.png",
        "https://mock.invalid/image_2.png",
    )


def _everything_or_names(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)):  # pyright: ignore[reportUnknownVariableType]
        return list_to_tuple(value)
    msg = f"must be true, false or a list of backends, not {value!r}"
    raise ValueError(msg)


class InferenceSettings(Section):
    """`[inference]`."""

    transport_max_retries: NonNegative = 2
    credentials_elsewhere: Annotated[bool | tuple[str, ...], BeforeValidator(_everything_or_names)] = False
    """Backends whose keys and clients are with another process, which makes their calls: True for all of them."""
    model_deck: ModelDeckTable = ModelDeckTable()
    result_cache: ResultCacheTable = ResultCacheTable()
    llm: LLMTable = LLMTable()
    img_gen: ImgGenTable = ImgGenTable()
    extract: ExtractTable = ExtractTable()
    templating: TemplatingTable = TemplatingTable()
    dry_run: DryRunTable = DryRunTable()


# --- interpreter ------------------------------------------------------------------------------------------------------


def _concurrency(value: Any) -> Any:
    if value == "unbounded" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    msg = f'must be an integer of at least 1, or "unbounded", not {value!r}'
    raise ValueError(msg)


class PipelineExecutionSettings(Section):
    max_concurrency: Annotated[int | Literal["unbounded"], BeforeValidator(_concurrency)] = 8
    """Items of one batch that run at the same time."""
    is_generate_graph: bool = True
    is_generate_usage: bool = True
    is_normalize_data_urls_to_storage: bool = True


class MethodsSettings(Section):
    fetch_on_miss: bool = True


class MethodTreeLimits(Section):
    max_files: Positive = 10_000
    max_total_bytes: Positive = 1_073_741_824


class ScanSettings(Section):
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


class FunctionSettings(Section):
    """How the Python functions of methods are called."""

    is_enabled: bool = True
    timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    environment: Names = ()
    """Environment variables that functions may see, besides those that no program does without."""


class InterpreterSettings(Section):
    """`[interpreter]`."""

    pipeline_execution: PipelineExecutionSettings = PipelineExecutionSettings()
    methods: MethodsSettings = MethodsSettings()
    functions: FunctionSettings = FunctionSettings()
    method_tree_limits: MethodTreeLimits = MethodTreeLimits()
    scan: ScanSettings = ScanSettings()


class Sections(Section):
    """All typed tables; `[temporal]` is read by the orchestrator that it belongs to."""

    run: RunSettings = RunSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    inference: InferenceSettings = InferenceSettings()
    interpreter: InterpreterSettings = InterpreterSettings()
