"""Parts of a run, built from the settings. Each function loads the costly modules it needs."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.config.secrets import WithSecrets, secret_provider
from pipelex.errors import Fault
from pipelex.errors.folders import hide_folders
from pipelex.inference.calls.retry import RetryPolicy
from pipelex.library import TreeRules
from pipelex.pipes.calls import Mocks, OnItemFailure, RunOptions

if TYPE_CHECKING:
    from pipelex.inference import Inference, ModelDeck
    from pipelex.inference.calls.results import ResultCache
    from pipelex.inference.documents.provider import PrintLimits
    from pipelex.inference.extract import ExtractionOptions
    from pipelex.inference.functions import FunctionOptions
    from pipelex.inference.images import ImageOptions
    from pipelex.storage import FetchPolicy, Storage

logger = logging.getLogger("pipelex.inference")

MOST_AT_ONCE = 10_000


def deck_of(settings: Settings) -> "ModelDeck":
    """The models as configured. The project's inference folder overrides the user's, which overrides the packaged one.

    A warning about each entry that is not understood is logged once.

    Raises:
        ConfigurationError: an inference file is wrong.
    """
    from pipelex.inference import ModelDeck
    from pipelex.inference.deck.presets import react_to_missing_presets

    folders: list[Path] = [folder / "inference" for folder in settings.config_dirs]
    found = [folder for folder in folders if folder.is_dir()]
    deck = ModelDeck.load(
        found,
        WithSecrets(settings.environ, secret_provider(settings)),
        allow_fallback=settings.inference.model_deck.is_model_fallback_enabled,
        fallback_on_failure=settings.inference.model_deck.is_fallback_on_failure_enabled,
        assume_credentials=settings.inference.credentials_elsewhere,
        trust=settings.trust,
        max_answer_bytes=settings.inference.max_answer_bytes,
    )
    _tell(deck.warnings)
    react_to_missing_presets(deck, found, settings.inference.model_deck.missing_presets_reaction)
    return deck


_told: set[str] = set()
"""The warnings about inference files that this process has already logged."""


def _tell(warnings: Iterable[Fault]) -> None:
    for line in (fault.detail for fault in warnings):
        if line not in _told:
            _told.add(line)
            logger.warning("%s", line)


def inference_of(settings: Settings, deck: "ModelDeck | None" = None) -> "Inference":
    """The service that performs effects, as configured.

    Args:
        settings: the configuration.
        deck: the models, if they are already loaded.

    Raises:
        ConfigurationError: an inference file is wrong.
    """
    from pipelex.inference import ChatOptions, Inference, InferenceOptions
    from pipelex.inference.method_trees import MethodTrees

    llm, storage = settings.inference.llm, storage_of(settings)
    hide_folders([settings.base_dir, *settings.config_dirs, storage.folder])
    options = InferenceOptions(
        chat=ChatOptions(
            schema_reask_max_attempts=llm.schema_reask_max_attempts,
            is_structure_prompt_enabled=llm.is_structure_prompt_enabled,
            effort_budgets=llm.effort_to_budget_maps,
            default_max_images=llm.default_max_images,
        ),
        extract=extraction_of(settings),
        images=images_of(settings),
        printing=printing_of(settings),
        functions=functions_of(settings),
        call_timeout=settings.inference.call_timeout,
        longest_retry_after=settings.inference.longest_retry_after,
        outage_seconds=settings.inference.outages.durable_retry_seconds,
    )
    return Inference(
        deck or deck_of(settings),
        options,
        storage=storage,
        policy=fetch_policy_of(settings),
        trees=MethodTrees(rules=tree_rules_of(settings)),
        environ=settings.environ,
        results=_results_of(settings, storage),
    )


def _results_of(settings: Settings, storage: "Storage") -> "ResultCache | None":
    from pipelex.inference.calls.results import ResultCache

    wanted = settings.inference.result_cache
    return ResultCache(storage, wanted.across_runs) if wanted.is_enabled or wanted.across_runs else None


def tree_rules_of(settings: Settings) -> TreeRules:
    """The size limits of a method's folder, and the subfolders that are not searched for bundles."""
    limits = settings.interpreter.method_tree_limits
    excluded = frozenset(settings.interpreter.scan.excluded_dirs)
    return TreeRules(limits.max_files, limits.max_total_bytes, excluded)


