"""Every key of `pipelex.toml` outside of `[temporal]`, and the test that changes it and sees what that does."""

import pytest

from pipelex.config._sections import Sections
from tests.support.key_tests import below, compared, find_test

STORE, EFFECTS, WIRING = "storage.test_store", "cli.test_settings_effects", "inference.deck.test_settings_wiring"
IMAGES, EXTRACT, FUNCTIONS = "inference.images.test_images", "inference.extract.test_methods", "inference.functions.test_functions"  # fmt: skip
TELEMETRY = "cli.test_telemetry"
STORES, LOG, DRY = "runtime.storage", "runtime.log", "inference.dry_run"
IMAGE = "inference.img_gen.img_gen_param_defaults"

SHOWN_BY: dict[str, tuple[str, ...]] = {
    f"{EFFECTS}:test_where_a_run_goes": ("run.execution",),
    f"{STORE}:test_what_is_put_can_be_got": (f"{STORES}.method",),
    f"{STORE}:test_format_of_keys": (f"{STORES}.uri_format",),
    f"{STORE}:test_same_bytes_are_stored_once_and_whole": (f"{STORES}.local.path",),
    f"{STORE}:test_s3": below(f"{STORES}.s3", "bucket", "prefix", "endpoint"),
    f"{STORE}:test_s3_in_a_region": (f"{STORES}.s3.region",),
    f"{STORE}:test_gcp": below(f"{STORES}.gcp", "bucket", "prefix", "endpoint"),
    f"{STORE}:test_azure": below(f"{STORES}.azure", "account", "container", "prefix"),
    f"{EXTRACT}:test_the_guard_can_be_switched_off": ("runtime.network.is_fetch_ssrf_guard_enabled",),
    f"{EFFECTS}:test_levels_of_log_lines": below(LOG, "level", "package_levels"),
    f"{EFFECTS}:test_where_log_lines_go": below(LOG, "console_target", "sinks"),
    f"{EFFECTS}:test_the_table_of_costs": (f"{LOG}.table_target", "runtime.reporting.is_log_costs_to_console"),
    f"{EFFECTS}:test_spans_can_be_switched_off": ("runtime.telemetry.is_enabled",),
    f"{EFFECTS}:test_the_service_of_spans": below("runtime.telemetry", "endpoint", "service_name"),
    f"{TELEMETRY}:test_content_is_captured_on_demand": ("runtime.telemetry.capture_content",),
    "distributed.test_metrics:test_prometheus_as_the_settings_say": ("runtime.metrics.prometheus_address",),
    "distributed.test_metrics:test_a_collector": ("runtime.metrics.otlp_endpoint",),
    "direct.test_records:test_records_are_a_setting": below("runtime.run_records", "is_enabled", "max_runs"),
    f"{EFFECTS}:test_failed_calls_are_repeated": ("inference.transport_max_retries",),
    f"{WIRING}:test_credentials_elsewhere": ("inference.credentials_elsewhere",),
    f"{WIRING}:test_waterfalls_may_be_held_to_their_first_model": ("inference.model_deck.is_model_fallback_enabled",),
    f"{WIRING}:test_stand_ins_for_a_failing_provider": ("inference.model_deck.is_fallback_on_failure_enabled",),
    f"{WIRING}:test_presets_that_nothing_serves": ("inference.model_deck.missing_presets_reaction",),
    f"{EFFECTS}:test_how_long_a_call_may_take": ("inference.call_timeout",),
    "distributed.test_long_waits:test_the_longest_wait_is_a_setting": ("inference.longest_retry_after",),
    f"{EFFECTS}:test_a_provider_that_is_away_for_a_while": ("inference.outages.retry_seconds",),
    "distributed.test_outages:test_a_provider_that_is_away_costs_no_attempt": (
        "inference.outages.durable_retry_seconds",
    ),
    "distributed.test_paid_once:test_an_answer_outlives_the_worker_that_got_it": ("inference.result_cache.is_enabled",),
    "inference.calls.test_kept_results:test_equal_calls_of_other_runs": ("inference.result_cache.across_runs",),
    f"{EFFECTS}:test_answers_that_do_not_fit_are_asked_for_again": ("inference.llm.schema_reask_max_attempts",),
    f"{EFFECTS}:test_the_wanted_structure_is_described": ("inference.llm.is_structure_prompt_enabled",),
    f"{EFFECTS}:test_the_most_images_of_a_prompt": ("inference.llm.default_max_images",),
    f"{WIRING}:test_tokens_of_efforts": ("inference.llm.effort_to_budget_maps",),
    f"{IMAGES}:test_defaults_of_images_are_settings": (
        *below(IMAGE, "aspect_ratio", "background", "quality", "nb_steps", "guidance_scale", "is_moderated"),
        *below(IMAGE, "safety_tolerance", "is_raw", "output_format", "seed"),
    ),
    f"{IMAGES}:test_steps_of_qualities_are_settings": ("inference.img_gen.quality_to_steps_maps",),
    "inference.chat.test_hostile_answers:test_the_limit_is_a_setting": ("inference.max_answer_bytes",),
    "inference.extract.test_bombs:test_limits_are_settings": below(
        "inference.extract", "timeout_seconds", "max_memory_bytes", "max_pages", "max_text_characters"
    ),
    "inference.documents.test_apart:test_limits_are_settings": below(
        "inference.doc_gen", "timeout_seconds", "max_memory_bytes"
    ),
    "inference.documents.test_apart:test_what_is_told_of_images_is_limited_by_a_setting": (
        "inference.doc_gen.max_text_characters",
    ),
    f"{EXTRACT}:test_the_default_resolution_of_views_is_a_setting": ("inference.extract.default_page_views_dpi",),
    f"{EFFECTS}:test_how_prompts_write_values": below(
        "inference.templating.default_templating_style", "tag_style", "text_format"
    ),
    f"{EFFECTS}:test_what_a_dry_run_makes_up": below(
        DRY, "text_gen_truncate_length", "nb_list_items", "nb_extract_pages", "image_urls"
    ),
    f"{EFFECTS}:test_items_of_a_batch_at_the_same_time": ("interpreter.pipeline_execution.max_concurrency",),
    "parity.test_parity:test_all_ways_agree": ("interpreter.pipeline_execution.max_pipe_runs",),  # cases of limits.toml
    f"{EFFECTS}:test_what_a_run_leaves": below(
        "interpreter.pipeline_execution", "is_generate_graph", "is_generate_usage"
    ),
    f"{EFFECTS}:test_files_given_as_data": ("interpreter.pipeline_execution.is_normalize_data_urls_to_storage",),
    f"{EFFECTS}:test_how_large_a_folder_may_be": below(
        "interpreter.method_tree_limits", "max_files", "max_total_bytes"
    ),
    f"{EFFECTS}:test_where_no_bundles_are_looked_for": ("interpreter.scan.excluded_dirs",),
    f"{FUNCTIONS}:test_functions_can_be_switched_off": ("interpreter.functions.is_enabled",),
    f"{FUNCTIONS}:test_a_slow_function_is_ended_with_all_it_started": ("interpreter.functions.timeout_seconds",),
    f"{FUNCTIONS}:test_a_function_sees_no_keys_and_an_empty_folder": ("interpreter.functions.environment",),
}


def test_no_key_is_without_a_test() -> None:
    assert compared(Sections, SHOWN_BY) == (set(), set())


@pytest.mark.parametrize("test", SHOWN_BY)
def test_these_tests_are_there(test: str) -> None:
    assert callable(find_test(test))
