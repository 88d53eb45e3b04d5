"""From the settings files to what a run needs."""

from pathlib import Path

from pipelex.config import Settings
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import Inference, InferenceOptions, RetryPolicy
from pipelex.pipes.runtime import RunOptions

MOST_AT_ONCE = 10_000


def inference_of(settings: Settings) -> Inference:
    """The models as configured: the project's inference folder when it has one, else the user's, else the defaults."""
    folders: list[Path] = [folder / "inference" for folder in settings.config_dirs]
    found = [folder for folder in folders if folder.is_dir()]
    options = InferenceOptions(
        schema_reask_max_attempts=settings.inference.llm.schema_reask_max_attempts,
        is_structure_prompt_enabled=settings.inference.llm.is_structure_prompt_enabled,
    )
    return Inference.load(found, settings.environ, options)


def retry_of(settings: Settings) -> RetryPolicy:
    """The in-process retry: the configured number of repetitions after a first attempt."""
    return RetryPolicy(max_attempts=settings.inference.transport_max_retries + 1)


def options_of(settings: Settings, *, is_dry: bool = False, full_memory: bool = False) -> RunOptions:
    """What shapes a run."""
    concurrency = settings.interpreter.pipeline_execution.max_concurrency
    chosen: dict[str, object] = {}
    if is_dry:
        chosen["mode"] = "dry"
    if full_memory:
        chosen["full_memory"] = True
    limit = MOST_AT_ONCE if concurrency == "unbounded" else int(concurrency)
    if limit != RunOptions().max_concurrency:
        chosen["max_concurrency"] = limit
    return RunOptions.model_validate(chosen)


def require_temporal() -> None:
    """Say what to install where the Temporal SDK is missing.

    Raises:
        PipelexError: it is missing.
    """
    import importlib.util

    if importlib.util.find_spec("temporalio") is None:
        raise PipelexError(
            "runtime.misconfigured",
            "durable execution needs the Temporal SDK, which is not installed",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "temporal"},
            advice='Install it with: pip install "pipelex[temporal]"',
        )