def functions_of(settings: Settings) -> "FunctionOptions":
    """The settings for calls of methods' functions."""
    from pipelex.inference.functions import FunctionOptions

    functions = settings.interpreter.functions
    return FunctionOptions(functions.is_enabled, functions.timeout_seconds, environment=functions.environment)


def extraction_of(settings: Settings) -> "ExtractionOptions":
    """The settings for reading documents, and the limits of one."""
    from pipelex.inference.extract import ExtractionOptions
    from pipelex.reading.source import ReadingLimits

    found = settings.inference.extract
    limits = ReadingLimits(found.max_memory_bytes, found.timeout_seconds, found.max_pages, found.max_text_characters)
    return ExtractionOptions(found.default_page_views_dpi, limits)


def printing_of(settings: Settings) -> "PrintLimits":
    """The limits of printing one document."""
    from pipelex.inference.documents.provider import PrintLimits

    found = settings.inference.doc_gen
    return PrintLimits(found.timeout_seconds, found.max_memory_bytes, found.max_text_characters)


def images_of(settings: Settings) -> "ImageOptions":
    """The default parameters of an image, for those that neither the pipe nor the model's settings give."""
    from pipelex.inference.images import ImageOptions

    found = settings.inference.img_gen
    return ImageOptions(**found.img_gen_param_defaults.model_dump(), quality_to_steps=found.quality_to_steps_maps)


def storage_of(settings: Settings) -> "Storage":
    """The storage of runs' files."""
    from pipelex.storage import Storage

    return Storage.open(settings.runtime.storage, settings.base_dir, settings.environ)


def fetch_policy_of(settings: Settings, *, allow_files: bool = False) -> "FetchPolicy":
    """The limits on what may be fetched from outside.

    Args:
        settings: the configuration.
        allow_files: whether this machine's files may be read. Set it only to move a person's own inputs into the
            storage. A run itself reads no local files, because its files are in the storage before it begins.
    """
    from pipelex.storage import FetchPolicy

    return FetchPolicy(is_guarded=settings.runtime.network.is_fetch_ssrf_guard_enabled, allow_files=allow_files)


def retry_of(settings: Settings) -> RetryPolicy:
    """The in-process retry policy: a first attempt and the configured number of repetitions."""
    inference = settings.inference
    return RetryPolicy(max_attempts=inference.transport_max_retries + 1, outage_seconds=inference.outages.retry_seconds)


def options_of(
    settings: Settings,
    *,
    is_dry: bool = False,
    is_sparse: bool = False,
    full_memory: bool = False,
    on_item_failure: OnItemFailure = "fail",
) -> RunOptions:
    """The options of a run."""
    concurrency = settings.interpreter.pipeline_execution.max_concurrency
    style = settings.inference.templating.default_templating_style
    return RunOptions.sparse(
        mode="dry" if is_dry else "live",
        max_concurrency=MOST_AT_ONCE if concurrency == "unbounded" else int(concurrency),
        on_item_failure=on_item_failure,
        full_memory=full_memory,
        tag_style=style.tag_style,
        text_format=style.text_format,
        max_pipe_runs=settings.interpreter.pipeline_execution.max_pipe_runs,
        mocks=mocks_of(settings, is_sparse=is_sparse) if is_dry else None,
    )


def mocks_of(settings: Settings, *, is_sparse: bool = False) -> Mocks:
    """The values that dry runs make up."""
    found = settings.inference.dry_run
    return Mocks.sparse(
        text_chars=found.text_gen_truncate_length,
        list_items=found.nb_list_items,
        pages=found.nb_extract_pages,
        image_urls=found.image_urls,
        is_sparse=is_sparse,
    )
